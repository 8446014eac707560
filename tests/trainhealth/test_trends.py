from __future__ import annotations

import math

import numpy as np
import pytest
from synthetic import ar1, series

from trainhealth.measurement import Measurement
from trainhealth.trends import (
    agreement,
    change,
    decline,
    difference,
    early_drop,
    level,
    spread_since_start,
    student_quantile,
)
from trainhealth.verdicts import Inconclusive


@pytest.mark.parametrize(
    ("p", "freedom", "expected"),  # published table of Student's t
    [(0.975, 3, 3.182), (0.975, 5, 2.571), (0.975, 10, 2.228), (0.975, 30, 2.042), (0.95, 8, 1.860)],
)
def test_student_quantile_agrees_with_the_table(p: float, freedom: float, expected: float) -> None:
    assert student_quantile(p, freedom) == pytest.approx(expected, rel=0.01)


def test_standard_error_of_independent_points_is_the_textbook_one() -> None:
    wholes = [ar1(1000, 0.0, seed) for seed in range(40)]
    errors = [difference(whole[:200], whole[-200:], whole).error for whole in wholes]
    assert np.mean(errors) == pytest.approx(math.sqrt(2 / 200), rel=0.1)


def test_standard_error_of_an_ar1_series_is_inflated() -> None:
    wholes = [ar1(5000, 0.9, seed) for seed in range(20)]
    errors = [difference(whole[:1000], whole[-1000:], whole).error for whole in wholes]
    assert np.mean(errors) == pytest.approx(math.sqrt(2 * 19 / 1000), rel=0.2)  # (1 + phi) / (1 - phi) = 19


@pytest.mark.parametrize(
    ("length", "phi", "most"),
    [(50, 0.5, 0.05), (50, 0.9, 0.09), (100, 0.9, 0.06), (200, 0.0, 0.06), (200, 0.5, 0.06), (200, 0.9, 0.09),
     (1000, 0.9, 0.07)],
)  # fmt: skip
def test_noise_is_seldom_called_a_change(length: int, phi: float, most: float) -> None:
    """Nominal 5 % on both sides together. A t-test calls .68 of such series a change (phi 0.9, 200 points)."""
    wrong = 0
    for seed in range(300):
        low, high = change(series(ar1(length, phi, seed).tolist())).interval or (0, 0)
        wrong += not low <= 0 <= high
    assert wrong / 300 <= most


def test_a_fall_at_the_end_is_seen() -> None:
    fall = np.where(np.arange(164) < 120, 0.0, -(np.arange(164) - 120) / 11)
    interval = change(series((ar1(164, 0.5, 1) + fall).tolist())).interval
    assert interval is not None
    assert interval[1] < 0


def test_a_real_rise_is_seen() -> None:
    rise = change(series((ar1(200, 0.5, 1) + np.linspace(0, 4, 200)).tolist()))
    assert rise.interval is not None
    assert rise.interval[0] > 0


def test_a_constant_reward_is_no_evidence() -> None:
    with pytest.raises(Inconclusive, match="constant at 1"):
        change(series([1.0] * 99))
    with pytest.raises(
        Inconclusive, match=r"never changed from 1 in 100 steps: .*learns nothing, or the task is solved"
    ):
        change(series([1.0] * 100))


def test_too_few_points_for_a_change() -> None:
    with pytest.raises(Inconclusive, match="19 finite points, 20 are needed"):
        change(series(range(19)))


def test_a_sudden_step_is_a_change() -> None:
    """A collapse is not mistaken for noise that lasts long."""
    found = change(series(ar1(200, 0.5, 1) * 0.3 - np.repeat([0.0, 3.0], 100)))
    assert found.interval is not None
    assert found.interval[1] < -3  # ten standard deviations


def test_nan_is_left_out_and_counted() -> None:
    values = np.linspace(0, 1, 100).tolist()
    values[50] = math.nan
    assert change(series(values)).non_finite == 1


def test_the_published_early_drop_is_found() -> None:
    falling = [14, 13.4, 12.6, 11.8, 10.7, 9.6, 8.8, 8.0, 8.1, 7.9, 8.2, 8.0]
    assert float(early_drop(series(falling)).value) < -0.3


def test_a_sudden_drop_does_not_hide_in_its_own_noise() -> None:
    sudden = 0.3 * ar1(20, 0.5, 1) + np.where(np.arange(20) < 6, 14, 8)
    assert float(early_drop(series(sudden)).value) < -0.3


def test_a_reward_that_was_higher_before_declined() -> None:
    values = np.interp(np.arange(300), [0, 200, 299], [10, 20, 13]) + 0.5 * ar1(300, 0.5, 1)
    found = decline(series(values))
    assert found.interval is not None
    assert found.interval[1] < -3
    first = change(series(values)).interval
    assert first is not None
    assert first[0] > 0  # from its first fifth the run looks better


def test_noise_is_no_early_drop() -> None:
    for phi, scale in ((0.3, 1.0), (0.8, 3.0)):
        drops = [float(early_drop(series(10 + scale * ar1(20, phi, seed))).value) for seed in range(300)]
        assert np.mean(np.array(drops) < -0.3) <= 0.05


def test_level_is_relative_to_the_start() -> None:
    values = [2.0] * 20 + [3.0] * 60 + [7.0] * 20
    whole = series(values)
    assert level(series([7.0] * 20), since=whole).in_kind("x") == 3.5
    assert math.isnan(level(series([7.0]), since=series([math.nan])).in_kind("x"))


def rose(low: float, high: float, non_finite: int = 0) -> Measurement:
    return Measurement((low + high) / 2, interval=(low, high), reference=50.0, non_finite=non_finite)


@pytest.mark.parametrize(
    ("reward", "gain", "word"),
    [
        ((1, 2), (10, 90), "together"), ((1, 2), (-40, 40), "reward_only"),
        ((-1, 2), (10, 90), "rating_only"), ((-1, 2), (-40, 40), "neither"),
    ],
)  # fmt: skip
def test_reward_and_rating_together(reward: tuple[float, float], gain: tuple[float, float], word: str) -> None:
    assert agreement(rose(*reward), rose(*gain)).value == word


def test_reward_and_rating_that_say_nothing() -> None:
    with pytest.raises(Inconclusive, match="not sure either way"):
        agreement(rose(1, 2), rose(-40, 90))
    with pytest.raises(Inconclusive, match="1 of 1 points"):
        agreement(rose(1, 2, non_finite=1), rose(10, 90))


def test_spread_is_relative_to_the_start() -> None:
    assert spread_since_start(series([2.0] * 50 + [3.0] * 50)).in_kind("x") == 1.5
    with pytest.raises(Inconclusive, match="19 finite points"):
        spread_since_start(series(range(19)))
