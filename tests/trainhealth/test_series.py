from __future__ import annotations

import math

import numpy as np
import pytest
from synthetic import series

from trainhealth.series import STATISTICS
from trainhealth.thresholds import Window
from trainhealth.verdicts import Inconclusive


def test_tail_counts_steps_not_points() -> None:
    nine_a_step = series(np.arange(900.0).tolist(), steps=np.repeat(np.arange(100), 9).tolist())
    tail = nine_a_step.window(Window("tail", last_steps=10))
    assert (len(tail), tail.steps[0]) == (90, 90)


def test_steps_are_logging_strides() -> None:
    every_tenth = series([1.0] * 50, steps=range(0, 500, 10))
    wide = type(every_tenth)(**{**{f: getattr(every_tenth, f) for f in every_tenth.__slots__}, "stride": 10.0})
    assert len(wide.window(Window("tail", last_steps=20))) == 20
    assert len(wide.window(Window("early", first_steps=5))) == 5
    assert len(wide.window(Window("warm", skip_steps=45))) == 5


def test_first_steps_begin_after_the_skipped_ones() -> None:
    part = series(range(10)).window(Window("w", skip_steps=2, first_steps=3))
    assert part.values.tolist() == [2, 3, 4]


def test_too_few_points_are_inconclusive() -> None:
    with pytest.raises(Inconclusive, match=r"kl has 5 points in window 'tail' \(last 50 steps\), 30 are needed"):
        series(range(5)).window(Window("tail", last_steps=50, min_points=30))


def test_a_metric_that_stopped_has_no_tail() -> None:
    stopped = series(range(100))
    longer = type(stopped)(**{**{f: getattr(stopped, f) for f in stopped.__slots__}, "last_step": 1000.0})
    with pytest.raises(Inconclusive, match="last logged at step 99 of 1000"):
        longer.window(Window("tail", last_steps=50, min_points=1))


def test_statistics_by_hand() -> None:
    points = series([4.0, 1.0, 3.0, 2.0])
    expected = {"median": 2.5, "mean": 2.5, "min": 1, "max": 4, "first": 4, "last": 2, "count": 4, "change": -2}
    assert {name: points.statistic(name).value for name in expected} == expected
    assert points.statistic("std").value == pytest.approx(math.sqrt(1.25))
    assert points.statistic("slope").value == pytest.approx(-0.4)
    assert series(range(101)).statistic("p95").value == pytest.approx(95)
    assert len(STATISTICS) == 10 + 99


def test_nan_is_counted_and_never_lost() -> None:
    broken = series([1.0, math.nan, 2.0])
    assert broken.statistic("mean").value == 1.5
    assert broken.statistic("mean").non_finite == 1
    for name in ("min", "max"):
        assert math.isnan(float(broken.statistic(name).value))
    assert math.isnan(float(series([math.nan]).median().value))


def test_slope_of_one_step_is_flat() -> None:
    assert series([1.0, 5.0], steps=[3, 3]).slope() == 0.0


def test_worst_point_is_the_first_non_finite_one() -> None:
    trace = series([1.0, 9.0, math.inf, math.nan]).max().trace
    assert trace is not None
    assert trace.worst(">") == (2.0, math.inf)
    good = series([1.0, 9.0, 3.0]).max().trace
    assert good is not None
    assert (good.worst(">"), good.worst("<")) == ((1.0, 9.0), (0.0, 1.0))
