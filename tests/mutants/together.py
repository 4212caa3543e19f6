"""Builds every mutant that cargo-mutants lists into one copy of the sources, and shows each to the tests that reach it.

A variable says which one is active when a test starts, so that there is one build instead of a thousand. A first run
without any notes which tests reach which mutants; then each is shown to those, the quick ones first, until one fails.

    together.py LIST COPY RESULT TEST...

LIST is what `cargo mutants --list --json` prints, COPY a copy of the sources, which is changed, RESULT gets one line for
each mutant, TEST is `package:lib` or `package:test`, in the order of their use, the LATE last ones when all others passed.
What RESULT knows already is left out, so that a run can be stopped and gone on with.

DMGATE_JOBS: how many at a time. DMGATE_QUICK: tests that need more seconds alone are left out. DMGATE_ONLY: a pattern
for names.
"""

import collections
import concurrent.futures
import json
import os
import pathlib
import re
import signal
import subprocess
import sys
import threading
import time

import tree_sitter
import tree_sitter_rust

QUICK = float(os.environ.get("DMGATE_QUICK", "1000"))
JOBS = int(os.environ.get("DMGATE_JOBS", "3"))
LATE = 2
HOMES = {}  # Where cargo runs a test.
PARSER = tree_sitter.Parser(tree_sitter.Language(tree_sitter_rust.language()))

# What the library gets: which mutant is active, and a note of those that were reached.
SWITCH = r"""
#[doc(hidden)]
#[allow(missing_docs, clippy::all)]
pub fn mutant(number: usize) -> bool {
    use std::sync::OnceLock;
    use std::sync::atomic::{AtomicBool, Ordering};
    static ACTIVE: OnceLock<usize> = OnceLock::new();
    static REACHED: [AtomicBool; 4000] = [const { AtomicBool::new(false) }; 4000];
    static NOTES: OnceLock<Option<std::sync::Mutex<std::fs::File>>> = OnceLock::new();
    let active = *ACTIVE.get_or_init(|| {
        std::env::var("DMGATE_MUTANT").ok().and_then(|number| number.parse().ok()).unwrap_or(0)
    });
    if active == 0 && !REACHED[number].swap(true, Ordering::Relaxed) {
        let notes = NOTES.get_or_init(|| {
            let path = std::env::var_os("DMGATE_REACHED")?;
            std::fs::OpenOptions::new().append(true).create(true).open(path).ok().map(std::sync::Mutex::new)
        });
        if let Some(notes) = notes {
            use std::io::Write as _;
            let _ = notes.lock().unwrap().write_all(format!("{number}\n").as_bytes());
        }
    }
    active == number
}
"""


class Source:
    """One file with its mutants."""

    def __init__(self, path, text):
        self.path, self.text = path, text
        self.tree = PARSER.parse(text)
        self.lines = [0]
        for line in text.split(b"\n"):
            self.lines.append(self.lines[-1] + len(line) + 1)
        self.wraps = collections.defaultdict(list)  # (start, end) -> [(number, text)]
        self.inserts = collections.defaultdict(list)  # offset -> [(number, text)]
        self.apart = []

    def offset(self, place):
        start = self.lines[place["line"] - 1]
        line = self.text[start : self.lines[place["line"]]].decode()
        return start + len(line[: place["column"] - 1].encode())

    def add(self, number, mutant):
        start, end = self.offset(mutant["span"]["start"]), self.offset(mutant["span"]["end"])
        new, genre = mutant["replacement"], mutant["genre"]
        node = self.tree.root_node.descendant_for_byte_range(start, end)
        if genre == "FnValue" and "-> impl Iterator" in mutant["function"]["return_type"]:
            more = re.fullmatch(r"::std::iter::once\((.*)\)", new)
            chain = f".chain(crate::mutant({number}).then(|| {more[1]}))" if more else ""
            self.inserts[start].append((number, "({ ", 0))
            self.inserts[end].append(
                (number, f" }}).take(if crate::mutant({number}) {{ 0 }} else {{ usize::MAX }}){chain}", 1)
            )
        elif genre == "FnValue":
            self.inserts[start].append((number, f"if crate::mutant({number}) {{ return {new}; }} ", 0))
        elif genre == "MatchArmGuard":
            test = f"crate::mutant({number}) || " if new == "true" else f"!crate::mutant({number}) && "
            self.inserts[start].append((number, test + "(", 0))
            self.inserts[end].append((number, ")", 1))
        elif genre == "MatchArm":
            while node.type != "match_arm":
                node = node.parent
            pattern = node.child_by_field_name("pattern")
            guard = pattern.child_by_field_name("condition")
            if guard:
                self.inserts[guard.start_byte].append((number, f"!crate::mutant({number}) && (", 0))
                self.inserts[guard.end_byte].append((number, ")", 1))
            else:
                self.inserts[pattern.end_byte].append((number, f" if !crate::mutant({number})", 1))
        else:
            wanted = {
                "BinaryOperator": ("binary_expression", "compound_assignment_expr"),
                "UnaryOperator": ("unary_expression",),
                "StructField": ("struct_expression",),
            }[genre]
            while node is not None and node.type not in wanted:
                node = node.parent
            # An operator binds as the text says, so the whole chain of them is written anew.
            while node is not None and node.type == "binary_expression" and node.parent.type == node.type:
                node = node.parent
            if node is None or (new == "||" and node.parent.type == "let_chain"):
                self.apart.append(number)
                return
            text = self.text[node.start_byte : start] + new.encode() + self.text[end : node.end_byte]
            self.wraps[(node.start_byte, node.end_byte)].append((number, text.decode()))

    def drop(self, number):
        for places in (self.wraps, self.inserts):
            for place, entries in list(places.items()):
                places[place] = [entry for entry in entries if entry[0] != number]

    def render(self):
        """The text with all mutants, and (start, end, number) of what each added."""
        out, regions = bytearray(), []
        opens, closes = collections.defaultdict(list), collections.defaultdict(list)
        for (start, end), entries in self.wraps.items():
            if entries:
                opens[start].append((end, entries))
                closes[end].append(start)
        for at in range(len(self.text) + 1):
            for _ in closes[at]:
                out += b" })"
            for number, text, _ in (entry for entry in self.inserts[at] if entry[2]):
                regions.append((len(out), len(out) + len(text), number))
                out += text.encode()
            # The guard's and the body's beginning is outside of the wrap that begins there.
            for number, text, _ in (entry for entry in self.inserts[at] if not entry[2]):
                regions.append((len(out), len(out) + len(text.encode()), number))
                out += text.encode()
            for _, entries in sorted(opens[at], key=lambda entry: -entry[0]):
                out += b"("
                for number, text in entries:
                    begin = len(out)
                    out += f"if crate::mutant({number}) {{ {text} }} else ".encode()
                    regions.append((begin, len(out), number))
                out += b"{ "
            if at < len(self.text):
                out.append(self.text[at])
        return bytes(out), regions


def instrument(mutants, copy, apart):
    sources = {}
    for number, mutant in enumerate(mutants, 1):
        path = mutant["file"]
        if path not in sources:
            sources[path] = Source(path, (copy / path).read_bytes())
        sources[path].add(number, mutant)
    for source in sources.values():
        apart.update((number, "chain of lets") for number in source.apart)
    root = copy / "src/lib.rs"
    root.write_text(root.read_text() + SWITCH)
    for path in copy.glob("adapters/*/tests/**/*.rs"):
        kept = '.env_clear().envs(std::env::vars().filter(|(name, _)| name.starts_with("DMGATE_")))'
        path.write_text(path.read_text().replace(".env_clear()", kept))
    while True:
        regions = {}
        for path, source in sources.items():
            text, regions[path] = source.render()
            (copy / path).write_bytes(text)
        ran = subprocess.run(
            ["cargo", "check", "-p", "dmgate", "--features", "testing", "--message-format=json"],
            cwd=copy, capture_output=True, text=True,
        )
        wrong, strange = {}, []
        for line in ran.stdout.splitlines():
            message = json.loads(line).get("message")
            if not message or message["level"] != "error":
                continue
            code = (message.get("code") or {}).get("code", "")
            found = False
            for span in message["spans"]:
                while span.get("expansion") and span["file_name"] not in regions:
                    span = span["expansion"]["span"]
                hits = [
                    (start <= span["byte_start"] and span["byte_end"] <= end, number)
                    for start, end, number in regions.get(span["file_name"], [])
                    if start < span["byte_end"] and span["byte_start"] < end
                ]
                # The exact one, where there is one; what makes an iterator of one item is the likelier one.
                hits = [hit for hit in hits if hit[0]] or hits
                once = [hit for hit in hits if "iter::once" in mutants[hit[1] - 1]["replacement"]]
                for _, number in once or hits:
                    wrong[number], found = code, True
            if not found and message["spans"]:
                strange.append(message["rendered"])
                if code == "E0004":  # Not exhaustive without the arm.
                    name, line = message["spans"][0]["file_name"], message["spans"][0]["line_start"]
                    wrong.update(
                        (number, code)
                        for number, mutant in enumerate(mutants, 1)
                        if mutant["genre"] == "MatchArm" and mutant["file"] == name and number not in apart
                        and line < mutant["span"]["start"]["line"] < line + 12
                    )
                wrong.update((int(n), code) for n in re.findall(r"crate::mutant\((\d+)\)", message["rendered"]))
        print(f"{len(wrong)} do not compile, {len(strange)} strange", flush=True)
        if not wrong:
            if ran.returncode:
                sys.exit("\n".join(strange[:20]) or ran.stderr)
            return
        for number, code in wrong.items():
            apart[number] = code
            sources[mutants[number - 1]["file"]].drop(number)


def build(copy, tests):
    binaries = {}
    for package in sorted({name.partition(":")[0] for name in tests}):
        ran = subprocess.run(
            ["cargo", "test", "-p", package, "--no-run", "--message-format=json",
             *(flag for name in tests if name.startswith(package + ":") for flag in flags(name))],
            cwd=copy, stdout=subprocess.PIPE, text=True, check=True,
        )
        for line in ran.stdout.splitlines():
            message = json.loads(line)
            if message.get("executable") and message["profile"]["test"]:
                name = "lib" if "lib" in message["target"]["kind"] else message["target"]["name"]
                if f"{package}:{name}" in tests:
                    binaries[f"{package}:{name}"] = message["executable"]
                    HOMES[message["executable"]] = os.path.dirname(message["manifest_path"])
    return binaries


def flags(name):
    test = name.partition(":")[2]
    return ["--lib"] if test == "lib" else ["--test", test]


def run(binary, names, limit, copy, **variables):
    """How tests ended, how long they took, and what they said. The first that fails ends the others."""
    began = time.monotonic()
    child = subprocess.Popen(
        [binary, "--exact", *names], cwd=HOMES.get(binary, copy), env={**os.environ, "RUST_BACKTRACE": "0", **variables},
        stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, start_new_session=True,
    )
    late = []

    def end():
        try:
            os.killpg(child.pid, signal.SIGKILL)
        except ProcessLookupError:
            pass

    watch = threading.Timer(limit, lambda: (late.append(True), end()))
    watch.start()
    out = ""
    for line in child.stdout:
        out += line.decode(errors="replace")
        if re.search(r"^test \S+ .*FAILED$", out, re.M):
            end()
        if line.startswith(b"test result:"):
            break
    code = child.wait()
    end()
    watch.cancel()
    how = "timeout" if late else "passed" if code == 0 else "failed"
    return how, time.monotonic() - began, out


def reach(binaries, copy, place):
    """For each test how long it takes, and which mutants it reaches."""
    known = place.with_suffix(".reach")
    if known.exists():
        return json.loads(known.read_text())
    jobs = []
    for name, binary in binaries.items():
        listed = subprocess.run([binary, "--list"], cwd=copy, capture_output=True, text=True, check=True).stdout
        jobs += [(name, line[: -len(": test")]) for line in listed.splitlines() if line.endswith(": test")]

    def one(job):
        notes = place.with_suffix(f".{job[0]}.{abs(hash(job))}.notes")
        how, took, out = run(binaries[job[0]], [job[1]], 300, copy, DMGATE_REACHED=str(notes))
        if how != "passed":
            print(f"{job} {how} without any mutant: left out\n{out[-2000:]}", flush=True)
            return None
        numbers = sorted({int(line) for line in notes.read_text().split()}) if notes.exists() else []
        notes.unlink(missing_ok=True)
        return [job[0], job[1], took, numbers]

    with concurrent.futures.ThreadPoolExecutor(JOBS) as pool:
        found = [entry for entry in pool.map(one, jobs) if entry]
    known.write_text(json.dumps(found))
    return found


def judge(number, tests, binaries, copy):
    """Shows one mutant to the tests that reach it: in groups, the quick ones first."""
    mine = sorted((took, name, test) for name, test, took, numbers in tests if number in numbers and took < QUICK)
    if not mine:
        return "unreached", "", 0
    groups, spent, order = {}, 0, list(binaries)
    for took, name, test in mine:
        step = (order.index(name) >= len(order) - LATE, 0 if took < 0.15 else 1 if took < 1.5 else 2 if took < 5 else took)
        group = groups.setdefault((step, order.index(name)), [0, name, []])
        group[0] += took
        group[2].append(test)
    for _, (took, name, some) in sorted(groups.items()):
        how, needed, out = run(
            binaries[name], some, 15 + 4 * took, copy, DMGATE_MUTANT=str(number), DMGATE_REACHED=""
        )
        spent += needed
        if how == "timeout":
            return "timeout", f"{name} {some[0]}…", spent
        if how == "failed":
            failed = re.findall(r"^test (\S+) .*FAILED$", out, re.M)
            return "caught", f"{name} {failed[0] if failed else '(ended)'}", spent
    return "missed", f"{len(mine)} tests", spent


def main():
    mutants, copy, place = json.loads(open(sys.argv[1]).read()), pathlib.Path(sys.argv[2]), pathlib.Path(sys.argv[3])
    apart_file = place.with_suffix(".apart")
    if apart_file.exists():
        apart = {int(number): why for number, why in json.loads(apart_file.read_text()).items()}
    else:
        apart = {}
        instrument(mutants, copy, apart)
        apart_file.write_text(json.dumps(apart))
    binaries = build(copy, sys.argv[4:])
    binaries = {name: binaries[name] for name in sys.argv[4:]}
    tests = reach(binaries, copy, place)
    for entry in tests:
        entry[3] = set(entry[3])
    done = {line.split("\t")[0] for line in place.read_text().splitlines()} if place.exists() else set()
    only = os.environ.get("DMGATE_ONLY")
    with open(place, "a") as results, concurrent.futures.ThreadPoolExecutor(JOBS) as pool:
        waiting = {}
        for number, mutant in enumerate(mutants, 1):
            if mutant["name"] in done or (only and not re.search(only, mutant["name"])):
                continue
            if number in apart:
                results.write(f"{mutant['name']}\tapart\t{apart[number]}\t0\n")
                continue
            waiting[pool.submit(judge, number, tests, binaries, copy)] = mutant["name"]
        for ended in concurrent.futures.as_completed(waiting):
            how, what, spent = ended.result()
            results.write(f"{waiting[ended]}\t{how}\t{what}\t{spent:.1f}\n")
            results.flush()

    tally(place)


def tally(place):
    """How many became what, by file."""
    counts = collections.defaultdict(collections.Counter)
    for line in place.read_text().splitlines():
        name, how, *_ = line.split("\t")
        counts[name.partition(":")[0]][how] += 1
        counts["all"][how] += 1
    for path, count in sorted(counts.items()):
        caught = count["caught"] + count["timeout"]
        viable = caught + count["missed"] + count["unreached"]
        print(f"{path}: {sum(count.values())} mutants, {count['apart']} do not compile, {count['caught']} caught, "
              f"{count['timeout']} never end, {viable - caught} missed: {100 * caught / max(viable, 1):.1f} %")


main()
