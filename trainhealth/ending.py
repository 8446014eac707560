"""Did a metric give way when the run ended? A checkpoint is promoted from the last steps, not from the average.

Windows of dozens of steps and fifths of a run lose a collapse of its last ten. A fall at the end is held against the
falls that the same run recovered from, so it needs no model of the noise: slow wander shows in them as well.
"""

from __future__ import annotations

import numpy as np

from trainhealth.history import Floats
from trainhealth.measurement import Measurement
from trainhealth.series import Series
from trainhealth.verdicts import Inconclusive

SHORTEST = 5
"""Points of the shortest ending that is looked at; the next is twice as long, up to an eighth of the series. One that
lasts up to twice its length is seen whole."""

BEFORE = 20
"""Points that say where the series was before, or as many as the ending has."""

BEGINNING = 5
"""The first fifth is left out: what happens there is not what a run recovers from."""

LEAST = 0.1
"""Of the distance between 5th and 95th percentile: a smaller fall is none."""

FELL = 1.5
"""Times the deepest fall that the run recovered from, from which on a rise over the run excuses nothing any more."""


def fall_at_the_end(series: Series) -> Measurement:
    """The deepest fall into an ending, beside the deepest earlier one of stretches as long or shorter.

    Means of neighbouring stretches are compared, with a gap between them as long as the ending, in which it may have
    begun; values beyond the 1st and 99th percentile count as those.

    Raises:
        Inconclusive: the series is constant, or too short.
    """
    return _ending(series, 1.0)


def rise_at_the_end(series: Series) -> Measurement:
    """The steepest rise into an ending, in the same way."""
    return _ending(series, -1.0)


def fell_at_the_end(series: Series) -> bool:
    """Whether the series fell deeper when it ended than it ever recovered from."""
    try:
        found = fall_at_the_end(series)
    except Inconclusive:
        return False
    return found.in_kind("x") > FELL


def _ending(series: Series, sign: float) -> Measurement:
    values = series.finite
    if len(values) < 2 * BEFORE:
        raise Inconclusive(f"{series.key} has {len(values)} finite points, {2 * BEFORE} are needed to see how it ended")
    low, least, most, high = np.quantile(values, (0.01, 0.05, 0.95, 0.99))
    if least == most:
        raise Inconclusive(f"{series.key} is {least:.6g} nearly throughout: there is nothing to fall from")
    total = np.concatenate([[0.0], np.cumsum(sign * np.clip(values, low, high))])
    sizes = [SHORTEST]
    while 2 * sizes[-1] <= len(values) // 8:
        sizes.append(2 * sizes[-1])
    falls = {size: _falls(total, size) for size in sizes}
    found = [(_of(falls, sizes, size, len(values), LEAST * float(most - least)), size) for size in sizes]
    (fall, earlier), size = max(found, key=lambda one: (one[0][0] / one[0][1], one[1]))
    before = values[-2 * size - max(BEFORE, size) : -2 * size]
    return series.measurement(
        fall,
        reference=earlier,
        reference_name="the largest that it recovered from",
        detail=f"mean {before.mean():.4g} before, {values[-size:].mean():.4g} over the last {size} points",
    )


def _falls(total: Floats, size: int) -> tuple[Floats, Floats]:
    """(where stretches of `size` points begin, how far the mean fell into each of them)."""
    before = max(BEFORE, size)
    count = len(total) - 1
    begins = np.arange(max(count // BEGINNING, before + size), count - size + 1)
    earlier = (total[begins - size] - total[begins - size - before]) / before
    return begins.astype(np.float64), earlier - (total[begins + size] - total[begins]) / size


def _of(
    falls: dict[int, tuple[Floats, Floats]], sizes: list[int], size: int, count: int, least: float
) -> tuple[float, float]:
    """(the fall into the last `size` points, the deepest earlier one into stretches of that size or a shorter one)."""
    earlier = [least]
    for shorter in (one for one in sizes if one <= size):
        begins, deep = falls[shorter]
        earlier += deep[begins + shorter <= count - 2 * size].tolist()
    return float(falls[size][1][-1]) if len(falls[size][1]) else 0.0, max(earlier)
