"""Where a metric stands when the run ends, beside where it started; and what makes that no matter of concern."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from trainhealth.ending import fell_at_the_end
from trainhealth.history import Floats
from trainhealth.measurement import Measurement
from trainhealth.run import Run
from trainhealth.series import Series, first_non_finite
from trainhealth.thresholds import Window
from trainhealth.trends import change, level
from trainhealth.verdicts import Inconclusive, NotApplicable

ZERO = 1e-12
"""Rewards closer to 0 than this are 0."""

COMPARED = Window("history", min_points=20)
"""What is needed to say that a reward rises or falls."""


def moves(series: Series) -> int:
    """1 where the series surely rises from its first fifth to its last, -1 where it surely falls, 0 where neither."""
    try:
        low, high = change(series.window(COMPARED)).interval or (0.0, 0.0)
    except Inconclusive:
        return 0
    return 1 if low > 0 else -1 if high < 0 else 0


def reward_moves(run: Run) -> int:
    """`moves` of the reward; 0 for a run that logs none, or whose reward rose and gave way when the run ended."""
    reward = next(iter(run.logged("reward")), None)
    if reward is None:
        return 0
    moved = moves(reward)
    return 0 if moved > 0 and fell_at_the_end(reward) else moved


def if_reward_rises(run: Run, meaning: str) -> str:
    """`meaning`, with that it does, where the reward surely rises; empty elsewhere."""
    return f"the reward rises: {meaning}" if reward_moves(run) > 0 else ""


def reference_kl(run: Run) -> Series:
    """The KL to the reference policy, a mean over tokens.

    Raises NotApplicable for a run that logs the sum over a completion instead, whose limits are others.
    """
    if not run.logged("kl") and run.logged("sequence_kl"):
        raise NotApplicable("the run logs the KL of whole completions: stability.sequence_kl has its limits")
    return run.metric("kl")


def either_kl(run: Run) -> Series:
    """The KL to the reference policy, over tokens or, where that is what the run logs, over completions."""
    whole = run.logged("sequence_kl") and not run.logged("kl")
    return run.metric("sequence_kl" if whole else "kl")


def kl_level(series: Series) -> Measurement:
    """Median without its sign: a KL far below 0 is a fault.

    Estimates of a KL scatter about it, but their median is not below 0: one that is does not pass either.
    """
    measured = series.magnitude().median()
    signed = float(np.median(series.finite)) if len(series.finite) else 0.0
    if signed >= 0:
        return measured
    return replace(measured, doubt=f"its median is {signed:.4g}, and no KL is below 0: it is another quantity, or 0")


def unless_reward_rises(run: Run, meaning: str) -> None:
    """Raise NotApplicable, with the `meaning` of it, where the reward surely rises."""
    if rises := if_reward_rises(run, meaning):
        raise NotApplicable(rises)


def in_use(series: Series, idle: float, meaning: str) -> Series:
    """The series. Raises NotApplicable, with the `meaning` of it, where every point is exactly `idle`."""
    if len(series) and bool(np.all(series.values == idle)):
        raise NotApplicable(f"{series.key} is {idle:g} at all {len(series)} points: {meaning}")
    return series


def asynchronous(run: Run) -> bool:
    """Whether the run says that some of its training data was made by an older policy."""
    return any(bool(np.any(one.values > 0)) for one in run.logged("staleness", "stale_samples"))


def growth(series: Series, window: Window) -> Measurement:
    """Median over `window`, beside the median of the run's first points.

    Raises Inconclusive for a metric that is 0 throughout.
    """
    if len(series.finite) and not series.finite.any():
        raise Inconclusive(f"{series.key} is 0 at all {len(series)} points: there is nothing to compare with")
    return level(series.window(window), since=series)


def entropy(run: Run) -> Series:
    """The entropy of a policy over tokens or other discrete actions.

    Raises NotApplicable for that of a density, of which half or double mean nothing: the actions have a standard
    deviation, or the entropy goes below 0.
    """
    series = run.metric("entropy")
    if std := run.logged("action_std"):
        raise NotApplicable(f"the policy is continuous ({std[0].key}): its entropy has no scale of its own")
    if len(series.finite) and series.finite.min() < 0:
        raise NotApplicable(f"{series.key} goes below 0: a continuous policy's entropy has no scale of its own")
    return series


def off_ratio(series: Series) -> Series:
    """How many times too large or too small each ratio is: 1.25 for 1.25 and for 0.8; infinite at 0 and below."""
    with np.errstate(divide="ignore", invalid="ignore"):
        folded: Floats = np.where(series.values > 0, np.maximum(series.values, 1 / series.values), np.inf)
    return replace(series, values=np.where(np.isnan(series.values), np.nan, folded))


def mean_of(series: Series, unit: str = "fraction") -> Measurement:
    """Mean of the finite values, a fraction."""
    return replace(series.mean(), unit=unit)


def rewards(run: Run) -> tuple[list[Series], list[Series]]:
    """(format rewards, task rewards): the parts that the reward is logged in.

    Raises NotApplicable for a run that logs its reward in one piece.
    """
    parts = run.family("reward_parts")
    if len(parts) < 2:
        raise NotApplicable("the run does not log its reward in parts")
    formats = run.metrics["format_reward"].aliases if "format_reward" in run.metrics else ()
    form = [one for one in parts if any(alias.matches(one.key) for alias in formats)]
    rest = [one for one in parts if one not in form]
    likely = run.metrics["likely_format_reward"].aliases if "likely_format_reward" in run.metrics else ()
    task = [one for one in rest if not any(alias.matches(one.key) for alias in likely)]
    return ([one for one in parts if one not in task], task) if task else (form, rest)


def alive(parts: list[Series], window: Window) -> Measurement:
    """The largest share of points at which one of `parts` is not 0: of rewards that are always 0, nothing is learned.

    Raises NotApplicable where there are none.
    """
    if not parts:
        raise NotApplicable("all parts of the reward are for the format")
    found = [one.window(window) for one in parts]
    shares = [float(np.mean(np.abs(one.values) > ZERO)) for one in found]
    best = found[int(np.argmax(shares))]
    return _of_all(best.measurement(max(shares), unit="fraction"), found)


def best_change(parts: list[Series], window: Window) -> Measurement:
    """The change (`trends.change`) of the one of `parts` that most surely rises.

    Its interval is that of the largest true change among them: at its lower end corrected for the choice, at its
    upper end the highest of all, as a fall is sure only where every part surely falls.

    Raises Inconclusive where none of them moves, or has points enough.
    """
    found = []
    reasons = []
    for one in parts:
        try:
            found.append(change(one.window(window), chosen_from=len(parts)))
        except Inconclusive as reason:
            reasons.append(str(reason))
    if not found:
        raise Inconclusive("; ".join(reasons))
    intervals = [one.interval for one in found if one.interval is not None]
    surest = max(found, key=lambda one: one.interval[0] if one.interval else -np.inf)
    widest = (max(low for low, _ in intervals), max(high for _, high in intervals))
    among = f"; the surest rise among {len(parts)} parts" if len(parts) > 1 else ""
    lost = sum(len(one) - len(one.finite) for one in parts)
    return replace(
        surest, interval=widest, non_finite=lost, where=first_non_finite(*parts), detail=surest.detail + among
    )


def dominance(parts: list[Series], window: Window) -> Measurement:
    """Share of the largest part in the sum of all, each by the size of its mean over `window`.

    Raises Inconclusive where all parts are 0.
    """
    found = [one.window(window) for one in parts]
    sizes = [abs(float(np.mean(one.finite))) if len(one.finite) else 0.0 for one in found]
    if sum(sizes) <= ZERO:
        raise Inconclusive("all parts of the reward are 0")
    largest = found[int(np.argmax(sizes))]
    return _of_all(
        largest.measurement(
            max(sizes) / sum(sizes), unit="fraction", detail=f"{largest.key} is the largest of {len(found)} parts"
        ),
        found,
    )


def _of_all(measured: Measurement, parts: list[Series]) -> Measurement:
    """`measured` of one of `parts`, chosen for its values: a NaN in any of them could have hidden another choice."""
    lost = sum(len(one) - len(one.finite) for one in parts)
    return replace(measured, keys=tuple(one.key for one in parts), non_finite=lost, where=first_non_finite(*parts))
