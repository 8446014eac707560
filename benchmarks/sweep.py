"""What comparing the runs of a sweep costs: seconds and peak memory of whole sessions. It prints; it never judges.

    python benchmarks/sweep.py              # 8 runs of 200 steps and 200 runs of 60, written by the real client first
    python benchmarks/sweep.py --keep DIR   # keeps the generated runs for the next time

Memory is that of the largest process of a session, and what each further run adds to it.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
JUDGED = (0, 1, 10)


@dataclass(frozen=True)
class Cost:
    seconds: float
    peak_mb: float
    reports: Path

    def line(self, what: str) -> str:
        found = json.loads((self.reports / "lr-" / "sweep.json").read_text(encoding="utf-8"))
        sizes = [
            path.stat().st_size / 1e6 for path in (self.reports / "report.html", self.reports / "lr-" / "sweep.json")
        ]
        return (
            f"{what:<34} {self.seconds:6.1f} s  {self.peak_mb:5.0f} MB  report.html {sizes[0]:.1f} MB, "
            f"sweep.json {sizes[1]:.2f} MB\n    {found['call']}"
        )


def runs(folder: Path, count: int, steps: int) -> Path:
    """The folder of a sweep of so many runs, written if it is not there."""
    out = folder / f"sweep-{count}-{steps}"
    if not out.exists():
        began = time.perf_counter()
        make = [sys.executable, ROOT / "examples" / "make_runs.py", "--sweep", count, "--steps", steps, "--out", out]
        subprocess.run([str(part) for part in make], check=True, stdout=subprocess.DEVNULL)
        print(f"wrote {count} runs of {steps} steps in {time.perf_counter() - began:.0f} s", flush=True)
    return out


def judge(folder: Path, reports: Path, *arguments: str) -> Cost:
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "--sweep", "lr-"]
    command += ["--wandb-dir", str(folder), "--report-dir", str(reports), *arguments]
    began = time.perf_counter()
    with tempfile.TemporaryFile() as output:
        process = subprocess.Popen(command, cwd=ROOT, stdout=output, stderr=subprocess.STDOUT)
        _, status, usage = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
        if process.returncode not in JUDGED:
            output.seek(0)
            sys.exit(output.read().decode(errors="replace")[-2000:])
    return Cost(time.perf_counter() - began, usage.ru_maxrss * 1024 / 1e6, reports)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--keep", type=Path, metavar="DIR", help="keep the generated runs in DIR")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as scratch:
        folder = options.keep or Path(scratch)
        reports = Path(scratch, "reports")
        for count, steps in ((8, 200), (200, 60)):
            where = runs(folder, count, steps)
            for workers in ((), ("-n", "2")):
                name = f"{count} runs of {steps} steps {' '.join(workers)}"
                print(judge(where, reports / name, *workers).line(name), flush=True)
        few = judge(runs(folder, 200, 60), reports / "few", "--limit", "20")
        many = judge(runs(folder, 200, 60), reports / "many")
        print(f"each further run adds {(many.peak_mb - few.peak_mb) / 180:.2f} MB")


if __name__ == "__main__":
    main()
