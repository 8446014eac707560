"""Spikes on raw points: single steps that a mean, a percentile or a sampled history never shows."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import numpy.typing as npt

from trainhealth.history import Floats
from trainhealth.measurement import Measurement, Trace
from trainhealth.series import Series, first_non_finite

HISTORY = 21
"""Points in a running median: long enough to ignore a spike, short enough to follow a warm-up."""

CHUNK = 1024
"""Points whose running medians are taken at once: numpy copies all their windows."""

KL_FLOOR = 0.2
"""A KL below this is no spike, however small its surroundings [seed: spikes > 0.2]."""

KL_FACTOR = 10.0
"""A KL spike exceeds this multiple of the running median before it."""

RECOVERY = 5
"""Points within which a spike must have come down again: real spikes to 392,000 did."""

KL_RUNAWAY_FLOOR = KL_FLOOR / 10
GRADIENT_RUNAWAY_FLOOR = 1.0
SEQUENCE_KL_RUNAWAY_FLOOR = 1.0
VALUE_LOSS_FLOOR = 1.0
"""Running medians below these count as these: what grows from nothing has no multiple."""

GRADIENT_SIGMAS = 8.0
GRADIENT_FACTOR = 3.0
"""A gradient spike lies beyond 8 robust standard deviations of, and 3 times, the running median."""

LAST = 50
"""Points at which training may have stopped near the end of a long run."""

EDGE = 20
"""Points that say what a metric was like when the run began, and when it ended."""

SUBSIDED = 10.0
"""Multiples of the reference to which what exploded must have come down to count as recovered."""

SHARE_OF = 100
"""Fewest points of which a share of gradient spikes is taken."""

MAD_TO_SIGMA = 1.4826
"""Standard deviations per median absolute deviation of a normal distribution."""


def running_median(values: Floats, history: int = HISTORY) -> Floats:
    """Median of the up to `history` finite values before each point; of the first ones where none are before.

    The point itself is left out, so that a spike cannot hide itself.
    """
    return _before(values, history)[0]


def _before(values: Floats, history: int) -> tuple[Floats, Floats]:
    """(median, median absolute deviation) of the `history` points before each point, shape (n,) each."""
    if not len(values):
        return values, values
    padded = np.concatenate([np.full(history, np.nan), np.where(np.isfinite(values), values, np.nan)])
    windows = np.lib.stride_tricks.sliding_window_view(padded, history)[: len(values)]
    medians = np.empty(len(values))
    deviations = np.empty(len(values))
    start = np.nan_to_num(np.nanmedian(padded[history : 2 * history])) if np.isfinite(values).any() else 0.0
    for low in range(0, len(values), CHUNK):
        part = windows[low : low + CHUNK]
        known = np.isfinite(part).any(axis=1)
        median = np.full(len(part), start)
        median[known] = np.nanmedian(part[known], axis=1)
        deviation = np.zeros(len(part))
        deviation[known] = np.nanmedian(np.abs(part[known] - median[known, None]), axis=1)
        medians[low : low + CHUNK] = median
        deviations[low : low + CHUNK] = deviation
    return medians, deviations


def beyond_kl(series: Series) -> npt.NDArray[np.bool_]:
    """For each point whether it exceeds max(0.2, 10 x its running median), or is not finite."""
    return ~(series.values <= np.maximum(KL_FLOOR, KL_FACTOR * running_median(series.values)))


def beyond_gradients(series: Series) -> npt.NDArray[np.bool_]:
    """For each point whether it lies beyond 8 robust sigma of, and 3 times, the running median before it."""
    median, deviation = _before(series.values, HISTORY)
    limit = np.maximum(median + GRADIENT_SIGMAS * MAD_TO_SIGMA * deviation, GRADIENT_FACTOR * median)
    beyond = ~(series.values <= limit) & ((median > 0) | ~np.isfinite(series.values))
    beyond[: HISTORY // 2] &= ~np.isfinite(series.values[: HISTORY // 2])  # too little before them to call a spike
    return np.asarray(beyond)


def kl_spikes(*series: Series) -> Measurement:
    """Number of steps at which any of `series` exceeds max(0.2, 10 x its running median), or is not finite.

    The detail names the highest point whether it is a spike or not.
    """
    steps: set[float] = set()
    for one in series:
        steps.update(one.steps[beyond_kl(one)].tolist())
    worst = max(series, key=lambda one: float(np.max(np.nan_to_num(one.values, nan=np.inf), initial=-np.inf)))
    shown = ", ".join(f"{step:.15g}" for step in sorted(steps)[:8])
    return Measurement(
        float(len(steps)),
        unit="steps",
        points=sum(len(one) for one in series),
        window=series[0].described,
        keys=tuple(one.key for one in series),
        trace=Trace(worst.steps, worst.values, worst.axis),
        non_finite=sum(len(one) - len(one.finite) for one in series),
        where=first_non_finite(*series),
        detail=f"at step {shown}{' …' if len(steps) > 8 else ''}" if steps else f"highest {_highest(worst)}",
    )


def _highest(series: Series) -> str:
    found = Trace(series.steps, series.values).worst(">")
    return f"{found[1]:.4g} at step {found[0]:.15g} ({series.key})" if found else "unknown"


def _kept(values: Floats) -> Floats:
    """For each point the level that it and the `RECOVERY` points after it do not fall below, shape (n,)."""
    padded = np.concatenate([np.where(np.isfinite(values), values, np.inf), np.full(RECOVERY, np.inf)])
    return np.asarray(np.lib.stride_tricks.sliding_window_view(padded, RECOVERY + 1).min(axis=1))


def runaway(series: Series, floor: float) -> Measurement:
    """The highest level kept up for more than `RECOVERY` points, as a multiple of the running median before it.

    A spike that comes down within `RECOVERY` points counts as what it came down to. At the end of a run the points
    that are left decide: a run that ends in a spike has not recovered. Medians below `floor` count as `floor`.
    """
    kept = _kept(series.values)
    before = np.maximum(running_median(series.values), floor)
    at = int(np.argmax(kept / before))
    return series.measurement(
        float(kept[at]),
        trace=Trace(series.steps[at : at + 1], series.values[at : at + 1], series.axis),
        reference=float(before[at]),
        reference_name=f"the running median before it (at least {floor:g})",
    )


def explosion(series: Series, floor: float, floor_name: str) -> Measurement:
    """The highest level kept up for more than `RECOVERY` points, as a multiple of the median over the first 20 points.

    Unlike `runaway` it sees what grows slowly. Medians below `floor` count as `floor`.
    """
    start = series.finite[:EDGE]
    before = max(float(np.median(start)) if len(start) else 0.0, floor)
    kept = _kept(series.values)
    at = int(np.argmax(kept))
    return series.measurement(
        float(kept[at]),
        trace=Trace(series.steps[at : at + 1], series.values[at : at + 1], series.axis),
        reference=before,
        reference_name=floor_name if before == floor else f"its median over the first {len(start)} points",
    )


def subsided(series: Series, exploded: Measurement) -> str:
    """Says so where the last 20 points are back within `SUBSIDED` times what `exploded` was measured against."""
    last = series.values[-EDGE:]
    back = bool(np.isfinite(last).all()) and float(last.max()) <= SUBSIDED * (exploded.reference or 0.0)
    return f"it came down again: at most {float(last.max()):.4g} over the last {len(last)} points" if back else ""


def zeros(series: Series) -> Measurement:
    """Share of points that are exactly 0."""
    return series.measurement(float(np.mean(series.values == 0.0)), unit="fraction")


def dead(series: Series) -> Measurement:
    """As `zeros`, or of the last `LAST` points where the share is larger: training that stopped near the end."""
    measured = zeros(series)
    if len(series) < LAST:
        return measured
    share = float(np.mean(series.values[-LAST:] == 0.0))
    if share <= float(measured.value):
        return measured
    return replace(measured, value=share, detail=f"of the last {LAST} points; {measured} of all")


def gradient_spikes(series: Series) -> Measurement:
    """Share of steps whose gradient norm lies beyond 8 robust sigma of, and 3 times, the running median before it.

    Of a run shorter than `SHARE_OF` points it is taken of so many: two steps of thirty are not yet a habit.
    """
    beyond = beyond_gradients(series)
    peak = series.max().value
    short = f" of {len(beyond)}, counted as of {SHARE_OF}" if len(beyond) < SHARE_OF else ""
    detail = f"{int(beyond.sum())} steps{short}, peak {peak:.4g}"
    return series.measurement(float(beyond.sum() / max(len(beyond), SHARE_OF)), unit="fraction", detail=detail)
