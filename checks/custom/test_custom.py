"""Criteria that need no Python: metric, statistic, window and limits stand in thresholds.yaml."""

from __future__ import annotations

from trainhealth.judge import Judge
from trainhealth.run import Run


def test_custom(run: Run, criterion: Judge, custom_id: str) -> None:
    """The statistic of the metric over the window, as the entry `custom_id` says."""
    entry = criterion.criterion
    assert entry.metric is not None
    assert entry.statistic is not None
    criterion.judge(run.metric(entry.metric).window(entry.window).statistic(entry.statistic))
