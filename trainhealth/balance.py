"""Whether something is spread evenly, and how well a share is known."""

from __future__ import annotations

import math
from collections.abc import Sequence

MIN_EXPECTED = 5.0
"""Fewest expected in each place for the test to hold (Cochran 1954)."""

NORMAL_95 = 1.959963984540054
"""95 % of a normal distribution lie within so many standard deviations."""


def wilson(successes: int, trials: int) -> tuple[float, float]:
    """The 95 % interval of a share (Wilson 1927, equation 3.2 of Brown, Cai and DasGupta 2001); `trials` above 0."""
    z2 = NORMAL_95**2
    share = successes / trials
    centre = (share + z2 / (2 * trials)) / (1 + z2 / trials)
    half = NORMAL_95 / (1 + z2 / trials) * math.sqrt(share * (1 - share) / trials + z2 / (4 * trials**2))
    return max(centre - half, 0.0), min(centre + half, 1.0)


def equal_shares(counts: Sequence[int]) -> float:
    """The probability that counts at least as uneven as these come from equal shares, from 0 to 1.

    Pearson's chi-square, one degree of freedom less than there are counts; there must be two of them, not all 0.
    """
    expected = sum(counts) / len(counts)
    return chi_square_beyond(sum((count - expected) ** 2 for count in counts) / expected, len(counts) - 1)


def chi_square_beyond(value: float, freedom: int) -> float:
    """The probability that a chi-square variable with `freedom` (at least 1) degrees of freedom exceeds `value`.

    Abramowitz and Stegun 26.4.4 and 26.4.5: a finite sum for every whole number of degrees.
    """
    half = value / 2
    if freedom % 2:
        found, terms = math.erfc(math.sqrt(half)), [index + 0.5 for index in range(freedom // 2)]
    else:
        found, terms = 0.0, [float(index) for index in range(freedom // 2)]
    if half == 0:
        return 1.0
    return min(1.0, found + sum(math.exp(term * math.log(half) - half - math.lgamma(term + 1)) for term in terms))
