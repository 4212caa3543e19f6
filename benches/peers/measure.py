"""How the drivers in Python time what they do; the same as `measure.rs` and `measure.mjs`."""

import math
import statistics
import sys
from itertools import count
from time import perf_counter_ns as now

WARM_UP, SAMPLE, BUDGET = 200_000_000, 100_000, 1_000_000_000  # nanoseconds
PAIRS = 25

# A driver is called with the name of its row, the number of senders and an empty folder.
SYSTEM, SENDERS, FOLDER = sys.argv[1], int(sys.argv[2]), sys.argv[3]

# The ids that are let in; everyone else is a stranger.
KNOWN = [str(1_000_000_000 + 7_919 * number) for number in range(SENDERS)]
strangers = (str(number) for number in count(5_000_000_000))


def report(work, samples):
    """The median of what was sampled, as a line: system, senders, work, nanoseconds, samples."""
    print(SYSTEM, SENDERS, work, round(statistics.median(samples)), len(samples), sep="\t", flush=True)


def measure(work, call):
    def time(calls):
        begin = now()
        for _ in range(calls):
            call()
        return (now() - begin) / calls

    # A first trial says how many calls fit.
    calls, spent = 0, 0
    while spent < WARM_UP:
        spent, calls = spent + time(1), calls + 1
    once = spent / calls
    batch = math.ceil(SAMPLE / once)
    samples = min(501, max(5, int(BUDGET / (once * batch))))
    report(work, [time(batch) for _ in range(samples)])


def expect(truth, what):
    if not truth:
        sys.exit(f"the driver does not fit: {what}")


def play(decide, approve, capped=True):
    """All kinds of work. `decide(id)` answers True to who is in, a code to who gets one, None to who gets none."""
    turns = count(31, 31)
    measure("known", lambda: expect(decide(KNOWN[next(turns) % SENDERS]) is True, "a known sender is admitted"))

    issues, approvals = [], []
    end = now() + 2 * BUDGET
    for pair in range(PAIRS):
        if pair >= 4 and now() > end:
            break
        begin = now()
        code = decide(next(strangers))
        issued = now()
        approved = approve(code)
        done = now()
        expect(isinstance(code, str) and approved, "a stranger gets a code, which is approved")
        if pair > 0:  # the first warms up
            issues.append(issued - begin)
            approvals.append(done - issued)
    report("issue", issues)
    report("approve", approvals)

    waiting = [next(strangers) for _ in range(3)]
    for stranger in waiting:
        expect(isinstance(decide(stranger), str), "three strangers wait")
    measure("pending", lambda: expect(decide(waiting[0]) is not True, "who waits is not in"))
    if capped:
        measure("over cap", lambda: expect(decide(next(strangers)) is None, "a fourth stranger gets no code"))
