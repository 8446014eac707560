"""Change over a run, with an interval that respects autocorrelation.

Consecutive training steps are not independent. On AR(1) series of equal mean (phi 0.9, 200 steps) a t-test at 5 %
calls two of three a change. Here the variance of a mean is inflated by (1 + r) / (1 - r), r the lag-1
autocorrelation (Bartlett's formula for an AR(1) process).
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from statistics import NormalDist

import numpy as np

from trainhealth.history import Floats
from trainhealth.measurement import Measurement, Trace
from trainhealth.series import Series
from trainhealth.verdicts import Inconclusive

CONFIDENCE = 0.95
"""Of the two-sided intervals."""

SHARE = 5
"""First and last fifth of a series are compared: early enough to see a steep start, long enough to average."""

MIN_POINTS = 10
"""Fewest points on either side of a comparison."""


EARLY = 20
"""Points that say what a metric was like when the run began."""


@dataclass(frozen=True, slots=True)
class Difference:
    """Difference of two means with its standard error and degrees of freedom."""

    value: float
    error: float
    freedom: float


def difference(early: Floats, late: Floats) -> Difference:
    """Mean of `late` minus mean of `early`, two stretches of one AR(1) process of equal length, 10 values or more.

    Noise and autocorrelation are estimated from what is left of both stretches once a straight line is taken out of
    each, so that a rise within a stretch is not mistaken for noise.
    """
    side = len(early)
    rest = [_detrended(early), _detrended(late)]
    power = float(sum(one @ one for one in rest))
    value = float(late.mean() - early.mean())
    if power == 0.0:
        return Difference(value, 0.0, 2.0 * side - 2)
    r = float(sum(one[1:] @ one[:-1] for one in rest)) / power
    r = min(max(r + (2 + 4 * r) / side, 0.0), 0.98)  # detrending biases the estimate by about -(2 + 4r) / side
    independent = max(side * (1 - r) / (1 + r), 2.0)
    variance = power / (2 * side - 4) / max(1 - 2 / independent, 0.25)
    return Difference(value, math.sqrt(2 * variance / independent), max(2 * independent - 2, 3.0))


def _detrended(values: Floats) -> Floats:
    at = np.arange(len(values)) - (len(values) - 1) / 2
    centred: Floats = values - values.mean()
    rest: Floats = centred - at * ((at @ centred) / (at @ at))
    # What rounding leaves of an exact line is no noise.
    return np.where(np.abs(rest) > 1e-12 * max(float(np.abs(values).max()), 1e-300), rest, 0.0)


def student_quantile(p: float, freedom: float) -> float:
    """Quantile of Student's t, by the expansion of Abramowitz and Stegun 26.7.5; within 1 % from 3 degrees on."""
    z = NormalDist().inv_cdf(p)
    terms = (
        (z**3 + z) / 4,
        (5 * z**5 + 16 * z**3 + 3 * z) / 96,
        (3 * z**7 + 19 * z**5 + 17 * z**3 - 15 * z) / 384,
        (79 * z**9 + 776 * z**7 + 1482 * z**5 - 1920 * z**3 - 945 * z) / 92160,
    )
    return z + sum(term / freedom**power for power, term in enumerate(terms, start=1))


def change(series: Series) -> Measurement:
    """Mean of the last fifth minus mean of the first, in standard deviations of one step, with a 95 % interval.

    The unit is free of the reward's scale. Raises Inconclusive for a constant series or too few points.
    """
    values = series.finite
    side = max(len(values) // SHARE, MIN_POINTS)
    if len(values) < 2 * side:
        raise Inconclusive(f"{series.key} has {len(values)} finite points, {2 * side} are needed to see a change")
    early, late = values[:side], values[-side:]
    spread = math.sqrt((early.var() + late.var()) / 2)
    if spread == 0.0:
        if early[0] == late[0]:
            raise Inconclusive(f"{series.key} is constant at {early[0]:.6g}: there is nothing to learn from")
        spread = abs(float(late[0] - early[0]))
    found = difference(early, late)
    effect = found.value / spread
    margin = student_quantile((1 + CONFIDENCE) / 2, found.freedom) * found.error / spread
    return series.measurement(
        effect,
        unit="sd",
        interval=(effect - margin, effect + margin),
        detail=f"mean {early.mean():.4g} over the first {side} points, {late.mean():.4g} over the last {side}",
    )


def early_drop(series: Series) -> Measurement:
    """How far the series surely fell from where it started, as a fraction of its starting level.

    Start: mean of the first 3 points. Low: the lowest mean of 3 consecutive points. Two standard errors of that
    difference are given back, so that noise is no drop. Where the start is about 0, one standard deviation is the scale.
    """
    width = 3
    values = series.finite
    if len(values) < 2 * width:
        raise Inconclusive(f"{series.key} has {len(values)} finite points, {2 * width} are needed to see a drop")
    means = np.convolve(values, np.full(width, 1 / width), mode="valid")
    low = int(np.argmin(means))
    noise = float(np.std(np.diff(values))) / math.sqrt(2)
    fall = min(float(means[low] - means[0]) + 2 * noise * math.sqrt(2 / width), 0.0)
    scale = max(abs(float(means[0])), noise)
    steps = series.steps[np.isfinite(series.values)]
    return series.measurement(
        fall / scale if scale else 0.0,
        unit="fraction",
        trace=Trace(steps[low : low + width], values[low : low + width], series.axis),
        detail=f"from {means[0]:.4g} to {means[low]:.4g}",
    )


def level(series: Series, since: Series) -> Measurement:
    """Median of `series`, with the median over the first 20 finite points of `since` to be a multiple of."""
    start = since.finite[:EARLY]
    return series.measurement(
        float(np.median(series.finite)) if len(series.finite) else math.nan,
        reference=float(np.median(start)) if len(start) else math.nan,
        reference_name=f"its median over the first {len(start)} points",
    )
