"""Shares against values published or computed elsewhere."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from trainhealth.balance import chi_square_beyond, equal_shares, wilson

# NIST/SEMATECH e-Handbook, 1.3.6.7.4: upper critical values of the chi-square distribution.
CRITICAL = {
    (1, 0.05): 3.841,
    (2, 0.01): 9.210,
    (3, 0.05): 7.815,
    (6, 0.05): 12.592,
    (6, 0.001): 22.458,
    (7, 0.01): 18.475,
}


@pytest.mark.parametrize(("freedom", "chance"), CRITICAL)
def test_critical_values(freedom: int, chance: float) -> None:
    assert chi_square_beyond(CRITICAL[freedom, chance], freedom) == pytest.approx(chance, rel=2e-3)


def test_nothing_is_exceeded_by_certainty_and_much_by_nothing() -> None:
    assert chi_square_beyond(0, 6) == 1
    assert chi_square_beyond(0, 1) == 1
    assert 0 <= chi_square_beyond(1e6, 6) < 1e-300


def test_equal_counts_and_a_loaded_die() -> None:
    """5, 8, 9, 8, 10, 20 in 60 throws: chi-square 13.4, p = 0.0199 (R: chisq.test)."""
    assert equal_shares([10, 10, 10]) == 1
    assert equal_shares([5, 8, 9, 8, 10, 20]) == pytest.approx(0.01991, abs=2e-5)


@given(st.lists(st.integers(0, 10_000), min_size=2, max_size=12).filter(any))
def test_chances_are_chances_and_order_does_not_matter(counts: list[int]) -> None:
    found = equal_shares(counts)
    assert 0 <= found <= 1
    assert equal_shares(counts[::-1]) == pytest.approx(found, rel=1e-9, abs=1e-300)


def test_wilson_intervals() -> None:
    """R: prop.test(x, n, correct = FALSE)."""
    assert wilson(80, 100) == pytest.approx((0.7111708, 0.8666331), abs=1e-6)
    assert wilson(0, 20) == pytest.approx((0, 0.1611252), abs=1e-6)


@given(st.integers(1, 10_000).flatmap(lambda n: st.tuples(st.integers(0, n), st.just(n))))
def test_wilson_holds_the_share(pair: tuple[int, int]) -> None:
    successes, trials = pair
    low, high = wilson(successes, trials)
    assert 0 <= low <= successes / trials + 1e-12
    assert successes / trials - 1e-12 <= high <= 1
    assert math.isfinite(low + high)
