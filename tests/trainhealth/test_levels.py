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


@pytest.mark.parametrize("measure", [alive, best_change, dominance])
def test_nan_in_a_part_that_was_not_chosen_counts(measure: Callable[[list[Series], Window], Measurement]) -> None:
    rising = series(10 * np.linspace(0, 1, 100) + 5 + 0.1 * ar1(100, 0.2, 1), name="rewards/format")
    holes = np.where(np.arange(100) % 2, np.nan, 0.1)
    found = measure([rising, series(holes, name="rewards/accuracy")], Window("whole"))
    assert found.non_finite == 50
