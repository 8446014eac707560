"""Is the record of a run sound, before any metric in it is believed?"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import pairwise
from typing import Any

import numpy as np
import numpy.typing as npt

from trainhealth.history import COVERAGES, Floats, Rows, RunRecord
from trainhealth.measurement import Measurement, Trace
from trainhealth.pace import step_times
from trainhealth.run import STEP, Run
from trainhealth.series import Series, firsts
from trainhealth.steps import COUNTER, ROW, StepAxis
from trainhealth.verdicts import Inconclusive, NotApplicable

STATES = ("finished", "running", "pending", "preempting", "preempted", "crashed", "failed", "killed", "unknown")
"""States of a run, as W&B spells them; and that of a log which records no end."""

MULTIPLE = 0.95
"""Share of distances between steps that must be whole multiples of the smallest usual one to tell a missing step."""

USUAL = 0.52
"""Share of distances that must be the smallest usual one itself."""

NEARLY_ALL = 0.9
"""Where so many are the usual one, the others may be of any size: a stretch of steps that was lost."""

FEW = 3
"""Distances of any size that are holes even where they hold more steps than the log does."""

TIED = 0.9
"""Share of a metric's steps that hold another one too, where one log call has both."""

AHEAD = 2
"""Steps that a sampler may be ahead of its trainer when both are stopped."""

LEARNER = ("kl", "grad_norm", "loss", "entropy", "value_loss", "policy_kl", "clip_fraction")
"""Metrics that an update of the policy has, whatever the environment does; an episode's end decides on a reward."""

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


def missing_steps(steps: StepAxis) -> Measurement:
    """Steps missing from the axis / steps that the smallest usual distance expects.

    Raises NotApplicable for an axis without a usual distance (episodes of variable length, several loggers, each with
    a distance of its own), or of row numbers.
    """
    _require_rows(steps)
    if steps.key == ROW:
        raise NotApplicable("the run logs no step, so a missing one cannot be told")
    distinct = steps.distinct
    if len(distinct) < 3:
        raise Inconclusive(f"{steps.key} has {len(distinct)} distinct steps, 3 are needed to see a gap")
    multiples, _ = _multiples(distinct)
    if multiples is None:
        raise NotApplicable(f"{steps.key} has no usual distance, so a missing step cannot be told")
    missing = multiples - 1
    widest = [at for at in np.argsort(-missing, kind="stable")[:3] if missing[at]]
    shown = [f"{distinct[at]:.15g} to {distinct[at + 1]:.15g}" for at in widest]
    return Measurement(
        float(missing.sum() / (missing.sum() + len(distinct))),
        unit="fraction",
        points=len(distinct),
        window="whole run",
        keys=(steps.key,),
        trace=Trace(distinct[:-1], missing, steps.key),
        detail=f"gaps: {', '.join(shown)}" if shown else "",
    )


def _multiples(steps: Floats, least: float = USUAL) -> tuple[Floats | None, float]:
    """(distances between `steps` as whole multiples of the usual one, or None if there is no such, the usual one).

    Steps that were lost one by one leave distances of a geometric distribution, and a stretch that was lost leaves a
    single long one. Distances with a heavier tail are those of episodes, or of several loggers on one axis; so are
    many long ones that hold more steps than the log. `least` is the share that must be the usual one.
    """
    gaps = np.diff(steps)
    usual = float(np.quantile(gaps, 0.1, method="nearest"))
    multiples = np.maximum(np.rint(gaps / usual), 1.0)
    if np.mean(np.abs(gaps / usual - multiples) < 0.1) < MULTIPLE or np.mean(multiples == 1) < least:
        return None, usual
    rest = np.sort(multiples)[: len(multiples) - min(FEW, len(multiples) // 3)]
    share, density = float(np.mean(rest == 1)), float(1 / np.mean(rest))
    dense = density >= 0.5 if share >= NEARLY_ALL else density >= 0.9 * share
    return (multiples if dense else None), usual


def coverage(steps: StepAxis, series: Sequence[Series], others: Sequence[Series] = (), ahead: int = 0) -> Measurement:
    """The lowest share of the steps at which a metric of `series` was due that has a value.

    A client that drops a NaN of half precision leaves nothing but the hole. Due is, from a metric's first value on,
    every step that has another metric, also of `others`, which usually stands beside it (`_by_companions`), and every
    step at its own usual distance until the end of the run (`_by_distance`; where the client counts rows, only of a
    metric beside which no other stands). What has neither, as a reward that is logged when an episode ends, cannot be
    judged; where that is one of `LEARNER`, the others do not stand for it, unless they have holes. `ahead` is the
    number of last steps that may lack a value, where a sampler logs in rows of its own, before its trainer does.

    Raises:
        NotApplicable: metrics are logged often, but when they are due cannot be told.
        Inconclusive: none is logged often enough.
    """
    beside = [one for one in (*series, *others) if len(np.unique(one.steps)) >= 3]
    often = [one for one in beside if one in series]
    if not often:
        raise Inconclusive("no metric is logged often enough to tell when it is due")
    shares: list[tuple[float, Series]] = []
    unknown: list[Series] = []
    for one in often if not one_by_one(steps, beside) else ():
        found = _by_companions(one, beside, ahead)
        if not (found and _counts_rows(steps)):
            found += _by_distance(one, steps, ahead)
        shares += [(share, one) for share in found]
        unknown += [] if found else [one]
    lowest, worst = min(shares, key=lambda share: share[0], default=(1.0, often[0]))
    when = f"when {', '.join(one.key for one in unknown or often)} is due cannot be told"
    if not shares or (lowest == 1 and any(one.name in LEARNER for one in unknown)):
        raise NotApplicable(f"{when}: at no usual distance, and beside no other metric of an update")
    rest = f"; {when}" if unknown else ""
    return worst.measurement(float(lowest), unit="fraction", detail=f"{worst.key} has the most holes{rest}")


def _by_companions(one: Series, beside: Sequence[Series], ahead: int) -> list[float]:
    """Shares of the steps of each other metric that stands at nearly all steps of this one.

    An update logs its metrics together, so one that has no rhythm among another's steps has holes. Between a reward and
    a metric of the update, that proves nothing: in some updates no episode ended, or in some episodes was no update;
    and only a few gaps are holes between those that are not even named alike.
    """
    held = np.unique(one.steps)
    shares = []
    for other in beside:
        there = np.unique(other.steps)
        update = one.name in LEARNER and other.name in LEARNER
        if other is one or np.mean(np.isin(held, there)) < TIED:
            continue
        due = np.union1d(there[there >= held[0]], held)
        places = np.searchsorted(due, held).astype(np.float64)
        multiples, usual = _multiples(places, USUAL if one.name in LEARNER else NEARLY_ALL)
        if multiples is None and update:
            multiples, usual = np.diff(places), 1.0
        alike = update or _group(other) == _group(one)
        if multiples is not None and (alike or np.count_nonzero(multiples > 1) <= FEW):
            shares.append(_share(multiples, (len(due) - 1 - places[-1]) / usual, 0 if update else ahead))
    return shares


def _by_distance(one: Series, steps: StepAxis, ahead: int) -> list[float]:
    """The share of the steps at a metric's own usual distance, if it has one.

    Where the client counts rows because the trainer gives no step, many gaps are rows of something else, and only a few
    are holes.
    """
    held = np.unique(one.steps)
    multiples, usual = _multiples(held, USUAL if one.name in LEARNER else NEARLY_ALL)
    if multiples is None or steps.key == ROW or (_counts_rows(steps) and np.count_nonzero(multiples > 1) > FEW):
        return []
    return [_share(multiples, (steps.last - held[-1]) / usual, ahead)]


def _share(multiples: Floats, tail: float, ahead: int) -> float:
    """Points / due ones; `multiples` are the distances between the points, and `tail` that to the end."""
    lacking = max(np.floor(tail + 1e-6) - ahead, 0.0)
    return float((len(multiples) + 1) / (1 + np.sum(multiples) + lacking))


def _group(one: Series) -> str:
    """What stands before the last part of a metric's key: ``train`` of ``train/loss``."""
    return one.key.rpartition("/")[0]


def _counts_rows(steps: StepAxis) -> bool:
    """Whether the axis is that of a client which counts rows, as the trainer gives no step."""
    return steps.key == COUNTER and steps.stride == 1


def one_by_one(steps: StepAxis, series: Sequence[Series]) -> bool:
    """Whether each metric follows another in rows of its own, as where event files are uploaded tag by tag: then
    neither a row nor the client's row counter is a step that they share."""
    spans = sorted((float(one.steps.min()), float(one.steps.max())) for one in series if len(one))
    apart = all(end < begin for (_, end), (begin, _) in pairwise(spans))
    return steps.key in (COUNTER, ROW) and len(spans) > 1 and apart


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


def non_finite(run: Run, *names: str) -> Measurement:
    """Number of NaN and infinite points of the metrics `names`, under any of their keys; names the first of each."""
    logged = run.keys_of(*names)
    if not logged:
        raise Inconclusive(f"the run logs none of {', '.join(names)}")
    history, of_row = run.record.history, run.steps.of_row
    found = {key: history.non_finite[key] for key in logged if key in history.non_finite}
    steps = np.array([of_row[row] for _, row in found.values()], dtype=np.float64)
    shown = [
        f"{key}: {count}, first at step {step:.15g}"
        for (key, (count, _)), step in zip(found.items(), steps, strict=True)
    ]
    return Measurement(
        float(sum(count for count, _ in found.values())),
        unit="values",
        points=sum(history.counts[key] for key in logged),
        window="whole run",
        keys=tuple(found) or tuple(logged),
        trace=Trace(steps, np.full(len(steps), np.nan), run.steps.key),
        where=firsts(zip(steps.tolist(), found, strict=True)),
        detail="; ".join(shown[:8]),
    )


def _require_rows(steps: StepAxis) -> None:
    if not len(steps.of_row):
        raise Inconclusive("the run has no history rows")
