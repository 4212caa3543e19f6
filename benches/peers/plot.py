"""A plot over two logarithmic axes, as the text of an SVG that reads well on light and on dark."""

from math import ceil, floor, log10

WIDTH, HEIGHT = 860, 500
LEFT, RIGHT, TOP, BOTTOM = 80, 270, 44, 60
OURS = "dmgate"
GREEN = "#12a150"
COLOURS = ["#e8590c", "#c92a4b", "#8e5bd6", "#2f86eb", "#d6409f", "#a8850a", "#7d8590"]
STYLE = """
  text { font: 13px system-ui, sans-serif; fill: #3d444d; }
  .title { font-size: 15px; font-weight: 600; }
  .ours { font-weight: 700; }
  .grid { stroke: #8888; stroke-width: 0.5; }
  @media (prefers-color-scheme: dark) { text { fill: #c9d1d9; } }
"""


def plot(series, time_text):
    """`series`: for each system its (senders, nanoseconds). What is slowest is labelled at the top."""
    series = {system: points for system, points in series.items() if points}
    times = [time for points in series.values() for _, time in points]
    sizes = [size for points in series.values() for size, _ in points]
    low, high = floor(log10(min(times))), ceil(log10(max(times)))
    first, last = log10(min(sizes)), log10(max(sizes))

    def x(size):
        return LEFT + (log10(size) - first) / (last - first) * (WIDTH - LEFT - RIGHT)

    def y(time):
        return HEIGHT - BOTTOM - (log10(time) - low) / (high - low) * (HEIGHT - TOP - BOTTOM)

    parts = [f'<text class="title" x="{LEFT}" y="24">Time to admit a known sender</text>']
    for power in range(low, high + 1):
        at = y(10**power)
        parts.append(f'<path class="grid" d="M{LEFT} {at:.1f}H{WIDTH - RIGHT}"/>')
        label = time_text(10**power).replace(".00", "").replace(".0 ", " ")
        parts.append(f'<text x="{LEFT - 10}" y="{at + 4:.1f}" text-anchor="end">{label}</text>')
    for size in sorted(set(sizes)):
        at = x(size)
        parts.append(f'<path class="grid" d="M{at:.1f} {TOP}V{HEIGHT - BOTTOM}"/>')
        parts.append(f'<text x="{at:.1f}" y="{HEIGHT - BOTTOM + 20}" text-anchor="middle">{size:,}</text>')
    middle = (LEFT + WIDTH - RIGHT) / 2
    parts.append(f'<text x="{middle}" y="{HEIGHT - 14}" text-anchor="middle">senders on the list</text>')

    colours = iter(COLOURS)
    label_y = TOP - 16.0
    for system, points in sorted(series.items(), key=lambda item: -item[1][-1][1]):
        ours = system.startswith(OURS)
        colour = GREEN if ours else next(colours)
        line = " ".join(f"{x(size):.1f},{y(time):.1f}" for size, time in points)
        dashes = ' stroke-dasharray="6 4"' if ours and system != OURS else ""
        parts.append(
            f'<polyline points="{line}" fill="none" stroke="{colour}" stroke-width="{3 if ours else 2}"{dashes}/>'
        )
        parts += [f'<circle cx="{x(size):.1f}" cy="{y(time):.1f}" r="3.5" fill="{colour}"/>' for size, time in points]
        # Labels keep their order and a distance, and a thin line leads to each.
        end_x, end_y = x(points[-1][0]), y(points[-1][1])
        label_y = max(label_y + 18, end_y)
        parts.append(f'<path d="M{end_x:.1f} {end_y:.1f}L{end_x + 22:.1f} {label_y:.1f}" stroke="{colour}"/>')
        name = f"{system}: {time_text(points[-1][1])}"
        weight = ' class="ours"' if ours else ""
        parts.append(f'<text x="{end_x + 27:.1f}" y="{label_y + 4:.1f}"{weight}>{name}</text>')

    head = f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}" width="{WIDTH}" height="{HEIGHT}">'
    title = "<title>Time to admit a known sender, over the number of senders on the list</title>"
    return "\n".join([head, title, f"<style>{STYLE}</style>", *parts, "</svg>"]) + "\n"
