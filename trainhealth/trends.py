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

DEGREE = 2
"""Of the curve that is taken out of either side before its noise is measured."""

MIN_POINTS = 10
"""Fewest points on either side of a comparison."""


AUTOCORRELATED = 2.0
"""Second differences understate the noise of an AR(1) series, by sqrt(6 / (6 - 8 phi + 2 phi^2)): 1.5 at phi = 0.5."""

EARLY = 20
"""Points that say what a metric was like when the run began."""


@dataclass(frozen=True, slots=True)
class Difference:
    """Difference of two means with its standard error and degrees of freedom; `noise` is the deviation of one value."""

    value: float
    error: float
    freedom: float
    noise: float


def difference(early: Floats, late: Floats) -> Difference:
    """Mean of `late` minus mean of `early`, two stretches of 5 values or more whose noise is an AR(1) process each.

    Noise and autocorrelation are estimated from what is left of a stretch once a parabola is taken out of it, so that
    a rise, or a dip, within the stretch is not mistaken for noise. Degrees of freedom: Welch and Satterthwaite.
    """
    value = float(late.mean() - early.mean())
    sides = (_noise(early), _noise(late))
    of_mean = [
        # Estimated from few independent values, the variance comes out too small.
        variance / max(1 - (DEGREE + 1) / independent, 0.25) / independent
        for variance, independent in sides
    ]
    total = sum(of_mean)
    if total == 0.0:
        return Difference(value, 0.0, float(len(early) + len(late) - 2), 0.0)
    freedom = total**2 / sum(part**2 / max(side[1] - 1, 1.0) for part, side in zip(of_mean, sides, strict=True))
    noise = math.sqrt(sum(variance for variance, _ in sides) / 2)
    return Difference(value, math.sqrt(total), max(freedom, 3.0), noise)


def _noise(values: Floats) -> tuple[float, float]:
    """(variance of one value, number of independent values that the autocorrelated ones are worth)."""
    n, fitted = len(values), DEGREE + 1
    basis = np.linalg.qr(np.vander(np.linspace(-1, 1, n), fitted))[0]
    rest = values - basis @ (basis.T @ values)
    power = float(rest @ rest)
    if power <= n * (1e-12 * float(np.abs(values).max())) ** 2:  # what rounding leaves of an exact curve
        return 0.0, float(n)
    r = float(rest[1:] @ rest[:-1]) / power
    r = min(max(r + fitted * (1 + 2 * r) / n, 0.0), 0.98)  # every fitted term biases the estimate by -(1 + 2r) / n
    independent = max(n * (1 - r) / (1 + r), 2.0)
    return power / (n - fitted), independent


def spread(values: Floats) -> float:
    """Standard deviation of one of `values` about a parabola through them, widened for few independent ones."""
    variance, independent = _noise(values)
    return math.sqrt(variance / max(1 - (DEGREE + 1) / independent, 0.25))


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
    values, side = _sided(series)
    return _compared(series, values[:side], values[-side:], "first")


def decline(series: Series) -> Measurement:
    """Mean of the last fifth minus the highest mean of any fifth, in the same unit, with the same interval.

    A run that learned and lost it again looks unchanged from its first fifth.
    """
    values, side = _sided(series)
    stretches = [values[at : at + side] for at in range(0, len(values) - side + 1, side)]
    return _compared(series, max(stretches, key=lambda stretch: float(stretch.mean())), values[-side:], "best")


def _sided(series: Series) -> tuple[Floats, int]:
    """The finite values, and the length of one side of a comparison."""
    values = series.finite
    side = max(len(values) // SHARE, MIN_POINTS)
    if len(values) < 2 * side:
        raise Inconclusive(f"{series.key} has {len(values)} finite points, {2 * side} are needed to see a change")
    if np.ptp(values) == 0.0:
        raise Inconclusive(f"{series.key} is constant at {values[0]:.6g}: there is nothing to learn from")
    return values, side


def _compared(series: Series, early: Floats, late: Floats, named: str) -> Measurement:
    found = difference(early, late)
    spread = found.noise or float(np.std(series.finite))
    effect = found.value / spread
    margin = student_quantile((1 + CONFIDENCE) / 2, found.freedom) * found.error / spread
    return series.measurement(
        effect,
        unit="sd",
        interval=(effect - margin, effect + margin),
        detail=f"mean {early.mean():.4g} over the {named} {len(early)} points, {late.mean():.4g} over the last",
    )


def early_drop(series: Series) -> Measurement:
    """How far the series surely fell from where it started, as a fraction of its starting level.

    Start: mean of the first 3 points. Low: the lowest mean of 3 consecutive points. Three standard errors of that
    difference are given back, as many lows are looked at; noise is measured by the median bend from point to point,
    which neither a slope nor a sudden fall moves, widened for autocorrelation. The scale is the start, or 5 standard
    deviations of the window where the start is about 0.
    """
    width = 3
    values = series.finite
    if len(values) < 2 * width:
        raise Inconclusive(f"{series.key} has {len(values)} finite points, {2 * width} are needed to see a drop")
    means = np.convolve(values, np.full(width, 1 / width), mode="valid")
    low = int(np.argmin(means))
    bends = np.diff(values, n=2)
    noise = 1.4826 * float(np.median(np.abs(bends - np.median(bends)))) / math.sqrt(6) * AUTOCORRELATED
    fall = min(float(means[low] - means[0]) + 3 * noise * math.sqrt(2 / width), 0.0)
    scale = max(abs(float(means[0])), 5 * float(np.std(values)))
    steps = series.steps[np.isfinite(series.values)]
    return series.measurement(
        fall / scale if scale else 0.0,
        unit="fraction",
        trace=Trace(steps[low : low + width], values[low : low + width], series.axis),
        detail=f"from {means[0]:.4g} to {means[low]:.4g}",
    )


def level(series: Series, since: Series) -> Measurement:
    """Median of `series`, with the median over the first 20 points of `since` that are not 0 to be a multiple of."""
    start = since.finite[since.finite != 0][:EARLY]
    return series.measurement(
        float(np.median(series.finite)) if len(series.finite) else math.nan,
        reference=float(np.median(start)) if len(start) else math.nan,
        reference_name=f"its median over the first {len(start)} points",
    )
