"""Statistics over the parts of a reward: what was chosen for its values vouches for none that could not be read."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
from synthetic import ar1, series

from trainhealth.levels import alive, best_change, dominance
from trainhealth.measurement import Measurement
from trainhealth.series import Series
from trainhealth.thresholds import Window
from trainhealth.trends import change

HISTORY = Window("history", min_points=20)


def low_end(measured: Measurement) -> float:
    return (measured.interval or (0.0, 0.0))[0]


@pytest.mark.parametrize("measure", [alive, best_change, dominance])
def test_nan_in_a_part_that_was_not_chosen_counts(measure: Callable[[list[Series], Window], Measurement]) -> None:
    rising = series(10 * np.linspace(0, 1, 100) + 5 + 0.1 * ar1(100, 0.2, 1), name="rewards/format")
    holes = np.where(np.arange(100) % 2, np.nan, 0.1)
    found = measure([rising, series(holes, name="rewards/accuracy")], Window("whole"))
    assert found.non_finite == 50


def test_noise_in_several_parts_is_no_rise() -> None:
    """Four parts of equal mean: 1.6 % of them were called a rise, and 7 % without a correction for the choice."""
    called = uncorrected = 0
    for seed in range(300):
        parts = [series(ar1(200, 0.6, 10 * seed + part), name=f"rewards/{part}") for part in range(4)]
        called += low_end(best_change(parts, HISTORY)) > 0
        uncorrected += max(low_end(change(one)) for one in parts) > 0
    assert called <= 0.025 * 300
    assert uncorrected >= 0.04 * 300


def test_the_largest_change_lies_between_the_surest_rise_and_the_highest_end() -> None:
    rising = series(np.linspace(0, 2, 200) + ar1(200, 0.3, 1), name="rewards/a")
    wild = series(5 * ar1(200, 0.95, 2), name="rewards/b")
    found, alone = best_change([rising, wild], HISTORY), change(rising)
    assert found.value == alone.value
    assert found.interval is not None
    assert alone.interval is not None
    assert 0 < found.interval[0] < alone.interval[0]
    assert found.interval[1] == max(alone.interval[1], (change(wild).interval or (0, 0))[1])
    assert best_change([rising], HISTORY).interval == alone.interval
    assert "the surest rise among 2 parts" in found.detail


def test_a_fall_is_sure_only_where_every_part_falls() -> None:
    falling = [series(np.linspace(2, 0, 200) + 0.2 * ar1(200, 0.2, seed), name=f"rewards/{seed}") for seed in (1, 2)]
    open_end = series(5 * ar1(200, 0.95, 4), name="rewards/c")
    assert (best_change(falling, HISTORY).interval or (0, 0))[1] < 0
    assert (best_change([*falling, open_end], HISTORY).interval or (0, 0))[1] > 0
