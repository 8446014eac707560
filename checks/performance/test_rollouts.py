"""Do games finish, soon enough, and yield enough to train on?"""

from __future__ import annotations

from trainhealth.events import EventAggregates
from trainhealth.judge import Judge


def test_rollout_p50(events: EventAggregates, criterion: Judge) -> None:
    """Median duration of completed rollouts, in seconds."""
    criterion.judge(events.rollout_duration(0.5))


def test_rollout_p95(events: EventAggregates, criterion: Judge) -> None:
    """Duration that 95 % of completed rollouts stay below, in seconds."""
    criterion.judge(events.rollout_duration(0.95))


def test_trajectories_per_rollout(events: EventAggregates, criterion: Judge) -> None:
    """Mean number of trajectories of a completed rollout."""
    criterion.judge(events.trajectories_per_rollout())


def test_trajectories_per_hour(events: EventAggregates, criterion: Judge) -> None:
    """All trajectories over the wall-clock time from the first rollout's start to the last one's end, per hour."""
    criterion.judge(events.trajectories_per_hour())


def test_rollout_completion(events: EventAggregates, criterion: Judge) -> None:
    """Completed rollouts over started ones that could have ended, a fraction."""
    criterion.judge(events.rollout_completion())
