"""How a metric ended, beside what the same run went through before."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given
from hypothesis import strategies as st
from synthetic import ar1, column, run, series

from trainhealth.ending import fall_at_the_end, fell_at_the_end, rise_at_the_end
from trainhealth.levels import reward_moves
from trainhealth.verdicts import Inconclusive

Floats = npt.NDArray[np.float64]


def times(values: npt.ArrayLike) -> float:
    return fall_at_the_end(series(np.asarray(values, dtype=np.float64).tolist())).in_kind("x")


def learned(points: int, phi: float, seed: int) -> Floats:
    """Four standard deviations of gain, and noise of that autocorrelation."""
    return 4 * np.sqrt(np.arange(points) / points) + ar1(points, phi, seed)


def test_a_fall_by_hand() -> None:
    """Level 10 with a dip to 9 over steps 100 to 119, and 4 over the last 10 of 200: six ones."""
    values = np.full(200, 10.0)
    values[100:120], values[190:] = 9.0, 4.0
    found = fall_at_the_end(series(values.tolist()))
    assert (found.value, found.reference) == (6.0, 1.0)
    assert found.detail == "mean 10 before, 4 over the last 10 points"
    assert rise_at_the_end(series((-values).tolist())).in_kind("x") == 6.0
    assert rise_at_the_end(series(values.tolist())).in_kind("x") < 0


@pytest.mark.parametrize("lost", [5, 8, 10, 20, 30, 40])
@pytest.mark.parametrize("phi", [0.0, 0.6, 0.9])
def test_a_collapse_of_the_last_steps_is_seen_however_many(lost: int, phi: float) -> None:
    """Of 20 runs that gained 4 standard deviations and then lost 7, nearly all."""
    found = [learned(200, phi, seed) for seed in range(20)]
    for values in found:
        values[-lost:] -= 7.0
    assert np.mean([times(values) > 2.5 for values in found]) >= 0.8
    assert np.mean([times(values) > 1.5 for values in found]) >= 0.95


@pytest.mark.parametrize("phi", [0.0, 0.3, 0.6, 0.9])
def test_noise_and_learning_are_no_collapse(phi: float) -> None:
    found = [times(gain * learned(200, phi, seed) + ar1(200, phi, seed + 99)) for seed in range(50) for gain in (0, 1)]
    assert np.mean([one > 2.5 for one in found]) <= 0.02


def test_a_task_that_is_solved_may_waver_a_little() -> None:
    values = np.minimum(np.linspace(0.2, 1.6, 200), 1.0)
    values[-5:] = 0.97
    assert times(values) < 1.5


def test_a_rise_that_gave_way_excuses_nothing() -> None:
    values = learned(200, 0.3, 1)
    columns = {"_step": column(range(200)), "train/reward": column(values)}
    assert reward_moves(run(columns)) == 1
    values[-15:] -= 8
    assert fell_at_the_end(series(values.tolist()))
    assert reward_moves(run({**columns, "train/reward": column(values)})) == 0


@pytest.mark.parametrize(
    ("values", "why"), [([1.0] * 30, "30 finite points, 40"), ([3.0] * 200, "3 nearly throughout")]
)
def test_what_cannot_be_told(values: list[float], why: str) -> None:
    with pytest.raises(Inconclusive, match=why):
        fall_at_the_end(series(values))
    assert not fell_at_the_end(series(values))


@given(st.lists(st.floats(-1e6, 1e6), min_size=40, max_size=300))
def test_neither_scale_nor_level_matters(values: list[float]) -> None:
    low, high = np.quantile(values, (0.05, 0.95))
    if high - low < 1e-3:
        return
    assert times(np.asarray(values) * 4 - 1000) == pytest.approx(times(values), rel=1e-6, abs=1e-6)
