"""Is the record of a run sound, before any metric in it is believed?"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from trainhealth.history import RunRecord
from trainhealth.measurement import Measurement, Trace
from trainhealth.run import Run
from trainhealth.series import Series
from trainhealth.steps import StepAxis
from trainhealth.verdicts import Inconclusive, NotApplicable

REGULAR = 0.8
"""Share of steps that must lie at (about) the usual stride before a longer one is called a gap."""


def state(record: RunRecord) -> Measurement:
    """The run's state, a word such as ``finished``. Raises Inconclusive for a run that says nothing at all."""
    if record.exit_code is None and not record.history.length:
        raise Inconclusive("the run has no history rows and recorded no exit")
    code = "" if record.exit_code is None else f"exit code {record.exit_code}"
    if record.exit_code is None and record.state != "finished":
        code = "no exit was recorded"
    return Measurement(record.state, points=1, detail=code)


def completion(steps: StepAxis, total: Any, run_state: str) -> Measurement:
    """Last training step / configured number of steps."""
    _require_rows(steps)
    if run_state == "running":
        raise NotApplicable(f"the run is still going, at step {steps.last:.15g}")
    if isinstance(total, bool) or not isinstance(total, int | float) or total <= 0:
        raise NotApplicable("the run's config names no total number of steps")
    # A trainer that counts from 0 ends at total - 1.
    done = steps.last + (steps.stride if steps.first == 0 and steps.last < total else 0.0)
    return Measurement(
        done / total,
        unit="fraction",
        points=len(steps.logged),
        window="whole run",
        keys=(steps.key,),
        detail=f"step {steps.last:.15g} of {total:.15g}",
    )


def completeness(record: RunRecord) -> Measurement:
    """Whether all rows that the run says it logged are in its history: ``complete``, ``incomplete``, or ``open``.

    Open is the history of a run without an end, whose last rows are not written yet, or never were.
    """
    history = record.history
    if not history.length:
        raise Inconclusive("the run has no history rows")
    detail = f"{history.length} rows"
    if record.last_logged_step is not None:
        detail += f"; the run's summary ends at _step {record.last_logged_step}"
    value = "complete" if history.complete else "open" if record.exit_code is None else "incomplete"
    return Measurement(value, points=history.length, detail=detail)


def missing_steps(steps: StepAxis) -> Measurement:
    """Steps missing from the axis / steps that the usual stride expects.

    Raises NotApplicable for an axis without a usual stride (environment steps of variable length).
    """
    _require_rows(steps)
    distinct = steps.distinct
    if len(distinct) < 3:
        raise Inconclusive(f"{steps.key} has {len(distinct)} distinct steps, 3 are needed to see a gap")
    strides = np.diff(distinct) / steps.stride
    if np.mean(np.abs(strides - 1) < 0.5) < REGULAR:
        raise NotApplicable(f"{steps.key} has no usual stride, so a missing step cannot be told")
    missing = np.maximum(np.rint(strides) - 1, 0)
    gaps = [
        f"{distinct[at]:.15g} to {distinct[at + 1]:.15g}"
        for at in np.argsort(-missing, kind="stable")[:3]
        if missing[at]
    ]
    return Measurement(
        float(missing.sum() / (missing.sum() + len(distinct))),
        unit="fraction",
        points=len(distinct),
        window="whole run",
        keys=(steps.key,),
        trace=Trace(distinct[:-1], missing, steps.key),
        detail=f"gaps: {', '.join(gaps)}" if gaps else "",
    )


def repeated_steps(steps: StepAxis, series: Sequence[Series]) -> Measurement:
    """Steps at which one of `series` has two different values / all steps."""
    _require_rows(steps)
    repeated: set[float] = set()
    for one in series:
        order = np.argsort(one.steps, kind="stable")
        at, values = one.steps[order], one.values[order]
        differ = (values[1:] != values[:-1]) & ~(np.isnan(values[1:]) & np.isnan(values[:-1]))
        repeated.update(at[1:][(at[1:] == at[:-1]) & differ].tolist())
    ordered = np.array(sorted(repeated))
    total = max(len(steps.distinct), 1)
    shown = f"steps {ordered[0]:.15g} to {ordered[-1]:.15g}" if len(ordered) else ""
    return Measurement(
        len(ordered) / total,
        unit="fraction",
        points=total,
        window="whole run",
        keys=(steps.key,),
        trace=Trace(ordered, np.ones(len(ordered)), steps.key),
        detail=shown,
    )


def rows_per_step(steps: StepAxis) -> Measurement:
    """Median number of history rows per training step."""
    _require_rows(steps)
    rows = np.unique(steps.of_row, return_counts=True)[1]
    return Measurement(
        float(np.median(rows)),
        unit="rows",
        points=len(rows),
        window="whole run",
        keys=(steps.key,),
        detail=f"{len(steps.of_row)} rows for {len(rows)} steps",
    )


def steps_backwards(steps: StepAxis, segments: Sequence[int]) -> Measurement:
    """How often the step is lower than in the row before, where no new process began in between."""
    _require_rows(steps)
    falls = np.flatnonzero(np.diff(steps.logged) < 0) + 1
    starts = np.searchsorted(steps.logged_rows, np.asarray(segments))
    falls = falls[~np.isin(falls, starts)]
    return Measurement(
        float(len(falls)),
        unit="times",
        points=len(steps.logged),
        window="whole run",
        keys=(steps.key,),
        trace=Trace(steps.logged[falls - 1], np.diff(steps.logged)[falls - 1] * -1, steps.key),
    )


def uninstrumented(run: Run) -> Measurement:
    """Number of metrics that the run logs and that hold their logger's default at every point."""
    definitions = run.thresholds.metrics
    instrumentable = [s for s in run.logged(*definitions) if definitions[s.name].default_value is not None]
    if not instrumentable:
        raise Inconclusive("the run logs no metric whose logger's default is known")
    idle = [s.key for s in instrumentable if bool(np.all(s.values == definitions[s.name].default_value))]
    return Measurement(
        float(len(idle)),
        unit="metrics",
        points=len(instrumentable),
        window="whole run",
        keys=tuple(s.key for s in instrumentable),
        detail=", ".join(idle),
    )


def non_finite(series: Sequence[Series]) -> Measurement:
    """Number of NaN and infinite points in `series` together; the message names the first of each."""
    if not series:
        raise Inconclusive("the run logs none of loss, grad norm, KL, entropy and reward")
    found = []
    steps: list[float] = []
    values: list[float] = []
    for one in series:
        bad = np.flatnonzero(~np.isfinite(one.values))
        if len(bad):
            found.append(f"{one.key}: {len(bad)}, first at step {one.steps[bad[0]]:.15g}")
            steps.extend(one.steps[bad].tolist())
            values.extend(one.values[bad].tolist())
    return Measurement(
        float(len(steps)),
        unit="values",
        points=sum(len(one) for one in series),
        window="whole run",
        keys=tuple(one.key for one in series),
        trace=Trace(np.array(steps), np.array(values), series[0].axis),
        detail="; ".join(found),
    )


def _require_rows(steps: StepAxis) -> None:
    if not len(steps.of_row):
        raise Inconclusive("the run has no history rows")
