"""Change over a run, with an interval that respects autocorrelation.

Consecutive training steps are not independent. On AR(1) series of equal mean (phi 0.9, 200 steps) a t-test at 5 %
calls two of three a change. Here the variance of a mean is that of an AR(1) process (Bartlett's formula), whose
autocorrelation is taken at the upper end of what the series allows: a short one hides how slowly it forgets.
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

DEGREE = 3
"""Of the curve that is taken out of a series before its noise is measured."""

STEPPED = 150
"""Points from which on a sudden step is taken out too; a shorter series may well look like one by chance."""

CAUTION = 1.28
"""Standard errors by which the autocorrelation is taken higher than estimated."""

MIN_POINTS = 10
"""Fewest points on either side of a comparison."""


UNCHANGED = 100
"""Points from which on a constant series says something of the run."""

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


def difference(early: Floats, late: Floats, whole: Floats) -> Difference:
    """Mean of `late` minus mean of `early`, two stretches of the series `whole` whose noise is an AR(1) process.

    Noise is that of the whole series: a stretch is too short to show how long noise lasts. Degrees of freedom: the
    number of independent values that the series is worth.
    """
    value = float(late.mean() - early.mean())
    n = len(whole)
    variance, independent = _noise(whole)
    if variance == 0.0:
        return Difference(value, 0.0, float(n), 0.0)
    r = (n - independent) / (n + independent)
    variance /= max(1 - (DEGREE + 1) / independent, 0.25)  # estimated from few independent values it comes out small
    error = math.sqrt(variance * (_of_mean(r, len(early)) + _of_mean(r, len(late))))
    return Difference(value, error, max(independent - 1, 3.0), math.sqrt(variance))


def _noise(values: Floats) -> tuple[float, float]:
    """(variance of one value, number of independent values that the autocorrelated ones are surely worth).

    Both of what is left once a curve is taken out, and of long series a sudden step (a collapse), so that neither is
    mistaken for noise.
    """
    n, fitted = len(values), DEGREE + 1
    basis = np.linalg.qr(np.vander(np.linspace(-1, 1, n), fitted))[0]
    rest = values - basis @ (basis.T @ values)
    if n >= STEPPED:
        places = np.linspace(n // 10, n - n // 10, 60).astype(int)
        steps = (np.arange(n)[:, None] >= places).astype(np.float64)
        steps -= basis @ (basis.T @ steps)
        steps /= np.linalg.norm(steps, axis=0)
        best = steps[:, int(np.argmax(np.abs(steps.T @ rest)))]
        rest = rest - best * (best @ rest)
        fitted += 2
    power = float(rest @ rest)
    if power <= n * (1e-12 * float(np.abs(values).max())) ** 2:  # what rounding leaves of an exact curve
        return 0.0, float(n)
    r = float(rest[1:] @ rest[:-1]) / power
    r += fitted * (1 + 2 * max(r, 0.0)) / n  # every fitted term biases the estimate by about -(1 + 2r) / n
    r = min(max(r + CAUTION * math.sqrt(max(1 - r * r, 0.0) / n), 0.0), 0.98)
    return power / (n - fitted), max(n * (1 - r) / (1 + r), 1.0)


def _of_mean(r: float, n: int) -> float:
    """Variance of the mean of `n` values of an AR(1) process of variance 1."""
    return ((1 + r) / (1 - r) - 2 * r * (1 - r**n) / (n * (1 - r) ** 2)) / n


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


def change(series: Series, *, chosen_from: int = 1) -> Measurement:
    """Mean of the last fifth minus mean of the first, in standard deviations of one step, with a 95 % interval.

    The unit is free of the reward's scale. Where the series is one of several, `chosen_from`, whose surest rise is
    looked for, the lower end of the interval is as much lower (Bonferroni): of ten that are noise, one looks like a
    rise. Raises Inconclusive for a constant series or too few points.
    """
    values, side = _sided(series)
    return _compared(series, values[:side], values[-side:], "first", chosen_from)


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
        if len(values) >= UNCHANGED:
            meaning = "the policy learns nothing, or the task is solved"
            raise Inconclusive(f"{series.key} never changed from {values[0]:.6g} in {len(values)} steps: {meaning}")
        raise Inconclusive(f"{series.key} is constant at {values[0]:.6g}: there is nothing to learn from")
    return values, side


def _compared(series: Series, early: Floats, late: Floats, named: str, chosen_from: int = 1) -> Measurement:
    found = difference(early, late, series.finite)
    spread = found.noise or float(np.std(series.finite))
    effect = found.value / spread
    error, beyond = found.error / spread, (1 - CONFIDENCE) / 2
    lower = student_quantile(1 - beyond / chosen_from, found.freedom) * error
    upper = student_quantile(1 - beyond, found.freedom) * error
    return series.measurement(
        effect,
        unit="sd",
        interval=(effect - lower, effect + upper),
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


def spread_since_start(series: Series) -> Measurement:
    """Median of the last fifth of a standard deviation's points, with the first fifth's to be a multiple of."""
    values, side = _sided(series)
    return series.measurement(
        float(np.median(values[-side:])),
        reference=float(np.median(values[:side])),
        reference_name=f"its median over the first {side} points",
    )


AGREEMENT = ("together", "reward_only", "rating_only", "neither")


def agreement(reward: Measurement, gain: Measurement) -> Measurement:
    """Which of reward and rating surely rose: ``together``, ``reward_only``, ``rating_only`` or ``neither``.

    `gain` has the least usual gain as its reference: a rating is flat only where its gain is surely below that.

    Raises:
        Inconclusive: a rating that neither surely rose nor surely stayed behind, or a point that is not finite.
    """
    for one in (reward, gain):
        if one.non_finite:
            where = one.where or ", ".join(one.keys[:3])
            raise Inconclusive(f"{one.non_finite} of {one.points} points are not finite ({where})")
    low, high = gain.interval or (math.nan, math.nan)
    flat = gain.reference is not None and high < max(gain.reference, 0.0)
    rose = (reward.interval or (0.0, 0.0))[0] > 0
    if not (low > 0 or flat):
        raise Inconclusive(f"the rating's change, {gain} [{low:.0f} … {high:.0f}], is not sure either way")
    word = AGREEMENT[(0 if rose else 2) if low > 0 else (1 if rose else 3)]
    return Measurement(
        word,
        vocabulary=AGREEMENT,
        points=reward.points,
        window=reward.window,
        keys=(*reward.keys, *gain.keys),
        detail=f"reward {reward}, newest checkpoint {gain} above base_model",
    )
