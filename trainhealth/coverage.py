"""What was due, and is not there: steps of a run, and values of its metrics.

A client that drops a NaN of half precision leaves nothing but a hole. Whether there is one can be told where metrics
have a rhythm, or stand beside others; where it cannot be told, nothing here says that all is well.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

import numpy as np

from trainhealth.history import Floats
from trainhealth.measurement import Measurement, Trace
from trainhealth.series import Series
from trainhealth.steps import COUNTER, ROW, StepAxis
from trainhealth.verdicts import Inconclusive, NotApplicable

UPDATE = ("kl", "kl_max", "sequence_kl", "grad_norm", "loss", "entropy", "value_loss", "policy_kl", "clip_fraction")
"""Metrics that an update of the policy has, whatever the environment does."""

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


def missing_steps(steps: StepAxis) -> Measurement:
    """Steps missing from the axis / steps that the smallest usual distance expects.

    Raises:
        NotApplicable: an axis without a usual distance (episodes of variable length, several loggers, each with a
            distance of its own), or of row numbers.
        Inconclusive: fewer than 3 steps, or many long gaps of different lengths in a regular axis.
    """
    if not len(steps.of_row):
        raise Inconclusive("the run has no history rows")
    if steps.key == ROW:
        raise NotApplicable("the run logs no step, so a missing one cannot be told")
    distinct = steps.distinct
    if len(distinct) < 3:
        raise Inconclusive(f"{steps.key} has {len(distinct)} distinct steps, 3 are needed to see a gap")
    multiples, usual = _multiples(distinct)
    if multiples is None:
        gaps = np.rint(np.diff(distinct) / usual)
        if np.mean(gaps == 1) >= NEARLY_ALL and len(np.unique(gaps[gaps > 1])) > FEW:
            raise Inconclusive(
                f"{steps.key} goes by {usual:.15g}, and has {np.count_nonzero(gaps > 1)} gaps of different lengths "
                "that hold more steps than the run logged: whether it logs by fits and starts, or steps were lost, "
                "cannot be told"
            )
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


def coverage(
    steps: StepAxis,
    series: Sequence[Series],
    others: Sequence[Series] = (),
    *,
    episodic: bool | None = None,
    ahead: int = 0,
) -> Measurement:
    """The lowest share of the steps at which a metric of `series` was due that has a value.

    Due is, from a metric's first value on, every step that has another metric, also of `others`, which usually stands
    beside it, and every step at its own usual distance until the end of the run. Where the client counts rows, that
    distance counts only for a metric beside which no other stands. The metrics of an update are logged together, and
    the reward with them where it is not `episodic`: then its steps are those at which an episode ended (None: not
    known). `ahead` is the number of last steps at which only a reward may stand, where a sampler logs it in rows of its
    own.

    Raises:
        NotApplicable: when they are due cannot be told, as rewards are `episodic`, or all were uploaded one by one.
        Inconclusive: it cannot be told, and rewards are not `episodic` as far as is known; or none is logged often.
    """
    beside = [one for one in (*series, *others) if len(np.unique(one.steps)) >= 3]
    often = [one for one in beside if one in series]
    if not often:
        raise Inconclusive("no metric is logged often enough to tell when it is due")
    if one_by_one(steps, beside):
        raise NotApplicable("the metrics were logged one after another, so when they are due cannot be told")
    together = UPDATE if episodic is not False else (*UPDATE, "reward")
    shares: list[tuple[float, Series]] = []
    unknown: list[Series] = []
    for one in often:
        found = [_beside(one, other, together, ahead) for other in beside if other is not one]
        known = [share for share in found if share is not None]
        if not (known and _counts_rows(steps)):
            known += _by_distance(one, steps, together, ahead)
        if not known and _stands_everywhere(one.steps, steps):
            known = [1.0]
        shares += [(share, one) for share in known]
        unknown += [] if known else [one]
    lowest, worst = min(shares, key=lambda share: share[0], default=(1.0, often[0]))
    update = [one for one in often if one.name in together]
    if lowest == 1 and not unknown and episodic is not True and not _has_rhythm(update, steps):
        unknown = update  # which vouch for each other, and for nothing that they lost together
    when = f"when {', '.join(one.key for one in unknown)} is due cannot be told"
    # A hole that is seen is one, whatever cannot be told of the others.
    if unknown and lowest == 1:
        if episodic is not True:
            named = "" if episodic is False else "; if rewards are logged as episodes end, name a trainer (--trainer)"
            raise Inconclusive(f"{when}: at no usual distance, and beside no other metric of an update{named}")
        if not shares or any(one.name in together for one in unknown):
            raise NotApplicable(f"{when}: at no usual distance, and beside no other metric of an update")
    said = [f"{worst.key} has the most holes"] if lowest < 1 else []
    return worst.measurement(float(lowest), unit="fraction", detail="; ".join([*said, *([when] if unknown else [])]))


def one_by_one(steps: StepAxis, series: Sequence[Series]) -> bool:
    """Whether each of three metrics or more follows another in rows of its own, as where event files are uploaded tag
    by tag: then neither a row nor the client's row counter is a step that they share."""
    spans = sorted((float(one.steps.min()), float(one.steps.max())) for one in series if len(one))
    apart = all(end < begin for (_, end), (begin, _) in pairwise(spans))
    return steps.key in (COUNTER, ROW) and len(spans) > 2 and apart


def _beside(one: Series, other: Series, together: Sequence[str], ahead: int) -> float | None:
    """The share of the steps of `other` that hold `one` too, if it stands at nearly all steps of `one`.

    An update logs its metrics `together`, so one that has no rhythm among another's steps has holes. Between a reward
    that is none of them and a metric of the update, that proves nothing: in some updates no episode ended, or in some
    episodes was no update; and only a few gaps are holes between those that are not even named alike.
    """
    held, there = np.unique(one.steps), np.unique(other.steps)
    if np.mean(np.isin(held, there)) < TIED:
        return None
    due = np.union1d(there[there >= held[0]], held)
    places = np.searchsorted(due, held).astype(np.float64)
    of_update = one.name in together and other.name in together
    multiples, usual = _multiples(places, USUAL if one.name in together else NEARLY_ALL)
    if multiples is None and of_update:
        multiples, usual = np.diff(places), 1.0
    alike = of_update or one.key.rpartition("/")[0] == other.key.rpartition("/")[0]
    if multiples is None or not (alike or np.count_nonzero(multiples > 1) <= FEW):
        return None
    both_learn = of_update and "reward" not in (one.name, other.name)
    return _share(multiples, (len(due) - 1 - places[-1]) / usual, 0 if both_learn else ahead)


def _by_distance(one: Series, steps: StepAxis, together: Sequence[str], ahead: int) -> list[float]:
    """The share of the steps at a metric's own usual distance, if it has one.

    Where the client counts rows because the trainer gives no step, many gaps are rows of something else, and only a few
    are holes.
    """
    held = np.unique(one.steps)
    multiples, usual = _multiples(held, USUAL if one.name in together else NEARLY_ALL)
    if multiples is None or steps.key == ROW or (_counts_rows(steps) and np.count_nonzero(multiples > 1) > FEW):
        return []
    return [_share(multiples, (steps.last - held[-1]) / usual, ahead)]


def _has_rhythm(update: Sequence[Series], steps: StepAxis) -> bool:
    """Whether the steps of metrics that vouch for each other could show one that they lost together."""
    if not update:
        return True
    held = np.unique(np.concatenate([one.steps for one in update]))
    multiples, _ = _multiples(held)
    few = multiples is not None and (not _counts_rows(steps) or int(np.count_nonzero(multiples > 1)) <= FEW)
    return few or _stands_everywhere(held, steps)


def _stands_everywhere(held: Floats, steps: StepAxis) -> bool:
    """Whether nearly all steps of the run since the first of `held` are among them."""
    due = steps.distinct[steps.distinct >= held.min()]
    return float(np.mean(np.isin(due, held))) >= 0.99


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


def _share(multiples: Floats, tail: float, ahead: int) -> float:
    """Points / due ones; `multiples` are the distances between the points, and `tail` that to the end."""
    lacking = max(np.floor(tail + 1e-6) - ahead, 0.0)
    return float((len(multiples) + 1) / (1 + np.sum(multiples) + lacking))


def _counts_rows(steps: StepAxis) -> bool:
    """Whether the axis is that of a client which counts rows, as the trainer gives no step."""
    return steps.key == COUNTER and steps.stride == 1
