from __future__ import annotations

import math

import numpy as np
import pytest
from synthetic import series

from trainhealth.measurement import Measurement
from trainhealth.series import Series
from trainhealth.spikes import (
    KL_RUNAWAY_FLOOR,
    explosion,
    gradient_spikes,
    kl_spikes,
    runaway,
    running_median,
    subsided,
    zeros,
)


def kl_runaway(one: Series) -> Measurement:
    return runaway(one, KL_RUNAWAY_FLOOR)


def test_running_median_looks_back_and_leaves_the_point_out() -> None:
    assert running_median(np.array([5.0, 1.0, 9.0, 3.0]), 3).tolist() == [5.0, 5.0, 3.0, 5.0]


def test_running_median_of_long_series_matches_the_plain_definition() -> None:
    values = np.random.default_rng(3).normal(size=9000)
    expected = [float(np.median(values[max(at - 21, 0) : at])) for at in range(1, len(values))]
    assert running_median(values)[1:].tolist() == pytest.approx(expected)


@pytest.mark.parametrize("spike", [0.6, 392_000.0, math.inf, math.nan])
@pytest.mark.parametrize("at", [0, 7, 10_000, 19_999])
def test_one_step_among_20000_is_found(spike: float, at: int) -> None:
    values = np.full(20_000, 0.02)
    values[at] = spike
    found = kl_spikes(series(values.tolist()))
    assert found.value == 1.0
    assert f"step {at}" in found.detail


def test_a_healthy_kl_has_no_spikes() -> None:
    values = 0.02 * np.exp(np.random.default_rng(0).normal(0, 0.3, 5000))
    assert kl_spikes(series(values.tolist())).value == 0.0


def test_below_the_floor_nothing_is_a_spike() -> None:
    assert kl_spikes(series([1e-6] * 30 + [0.19] + [1e-6] * 30)).value == 0.0


def test_spikes_of_mean_and_maximum_at_one_step_count_once() -> None:
    mean, largest = [0.02] * 50, [0.1] * 50
    mean[30] = largest[30] = 90.0
    largest[40] = 90.0
    assert kl_spikes(series(mean), series(largest, name="kl/max")).value == 2.0


def test_a_spike_that_recovers_is_no_runaway() -> None:
    values = [0.02] * 40 + [392_000.0] * 5 + [0.02] * 40
    assert kl_runaway(series(values)).in_kind("x") <= 1.0


def test_a_spike_kept_for_more_than_five_steps_is() -> None:
    values = [0.02] * 40 + [9.0] * 6 + [0.02] * 40
    assert kl_runaway(series(values)).in_kind("x") == pytest.approx(450)


@pytest.mark.parametrize("spike", [392_000.0, math.nan])
def test_a_run_that_ends_in_a_spike_has_not_recovered(spike: float) -> None:
    assert kl_runaway(series([0.02] * 40 + [spike])).in_kind("x") > 100


def test_a_warm_up_from_zero_is_no_runaway() -> None:
    assert kl_runaway(series(np.linspace(0, 0.15, 200).tolist())).in_kind("x") < 10
    assert kl_runaway(series([0.0] * 100 + [0.21] * 100)).in_kind("x") == pytest.approx(10.5)


def test_share_of_zeros() -> None:
    assert zeros(series([0.0, 1.0, -0.0, 2.0])).value == 0.5


def test_gradient_spikes_are_a_share_of_steps() -> None:
    values = (3 + 0.3 * np.random.default_rng(1).normal(size=400)).tolist()
    assert gradient_spikes(series(values)).value == 0.0
    values[100] = values[200] = 422.0
    assert gradient_spikes(series(values)).value == pytest.approx(2 / 400)
    values[300] = math.nan
    assert gradient_spikes(series(values)).value == pytest.approx(3 / 400)


def test_gradient_spikes_of_a_short_run_are_a_share_of_a_hundred_points() -> None:
    values = (0.4 + 0.02 * np.random.default_rng(1).normal(size=32)).tolist()
    values[20] = values[25] = 1.7
    found = gradient_spikes(series(values))
    assert found.value == pytest.approx(0.02)
    assert found.detail == "2 steps of 32, counted as of 100, peak 1.7"
    values[26:30] = [1.7, 1.8, 1.9, 2.0]
    assert gradient_spikes(series(values)).value == pytest.approx(0.06)


def test_a_value_loss_that_grows_slowly_has_exploded() -> None:
    grown = series((0.9 * 1.034 ** np.arange(300)).tolist())
    found = explosion(grown, 1.0, "the least that counts")
    assert found.in_kind("x") == pytest.approx(0.9 * 1.034**299 / (0.9 * 1.034**9.5), rel=1e-3)
    assert subsided(grown, found) == ""
    assert explosion(grown, 40_000.0, "the square").in_kind("x") < 1
    assert found.trace is not None


def test_a_value_loss_that_recovers_has_subsided() -> None:
    values = [1.0] * 50 + [5000.0] * 8 + [1.0] * 50
    found = explosion(series(values), 1.0, "the least that counts")
    assert found.in_kind("x") == 5000
    assert "at most 1 over the last 20 points" in subsided(series(values), found)
    assert subsided(series([*values, math.nan]), found) == ""
    assert explosion(series([1.0] * 50 + [5000.0] * 4 + [1.0] * 50), 1.0, "").in_kind("x") == 1
