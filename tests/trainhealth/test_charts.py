"""Charts keep what a thinned or sampled line loses: single spikes, dips, and points that are no numbers."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from synthetic import column, run

from trainhealth.charts import BUCKETS, charts_of, line
from trainhealth.series import Series


def _series(steps: list[float], values: list[float]) -> Series:
    return Series("kl", "train/kl", np.array(steps), np.array(values), min(steps), max(steps))


@given(st.integers(1, 4000), st.data())
def test_a_spike_and_a_dip_are_in_the_line_wherever_they_are(n: int, data: st.DataObject) -> None:
    up, down = (data.draw(st.integers(0, n - 1)) for _ in range(2))
    values = np.sin(np.arange(n) / 7)
    values[down], values[up] = -50.0, 392_000.0
    found = line(_series(list(range(n)), values.tolist()))
    points = list(zip(found.steps, found.values, strict=True))
    assert len(points) <= 2 * BUCKETS + 2
    assert (up, 392_000.0) in points
    assert up == down or (down, -50.0) in points
    assert found.steps[0] == 0
    assert found.steps[-1] == n - 1
    assert list(found.steps) == sorted(found.steps)


def test_what_is_no_number_is_kept_apart() -> None:
    found = line(_series([1, 2, 3, 4], [0.1, float("nan"), float("inf"), 0.2]))
    assert (found.steps, found.values, found.lost) == ((1, 4), (0.1, 0.2), (2, 3))


def test_a_chart_has_the_limits_the_window_and_the_spikes_that_are_judged() -> None:
    kl = [0.02] * 100
    kl[40] = 0.9
    (chart,) = charts_of(run({"train/kl": column(kl)})).charts
    assert chart.title == "KL to the reference policy"
    assert [(rule.verdict, rule.sign, rule.number) for rule in chart.rules] == [("WARN", ">", 0.1), ("FAIL", ">", 0.2)]
    assert chart.spikes == ((40.0, 0.9),)
    assert chart.window == (49.0, 99.0)
    assert chart.points == 100
