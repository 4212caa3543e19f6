"""Makes a table of what the drivers measured, and with `--write` a page and a plot: `report.py RESULTS [--write]`."""

import sys
from datetime import date
from pathlib import Path

from plot import plot

ROOT = Path(__file__).parents[2]
PAGE, PLOT = ROOT / "docs/PEERS.md", ROOT / "docs/peers.svg"
OURS = "dmgate"
SIZES = [10, 1_000, 10_000, 100_000]
# All but the known sender is shown at this size, and the bars are about it.
SIZE = 10_000
WORK = {"pending": "waiting stranger", "over cap": "over the cap", "issue": "new code", "approve": "approval"}
COLUMNS = [("known", size, f"known, {size:,}") for size in SIZES] + [
    (work, SIZE, title) for work, title in WORK.items()
]
# How many times faster a known sender is meant to be let in, by how a system's name begins.
BARS = [("OpenClaw 2026.9", 10_000), ("", 1_000)]


def read(path):
    """The medians by system, work and size; why systems failed; about the machine."""
    times, failures, about = {OURS: {}}, {}, ""
    for line in Path(path).read_text().splitlines():
        fields = line.split("\t")
        if fields[0] == "about":
            about = fields[1]
        elif len(fields) == 5:
            system, senders, work, value, _ = fields
            known = times.setdefault(system, {})
            if work == "failed":
                failures[system] = f"with {int(senders):,} senders: {value}" if senders else value
            else:
                known[work, int(senders)] = int(value)
    return times, failures, about


def time_text(nanoseconds):
    for unit, size in [("s", 1e9), ("ms", 1e6), ("µs", 1e3)]:
        if nanoseconds >= size:
            value = nanoseconds / size
            return f"{value:.{2 if value < 10 else 1 if value < 100 else 0}f} {unit}"
    return f"{nanoseconds} ns"


def ratio_text(ratio):
    if ratio < 10:
        return f"{ratio:.2g}×"
    digits = 10 ** max(0, len(str(int(ratio))) - 2)
    return f"{round(ratio / digits) * digits:,}×"


def cell(times, system, work, size):
    ours, theirs = times[OURS].get((work, size)), times[system].get((work, size))
    if theirs is None:
        return "–"
    return time_text(theirs) if system == OURS or not ours else f"{time_text(theirs)} · {ratio_text(theirs / ours)}"


def table(times, failures):
    rows = [["", *(title for _, _, title in COLUMNS)]]
    for system, known in times.items():
        cells = [cell(times, system, work, size) for work, size, _ in COLUMNS]
        rows.append([system, *cells] if known else [system, failures[system], *["" for _ in cells[1:]]])
    widths = [max(map(len, column)) for column in zip(*rows)] if len(failures) == 0 else [0] * len(rows[0])
    lines = ["| " + " | ".join(text.ljust(width) for text, width in zip(row, widths)) + " |" for row in rows]
    return "\n".join([lines[0], "|---" + "|--:" * len(COLUMNS) + "|", *lines[1:]])


def bars(times):
    """What came of each bar."""
    key = ("known", SIZE)
    for system, known in times.items():
        if not system.startswith(OURS) and key in known and key in times[OURS]:
            bar = next(bar for name, bar in BARS if system.startswith(name))
            ratio = known[key] / times[OURS][key]
            yield f"{system}: {ratio_text(ratio)} (bar {bar:,}×){'' if ratio >= bar else ' – missed'}"


def main():
    times, failures, about = read(sys.argv[1])
    notes = [f"{system}, {reason}" for system, reason in failures.items() if times[system]]
    parts = [f"{date.today()}, {about}.", table(times, failures), *notes]
    text = "\n\n".join(parts) + "\n"
    print(text)
    print("Known sender among 10,000, to dmgate's:", *bars(times), sep="\n  ")
    if "--write" in sys.argv:
        begin, end = "<!-- measured -->\n", "<!-- end -->\n"
        before, rest = PAGE.read_text().split(begin)
        PAGE.write_text(f"{before}{begin}\n{text}\n{end}{rest.split(end)[1]}")
        PLOT.write_text(plot({system: known_senders(known) for system, known in times.items()}, time_text))


def known_senders(known):
    return [(size, known["known", size]) for size in SIZES if ("known", size) in known]


main()
