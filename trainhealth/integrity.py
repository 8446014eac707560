"""Is the record of a run sound, before any metric in it is believed?"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from trainhealth.coverage import one_by_one
from trainhealth.history import COVERAGES, Rows, RunRecord
from trainhealth.measurement import Measurement, Trace
from trainhealth.pace import step_times
from trainhealth.run import STEP, Run
from trainhealth.series import Series
from trainhealth.steps import COUNTER, ROW, StepAxis
from trainhealth.verdicts import Inconclusive, NotApplicable

STATES = ("finished", "running", "pending", "preempting", "preempted", "crashed", "failed", "killed", "unknown")
"""States of a run, as W&B spells them; and that of a log which records no end."""

REGULAR = 10
"""Points that a metric needs for its end to be noticed."""

CLOCKS = 60.0
"""Seconds by which the clocks of two machines may differ."""

BEAT = 60.0
"""Seconds within which the client tells a server that a run is alive, amply; no shorter step makes a run late."""

UNITS = 1.05
"""A run beyond this multiple of the configured number of steps counts something else."""


def state(record: RunRecord) -> Measurement:
    """The run's state, a word such as ``finished``. Raises Inconclusive for a run that says nothing at all."""
    if record.exit_code is None and not record.history.length:
        raise Inconclusive("the run has no history rows and recorded no exit")
    if record.state not in STATES:
        raise Inconclusive(f"the run is in a state that is not known: {record.state}")
    code = ""
    if record.exit_code is None:
        # A server tells the state that an exit code led to, but not the code.
        code = "" if record.state in ("finished", "failed", "killed") else "no exit was recorded"
    elif record.exit_code not in (0, 1):  # which say no more than the state
        code = f"exit code {record.exit_code}"
    return Measurement(record.state, vocabulary=STATES, points=1, detail=code, action=_never_ends(record))


def _never_ends(record: RunRecord) -> str:
    """What to do about an end that no record of this form would tell; waiting for it would not help."""
    if record.ends or record.state != "unknown":
        return ""
    return (
        "A record of this form never says whether its run has ended, or whether its last rows are there. What proves "
        "both: the .wandb file, the run on its server, an MLflow database, or the Trainer's last trainer_state.json "
        "(docs/sources.md)."
    )


def completion(steps: StepAxis, configured: Mapping[str, Any], run_state: str) -> Measurement:
    """Last training step / number of steps in the config, the first positive one of `configured` (key -> value).

    Raises:
        NotApplicable: the run is going on, or the config names no number of steps, or one of another unit.
        Inconclusive: the run logs no training step to compare with, and stopped short by its row counter.
    """
    _require_rows(steps)
    if run_state == "running":
        raise NotApplicable(f"the run is still going, at step {steps.last:.15g}")
    totals = {
        key: one for key, one in configured.items() if isinstance(one, int | float) and one is not True and one > 0
    }
    if not totals:
        raise NotApplicable("the run's config names no total number of steps")
    key, total = next(iter(totals.items()))
    # A trainer that counts from 0 ends at total - 1.
    done = (steps.last + (steps.stride if steps.first == 0 and steps.last < total else 0.0)) / total
    if done > UNITS:
        raise NotApplicable(
            f"{key} = {total:.15g} in the config counts something else: the run is at {steps.last:.15g}"
        )
    if done < 0.95 and steps.key in (COUNTER, ROW) and run_state == "finished":
        raise Inconclusive(f"the run logs no training step to hold against {key} = {total:.15g} in its config")
    if done < 0.95 and run_state == "unknown":
        raise Inconclusive(
            f"the log ends at step {steps.last:.15g} of {total:.15g} ({key}), and does not say whether the run has"
        )
    return Measurement(
        done,
        unit="fraction",
        points=len(steps.logged),
        window="whole run",
        keys=(steps.key,),
        detail=f"step {steps.last:.15g} of {total:.15g} ({key})",
    )


def completeness(record: RunRecord) -> Measurement:
    """How much of what the run logged is in its history, a word of `COVERAGES`."""
    history = record.history
    if not history.length:
        raise Inconclusive("the run has no history rows")
    detail = f"{history.length} rows"
    if record.last_logged_step is not None:
        detail += f"; the run's summary ends at _step {record.last_logged_step}"
    action = _never_ends(record) if history.coverage == "open" else ""
    return Measurement(history.coverage, vocabulary=COVERAGES, points=history.length, detail=detail, action=action)


def repeated_steps(steps: StepAxis, series: Sequence[Series]) -> Measurement:
    """Steps that one of `series` came back to with another value / all steps.

    Several values in a row for one step (minibatches, several log calls) are no repetition: `rows_per_step` sees them.
    """
    _require_rows(steps)
    repeated: set[float] = set()
    for one in series:
        begins = np.flatnonzero(np.diff(one.steps, prepend=np.nan))
        at, values = one.steps[begins], one.values[begins]
        order = np.argsort(at, kind="stable")
        at, values = at[order], values[order]
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


def rows_per_step(steps: StepAxis, rows: Rows) -> Measurement:
    """Median number of `rows`, those that hold a metric, per training step."""
    _require_rows(steps)
    counts = np.unique(steps.of_row[rows], return_counts=True)[1]
    return Measurement(
        float(np.median(counts)),
        unit="rows",
        points=len(counts),
        window="whole run",
        keys=(steps.key,),
        detail=f"{len(rows)} rows for {len(counts)} steps",
    )


def steps_backwards(steps: StepAxis, segments: Sequence[int], rows_of: Sequence[Rows] = ()) -> Measurement:
    """Share of rows whose step is lower than in the row before, where no new process began in between.

    Where several processes log by turns, `rows_of` are the rows of each metric: each has its own order of steps, and
    the one that goes back most is measured.
    """
    _require_rows(steps)
    worst = max(
        (_falls(steps, rows, segments) for rows in rows_of or (steps.logged_rows.astype(np.uint32),)),
        key=lambda found: len(found[0]) / max(found[1], 1),
    )
    falls, points = worst
    return Measurement(
        len(falls) / max(points, 1),
        unit="fraction",
        points=points,
        window="whole run",
        keys=(steps.key,),
        trace=Trace(steps.of_row[falls[:, 0]], steps.of_row[falls[:, 0]] - steps.of_row[falls[:, 1]], steps.key),
        detail=f"{len(falls)} times" if len(falls) else "",
    )


def _falls(steps: StepAxis, rows: Rows, segments: Sequence[int]) -> tuple[npt.NDArray[np.intp], int]:
    """(pairs of neighbours among `rows`, of one session, where the step falls, shape (falls, 2); number of rows)."""
    pairs = np.column_stack([rows[:-1], rows[1:]]).astype(np.intp)
    session = np.searchsorted(np.asarray(segments), pairs, side="right")
    falls = (steps.of_row[pairs[:, 1]] < steps.of_row[pairs[:, 0]]) & (session[:, 0] == session[:, 1])
    return pairs[falls], len(rows)


def vanished(run: Run) -> Measurement:
    """Number of metrics that were logged regularly, and no longer when the run ended.

    A client before 0.28.1 leaves out a NaN of half precision, so a metric that diverges shows as one that stops.
    """
    _require_rows(run.steps)
    series = [one for one in run.logged(*run.metrics) if one.name != STEP and len(one) >= REGULAR]
    if not series:
        raise Inconclusive(f"no metric is logged at {REGULAR} steps or more")
    if one_by_one(run.steps, series):
        raise NotApplicable(f"the metrics were logged one after another, so {run.steps.key} is no step that they share")
    stopped = [(one, reason) for one in series if (reason := one.stopped())]
    return Measurement(
        float(len(stopped)),
        unit="metrics",
        points=len(series),
        window="whole run",
        keys=tuple(one.key for one, _ in stopped) or tuple(one.key for one in series),
        detail="; ".join(reason for _, reason in stopped[:8]),
    )


def concurrent_sessions(record: RunRecord) -> Measurement:
    """Number of sessions that began before an earlier one of the same run had ended: two writers share its id.

    Raises:
        NotApplicable: the history is of one session, or was put together by a server.
        Inconclusive: the rows have no times.
    """
    starts = record.history.segments[1:]
    if not starts:
        raise NotApplicable("the history is of one session")
    times = record.history.columns.get("_timestamp")
    if times is None:
        raise Inconclusive("the rows have no times (_timestamp)")
    overlaps = [
        start
        for start in starts
        if len(before := times.values[times.rows < start])
        and len(after := times.values[times.rows >= start])
        and float(after[0]) < float(np.max(before)) - CLOCKS
    ]
    return Measurement(
        float(len(overlaps)),
        unit="sessions",
        points=len(starts) + 1,
        window="whole run",
        keys=("_timestamp",),
        detail=f"from row {', '.join(map(str, overlaps[:8]))}" if overlaps else "",
    )


def heartbeat(run: Run, now: float) -> Measurement:
    """Seconds from the run's last sign of life to `now`, beside its usual step time, or a minute where that is shorter.

    Raises:
        NotApplicable: the run is not going on.
        Inconclusive: it gave no sign of life.
    """
    record = run.record
    if record.state != "running":
        raise NotApplicable(f"the run is not known to be going on: it is {record.state}")
    if record.heartbeat is None:
        raise Inconclusive("the run gave no sign of life that can be dated")
    times = step_times(run)
    usual = float(np.median(times.finite)) if len(times.finite) else BEAT
    return Measurement(
        max(now - record.heartbeat, 0.0),
        unit="s",
        reference=max(usual, BEAT),
        reference_name="its usual step time" if usual > BEAT else "a minute, longer than its usual step time",
        points=len(times),
        window="now",
        keys=(times.key,),
    )


def uninstrumented(run: Run) -> Measurement:
    """Number of metrics that the run logs and that hold their logger's default at every point."""
    definitions = run.metrics
    instrumentable = [s for s in run.logged(*definitions) if definitions[s.name].default_value is not None]
    if not instrumentable:
        raise NotApplicable("the run logs no metric whose logger's default is known")
    idle = [s.key for s in instrumentable if bool(np.all(s.values == definitions[s.name].default_value))]
    return Measurement(
        float(len(idle)),
        unit="metrics",
        points=len(instrumentable),
        window="whole run",
        keys=tuple(s.key for s in instrumentable),
        detail=", ".join(idle),
    )


def _require_rows(steps: StepAxis) -> None:
    if not len(steps.of_row):
        raise Inconclusive("the run has no history rows")
