"""Judging a run in this process, check by check, without a pytest session of its own: fast enough for properties."""

from __future__ import annotations

import importlib.util
import inspect
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import cache
from pathlib import Path
from types import ModuleType
from typing import Any

from synthetic import ROOT

from trainhealth.errors import TrainhealthError
from trainhealth.events import EventAggregates
from trainhealth.judge import Judge
from trainhealth.run import Run
from trainhealth.thresholds import Thresholds, load
from trainhealth.verdicts import Inconclusive, Judgement, NotApplicable, RunVerdict, judge_run


@cache
def checks(subject: str = "run") -> dict[str, Callable[..., None]]:
    """Criterion id -> the check of a run, or of its `events`, that judges it."""
    found: dict[str, Callable[..., None]] = {}
    for file in sorted((ROOT / "checks").glob("*/test_*.py")):
        for name, function in inspect.getmembers(_module(file), inspect.isfunction):
            if name.startswith("test_") and list(inspect.signature(function).parameters) == [subject, "criterion"]:
                found[f"{file.parent.name}.{name.removeprefix('test_')}"] = function
    return found


def judgements(run: Run, *ids: str) -> Iterator[Judgement]:
    """What the checks (all, or those of `ids`) say of `run`."""
    return _judged(run, checks(), run.thresholds, run.label, ids)


def event_judgements(events: EventAggregates, *ids: str) -> Iterator[Judgement]:
    """What the checks (all, or those of `ids`) say of a run's events."""
    return _judged(events, checks("events"), load(ROOT / "thresholds.yaml"), "run", ids)


def _judged(
    subject: object, checks: Mapping[str, Callable[..., None]], thresholds: Thresholds, label: str, ids: Sequence[str]
) -> Iterator[Judgement]:
    for id_, check in checks.items():
        if ids and id_ not in ids:
            continue
        criterion = thresholds.criteria[id_]
        judge = Judge(subject.criterion(criterion) if isinstance(subject, Run) else criterion, label)
        try:
            check(subject, judge)
        except (Inconclusive, NotApplicable, TrainhealthError) as error:
            yield judge.undecided(error)
        else:
            assert judge.judgement is not None, id_
            yield judge.judgement


def verdict(run: Run) -> RunVerdict:
    return judge_run(run.summary(), judgements(run))


def _module(file: Path) -> ModuleType:
    spec: Any = importlib.util.spec_from_file_location(f"checks_{file.parent.name}_{file.stem}", file)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module
