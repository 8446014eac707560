"""What judging a run costs, as ratios taken side by side. It prints; it never judges.

    python benchmarks/run.py               # a few minutes; --quick for a look at shorter runs
    python benchmarks/run.py --keep DIR    # keeps the generated runs for the next time

Each figure is of whole processes (start-up and imports count), the two sides in turn: A B A B …; the median of
each side, and the ratio of neighbours from its lowest to its highest. Ratios carry over to other machines; seconds
do not.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterable, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
EXAMPLES = ROOT / "examples"
DEMO = "demo-healthy"
BYTES_A_POINT = 8
JUDGED = {0, 1, 10}
"""Exit statuses of a run that was judged, for better or worse; 11 says that something could not be evaluated."""


@dataclass(frozen=True)
class Sample:
    """One whole process."""

    seconds: float
    peak_bytes: int


@dataclass(frozen=True)
class Command:
    """Something to be measured, and the exit statuses that mean it did its work."""

    arguments: Sequence[str]
    done: frozenset[int] = frozenset({0})

    def measure(self) -> Sample:
        with tempfile.TemporaryFile() as output:
            began = time.perf_counter()
            process = subprocess.Popen(self.arguments, cwd=ROOT, stdout=output, stderr=subprocess.STDOUT)
            _, status, usage = os.wait4(process.pid, 0)
            seconds = time.perf_counter() - began
            process.returncode = os.waitstatus_to_exitcode(status)
            if process.returncode not in self.done:
                output.seek(0)
                said = output.read().decode(errors="replace")
                raise Unmeasured(f"{' '.join(self.arguments)} ended with {process.returncode}:\n{said[-1500:]}")
        # ru_maxrss is in bytes on macOS and in KiB elsewhere.
        return Sample(seconds, usage.ru_maxrss * (1 if sys.platform == "darwin" else 1024))


class Unmeasured(Exception):
    """A command did not do its work, so there is nothing to compare."""


def python(*arguments: str | Path, done: Iterable[int] = (0,)) -> Command:
    return Command([sys.executable, *map(str, arguments)], frozenset(done))


def judge(run: Path | str, reports: Path, *options: str | Path) -> Command:
    """The suite over one run.

    Paths outside the project are joined to their option by `=`: pytest would take them for test folders, and the
    first one for its root, before it knows our options.
    """
    suite = ("-m", "pytest", "-p", "no:cacheprovider", "-q", f"--run-id={run}", f"--report-dir={reports}", *options)
    return python(*suite, done=JUDGED)


def alternate(rounds: int, *commands: Command) -> list[list[Sample]]:
    """Samples of each command, taken in turn after one unmeasured turn that warms the disk cache."""
    for command in commands:
        command.measure()
    turns = [[command.measure() for command in commands] for _ in range(rounds)]
    return [list(samples) for samples in zip(*turns, strict=True)]


def seconds(samples: Iterable[Sample]) -> list[float]:
    return [sample.seconds for sample in samples]


def peak(samples: Iterable[Sample]) -> float:
    return statistics.median(sample.peak_bytes for sample in samples)


def line(what: str, ratios: Sequence[float], goal: str, detail: str) -> None:
    spread = f"{min(ratios):.2f}-{max(ratios):.2f}" if len(ratios) > 1 else ""
    print(f"{what:<52} {statistics.median(ratios):>6.2f}  {spread:<11} {goal:<8} {detail}", flush=True)


def compare(what: str, goal: str, ours: Sequence[Sample], theirs: Sequence[Sample]) -> None:
    ratios = [a / b for a, b in zip(seconds(ours), seconds(theirs), strict=True)]
    medians = statistics.median(seconds(ours)), statistics.median(seconds(theirs))
    line(what, ratios, goal, f"{medians[0]:.2f} s / {medians[1]:.2f} s")


def points_used(verdict: dict[str, Any]) -> int:
    """How many numbers the judging process had to keep: one a row for every metric it recognised.

    The step, `_step` and `_timestamp` are kept for every run. Ratings of agents are not among the recognised
    metrics; they are counted by the keys that judgements name.
    """
    summary = verdict["summary"]
    keys = {key for judgement in verdict["judgements"] for key in judgement["keys"]}
    keys |= set(summary["recognised"].values()) | {"_step", "_timestamp"}
    return len(keys) * int(summary["rows"])


class Bench:
    """The runs to judge and where reports of judging them go."""

    def __init__(self, folder: Path, reports: Path, rounds: int) -> None:
        self.folder = folder
        self.reports = reports
        self.rounds = rounds

    def big_run(self, rows: int) -> Path:
        """The `.wandb` file of the big run with that many rows, generated if it is not there."""
        out = self.folder / f"big-{rows}"
        pattern = "wandb/offline-run-*/run-demo-big.wandb"
        if not list(out.glob(pattern)):
            make = python(EXAMPLES / "make_runs.py", "--big", "--steps", str(rows), "--out", out)
            make.measure()
        (found,) = out.glob(pattern)
        return found

    def verdict(self, run_id: str) -> dict[str, Any]:
        loaded: dict[str, Any] = json.loads((self.reports / run_id / "verdict.json").read_text())
        return loaded

    def judging_against_parsing(self, rows: int) -> None:
        run = self.big_run(rows)
        parse = python(ROOT / "benchmarks" / "parse_everything.py", run)
        ours, theirs = alternate(self.rounds, judge(run, self.reports), parse)
        compare(f"judge {rows:,} x 100 / parse every record", "<= 0.25", ours, theirs)

    def memory_of_judging(self, rows: int) -> None:
        ours, demo = alternate(self.rounds, judge(self.big_run(rows), self.reports), judge(DEMO, self.reports))
        extra = [a.peak_bytes - b.peak_bytes for a, b in zip(ours, demo, strict=True)]
        used = points_used(self.verdict("demo-big")) * BYTES_A_POINT
        detail = f"{statistics.median(extra) / 1e6:.1f} MB more than {DEMO}; columns used {used / 1e6:.1f} MB"
        line("extra peak memory / (3 x bytes of columns used)", [more / (3 * used) for more in extra], "<= 1", detail)

    def suite_against_empty_test(self) -> None:
        with tempfile.TemporaryDirectory() as scratch:
            test = Path(scratch, "test_empty.py")
            test.write_text("def test_empty() -> None:\n    pass\n")
            ini = Path(scratch, "pytest.ini")
            ini.write_text("[pytest]\n")
            html = ("--html", Path(scratch, "report.html"), "--self-contained-html")
            empty = python(
                "-m", "pytest", "-p", "no:cacheprovider", "-p", "no:hypothesispytest", "-q", "-c", ini, *html, test
            )
            events = EXAMPLES / "events" / f"{DEMO}.ndjson.gz"
            ours, theirs = alternate(self.rounds, judge(DEMO, self.reports, f"--events={events}"), empty)
        compare(f"judge {DEMO} with events / one empty test, html", "< 3", ours, theirs)

    def growth(self, rows: Sequence[int]) -> None:
        sides = alternate(self.rounds, *(judge(self.big_run(count), self.reports) for count in rows))
        first = sides[0]
        for count, samples in zip(rows, sides, strict=True):
            ratios = [a / b for a, b in zip(seconds(samples), seconds(first), strict=True)]
            detail = f"{statistics.median(seconds(samples)):.2f} s, peak {peak(samples) / 1e6:.0f} MB"
            line(f"judge {count:,} rows / {rows[0]:,} rows", ratios, f"<= {count / rows[0]:g}", detail)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=5, help="turns of each comparison (default %(default)s)")
    parser.add_argument("--quick", action="store_true", help="runs a tenth as long, two turns")
    parser.add_argument("--keep", type=Path, metavar="DIR", help="keep the generated runs in DIR")
    options = parser.parse_args()
    rounds = 2 if options.quick else options.rounds
    rows = [count // 10 if options.quick else count for count in (5_000, 10_000, 20_000)]

    with ExitStack() as stack:
        scratch = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        bench = Bench((options.keep or scratch).resolve(), scratch / "reports", rounds)
        print(f"{'whole processes, ' + str(rounds) + ' turns':<52} {'median':>6}  {'min-max':<11} {'goal':<8}")
        comparisons: list[Callable[[], None]] = [
            lambda: bench.judging_against_parsing(rows[-1]),
            lambda: bench.memory_of_judging(rows[-1]),
            bench.suite_against_empty_test,
            lambda: bench.growth(rows),
        ]
        for comparison in comparisons:
            try:
                comparison()
            except Unmeasured as failure:
                print(failure)


if __name__ == "__main__":
    main()
