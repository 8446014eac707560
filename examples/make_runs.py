"""Write the demo runs: `.wandb` files by the real wandb client (offline, no account), and their events.

    python examples/make_runs.py                       # both bundled demo runs, beside this file
    python examples/make_runs.py --only demo-healthy --out DIR
    python examples/make_runs.py --big --out DIR       # 20,000 steps of 100 metrics, for the benchmark
    python examples/make_runs.py --sweep 8 --steps 200 --out DIR   # runs to compare with each other
    python examples/make_runs.py --walkthrough --out DIR   # a published run, as its analysis describes it

All values are simulated from fixed seeds: the same every time. What the client adds (`_runtime`, mailbox ids and
its own version) is not.
"""

from __future__ import annotations

import argparse
import gzip
import json
import os
import shutil
import tempfile
import time
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from unittest import mock

import numpy as np
from simulation import walkthrough
from simulation.league import Evaluation, season
from simulation.scenario import COLLAPSED, HEALTHY, Scenario
from simulation.service import Event, events, timeline
from simulation.training import ar1, training_metrics

HERE = Path(__file__).parent
PROJECT = "diplomacy-v2"
GZIP_ABOVE_BYTES = 300_000
BIG_METRICS = 100

Row = dict[str, Any]


def write_run(out: Path, scenario: Scenario, rows: Iterable[Row], step_metric: str | None = "benchmark/step") -> Path:
    """One run as `write_runs` writes it."""
    (written,) = write_runs(out, [(scenario, rows)], step_metric)
    return written


def write_runs(
    out: Path, runs: Iterable[tuple[Scenario, Iterable[Row]]], step_metric: str | None = "benchmark/step"
) -> list[Path]:
    """Log rows through the wandb client and keep its `.wandb` files alone, as out/wandb/<run>/run-<id>.wandb.

    Each row's `_timestamp` is its time; the client would stamp all of them with the moment of writing.
    Where a `step_metric` is declared, the client adds its latest value to rows that lack it.
    """
    os.environ.update(WANDB_ERROR_REPORTING="false", TZ="UTC")
    time.tzset()
    import wandb

    with tempfile.TemporaryDirectory() as scratch:
        # Nothing of the machine or its user may end up in a file that is committed.
        settings = wandb.Settings(
            mode="offline",
            root_dir=scratch,
            console="off",
            silent=True,
            disable_git=True,
            disable_code=True,
            save_code=False,
            host="demo",
            program="train_grpo.py",
            x_disable_meta=True,
            x_disable_stats=True,
            x_disable_machine_info=True,
            x_save_requirements=False,
        )
        logged = [_log(scenario, rows, step_metric, settings) for scenario, rows in runs]
        # finish() may return while the client's service still writes; the files are whole once that has ended.
        wandb.teardown()
        return [_keep(Path(scratch), out, scenario) for scenario in logged]


def _log(scenario: Scenario, rows: Iterable[Row], step_metric: str | None, settings: Any) -> Scenario:
    import wandb

    with mock.patch("time.time", return_value=scenario.started.timestamp()):
        run = wandb.init(project=PROJECT, id=scenario.id, name=scenario.name, config=scenario.config, settings=settings)
    if step_metric is not None:
        run.define_metric(step_metric)
        run.define_metric("*", step_metric=step_metric)
    for row in rows:
        run.log(row)
    run.finish(exit_code=scenario.exit_code)
    return scenario


def _keep(scratch: Path, out: Path, scenario: Scenario) -> Path:
    (written,) = scratch.glob(f"wandb/offline-run-*/run-{scenario.id}.wandb")
    folder = out / "wandb" / f"offline-run-{scenario.started:%Y%m%d_%H%M%S}-{scenario.id}"
    folder.mkdir(parents=True, exist_ok=True)
    return Path(shutil.copyfile(written, folder / written.name))


def write_events(out: Path, run_id: str, logged: Iterable[Event]) -> Path:
    """Write events as NDJSON, compressed if they are many."""
    folder = out / "events"
    folder.mkdir(parents=True, exist_ok=True)
    text = "".join(json.dumps(event, separators=(",", ":"), allow_nan=False) + "\n" for event in logged).encode()
    plain = folder / f"{run_id}.ndjson"
    if len(text) <= GZIP_ABOVE_BYTES:
        plain.write_bytes(text)
        return plain
    packed = plain.with_name(plain.name + ".gz")
    packed.write_bytes(gzip.compress(text, mtime=0))
    return packed


def write_demo(out: Path, scenario: Scenario) -> list[Path]:
    """One demo run and its events."""
    times = timeline(scenario)
    metrics = training_metrics(scenario)
    metrics["benchmark/rollout_time_s"] = times.rollout_times
    metrics["benchmark/training_time_s"] = times.training_times
    start = scenario.started.timestamp()
    evaluations = {evaluation.step: evaluation for evaluation in season(scenario)}
    rows = demo_rows(metrics, start + times.step_ends, evaluations)
    return [write_run(out, scenario, rows), write_events(out, scenario.id, events(scenario, times, metrics))]


def demo_rows(
    metrics: Mapping[str, np.ndarray[Any, Any]],
    ends: np.ndarray[Any, Any],
    evaluations: Mapping[int, Evaluation],
) -> Iterator[Row]:
    """A row a step by the trainer, and one more by the league evaluator where it played."""
    for step, end in enumerate(ends):
        values = {name: significant(column[step]) for name, column in metrics.items()}
        yield {"benchmark/step": step, "_timestamp": round(float(end), 3), **values}
        if step in evaluations:
            yield {**evaluations[step].row(), "_timestamp": round(float(end) + 1.5, 3)}


def significant(value: float) -> float:
    """Six significant digits, as a log formatter leaves them."""
    return float(f"{value:.6g}")


def write_walkthrough(out: Path) -> list[Path]:
    """The published run: two log calls a step, the second without the training step."""
    scenario = replace(
        HEALTHY,
        id=walkthrough.RUN_ID,
        name=walkthrough.RUN_ID,
        started=datetime(2025, 12, 22, 19, 14, 8, tzinfo=UTC),
        steps=walkthrough.STEPS,
        total_steps=walkthrough.STEPS,
    )
    metrics = training_metrics(scenario)
    curves = walkthrough.ratings()

    def rows() -> Iterator[Row]:
        for step in range(scenario.steps):
            at = scenario.started.timestamp() + 90.0 * (step + 1)
            values = {name: significant(column[step]) for name, column in metrics.items()}
            yield {"benchmark/step": step, "_timestamp": at, **values}
            elos = {f"elo/{agent}": round(float(curve[step]), 4) for agent, curve in curves.items()}
            traps = {
                "elo/step": step,
                "elo/win_rate": round(0.3 + 0.002 * step, 4),
                "elo/games_played": 12,
                "elo/challenger": elos[f"elo/{walkthrough.RUN_ID}_adapter_v50"],
                "elo/vs_bot_win_rate": round(0.55 + 0.003 * step, 4),
            }
            yield {**elos, **traps, "_timestamp": at + 1.0}

    return [write_run(out, scenario, rows(), step_metric=None)]


def write_big(out: Path, steps: int = 20_000) -> list[Path]:
    """A long healthy run with everything in one row a step: 100 metrics, of which the suite knows about thirty."""
    scenario = replace(HEALTHY, id="demo-big", name="grpo-demo-big", steps=steps, total_steps=steps)
    rng = np.random.default_rng([scenario.seed, 5])
    metrics = training_metrics(scenario)
    metrics["benchmark/rollout_time_s"] = 40 * np.exp(0.3 * rng.standard_normal(steps))
    metrics["benchmark/training_time_s"] = 9 * np.exp(0.1 * rng.standard_normal(steps))
    t = np.linspace(0, 1, steps)
    for agent in ("base_model", "chaos_bot", "defensive_bot", "territorial_bot", "coordinated_bot"):
        metrics[f"elo/{agent}"] = 1000 - 90 * t + 4 * ar1(rng, steps, 0.9)
    for number in range(6):
        curve = 1000 + 25 * number + 60 * t - (60 - 12 * number) * t**2 + 4 * ar1(rng, steps, 0.9)
        metrics[f"elo/{scenario.name}_adapter_v{number * steps // 6}"] = curve
    for layer in range(BIG_METRICS - len(metrics) - 1):
        metrics[f"parameters/layer_{layer:02d}_norm"] = 10 + ar1(rng, steps, 0.9)
    ends = scenario.started.timestamp() + 50.0 * np.arange(1, steps + 1)
    rows = demo_rows(metrics, ends, {})
    return [write_run(out, scenario, rows)]


def write_sweep(out: Path, runs: int, steps: int) -> list[Path]:
    """Runs called lr-000, lr-001 …, of which each learns a little more than the one before; the others' configs agree.

    The last but one broke off at three quarters of its steps.
    """

    def sweep() -> Iterator[tuple[Scenario, Iterable[Row]]]:
        for number in range(runs):
            share = number / max(runs - 1, 1)
            broken = runs > 2 and number == runs - 2
            scenario = replace(
                HEALTHY,
                id=f"lr{number:03d}",
                name=f"lr-{number:03d}",
                seed=100 + number,
                steps=3 * steps // 4 if broken else steps,
                total_steps=steps,
                skill_gain=8.0 * share,
                kl_beta=round(0.04 + 0.01 * (number % 3), 2),
                exit_code=int(broken),
            )
            metrics = training_metrics(scenario)
            ends = scenario.started.timestamp() + 50.0 * np.arange(1, scenario.steps + 1)
            evaluations = {evaluation.step: evaluation for evaluation in season(scenario)}
            yield scenario, demo_rows(metrics, ends, evaluations)

    return write_runs(out, sweep())


def main() -> None:
    demos = {scenario.id: scenario for scenario in (HEALTHY, COLLAPSED)}
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    what = parser.add_mutually_exclusive_group()
    what.add_argument("--only", choices=sorted(demos), help="write one of the demo runs")
    what.add_argument("--big", action="store_true", help="write the run of 20,000 steps and 100 metrics (demo-big)")
    what.add_argument("--sweep", type=int, metavar="N", help="write N runs of a sweep, lr-000 and on")
    what.add_argument("--walkthrough", action="store_true", help=f"write the published run {walkthrough.RUN_ID}")
    parser.add_argument(
        "--steps",
        type=int,
        default=20_000,
        help="length of the --big run, or of each run of --sweep (default %(default)s)",
    )
    parser.add_argument("--out", type=Path, help="folder to write to (default: the folder of this file)")
    options = parser.parse_args()
    if (options.big or options.walkthrough or options.sweep) and options.out is None:
        parser.error("--big, --sweep and --walkthrough are not part of the repository: name a folder with --out")
    out = options.out or HERE
    if options.big:
        written = write_big(out, options.steps)
    elif options.sweep:
        written = write_sweep(out, options.sweep, options.steps)
    elif options.walkthrough:
        written = write_walkthrough(out)
    else:
        chosen = [demos[options.only]] if options.only else demos.values()
        written = [path for scenario in chosen for path in write_demo(out, scenario)]
    for path in written:
        print(f"{path}  {path.stat().st_size / 1000:,.0f} kB")


if __name__ == "__main__":
    main()
