"""What judging a run on a W&B server costs: requests, and time beside the client's own scan of the same run.

    python benchmarks/cloud.py --rounds 3

The server is the loopback one of the tests, so no network is in the figures. Both sides are whole processes, `import
wandb` included: `pytest --run-id entity/project/id` (cold: no cache of ours; warm: a second verdict), and
`list(wandb.Api().run(path).scan_history(use_cache=False))`. It prints; it never judges.
"""

from __future__ import annotations

import argparse
import math
import os
import random
import sys
import tempfile
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path

from run import ROOT, Command, alternate, compare, judge, python

sys.path.insert(0, str(ROOT / "tests" / "support"))

from wandb_server import WandbServer
from wandb_server_runs import ServedRun

SCAN = "import sys, wandb; print(len(list(wandb.Api().run(sys.argv[1]).scan_history(use_cache=False))))"
CANONICAL = ("benchmark/step", "benchmark/reward_mean", "kl/mean", "kl/max", "benchmark/grad_norm", "benchmark/loss")


def rows(count: int, metrics: int, seed: int) -> list[dict[str, float]]:
    """A healthy run with `metrics` metrics, six of which the criteria ask for."""
    draw = random.Random(seed)
    level: dict[str, Callable[[int], float]] = {
        "benchmark/reward_mean": lambda at: 10 + 3 * at / count + draw.gauss(0, 0.3),
        "kl/mean": lambda at: 0.02 * math.exp(draw.gauss(0, 0.2)),
        "kl/max": lambda at: 0.1 * math.exp(draw.gauss(0, 0.2)),
        "benchmark/grad_norm": lambda at: 3 * math.exp(draw.gauss(0, 0.1)),
        "benchmark/loss": lambda at: draw.gauss(0, 0.1),
        "benchmark/step": float,
    }
    others = [f"other/{number}" for number in range(metrics - len(level))]
    return [
        {"_step": at, "_timestamp": 1.7e9 + at, "_runtime": float(at)}
        | {name: of(at) for name, of in level.items()}
        | {name: draw.random() for name in others}
        for at in range(count)
    ]


def layouts(count: int, metrics: int) -> Iterator[tuple[str, ServedRun]]:
    whole = rows(count, metrics, 0)
    for name, exported in (("live", 0), ("mixed", count // 2), ("exported", count)):
        run = ServedRun(f"run-{name}", whole, exported=exported, heartbeat_at=1.7e9 + count, created_at=1.7e9)
        run.config = {"total_steps": count}
        yield name, run


def requests_of(server: WandbServer, command: Command) -> str:
    server.forget()
    command.measure()
    asked = Counter(request.operation for request in server.requests)
    return f"{sum(asked.values()):>4} requests  " + ", ".join(
        f"{name} {number}" for name, number in asked.most_common(5)
    )


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    options.add_argument("--rounds", type=int, default=3)
    options.add_argument("--rows", type=int, default=20_000)
    options.add_argument("--metrics", type=int, default=60)
    given = options.parse_args()
    with WandbServer() as server, tempfile.TemporaryDirectory() as scratch:
        os.environ.update(server.environment())
        reports, cache = Path(scratch, "reports"), Path(scratch, "cache")
        for name, run in layouts(given.rows, given.metrics):
            server.add(run)
            path = f"team/league/{run.id}"
            cold = judge(path, reports, "--no-cache")
            warm = judge(path, reports, f"--cache-dir={cache}")
            scan = python("-c", SCAN, path)
            print(f"{name}: {given.rows:,} rows x {given.metrics} metrics")
            print(f"  cold    {requests_of(server, cold)}")
            warm.measure()
            print(f"  warm    {requests_of(server, warm)}")
            print(f"  client  {requests_of(server, scan)}")
            ours, again, theirs = alternate(given.rounds, cold, warm, scan)
            compare("  cold / scan_history", "<= 0.3", ours, theirs)
            compare("  warm / scan_history", "<= 0.05", again, theirs)
            server.remove(run)
        small = rows(60, 10, 1)
        for number in range(100):
            server.add(ServedRun(f"s{number}", small, name=f"sweep-{number}", heartbeat_at=1.7e9, created_at=1.7e9))
        suite = ("-m", "pytest", "-p", "no:cacheprovider", "-q", "--sweep=sweep-", "--wandb-project=league")
        sweep = python(*suite, "--wandb-entity=team", f"--report-dir={reports}", "--no-cache", done=(0, 1, 10))
        print("a sweep of 100 runs of 60 rows")
        print(f"  cold    {requests_of(server, sweep)}")


if __name__ == "__main__":
    main()
