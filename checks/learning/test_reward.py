"""Does the reward rise, or at least hold?"""

from __future__ import annotations

from trainhealth.judge import Judge
from trainhealth.run import Run
from trainhealth.trends import agreement, change, decline, early_drop, spread_since_start
from trainhealth.verdicts import NotApplicable


def test_reward_trend(run: Run, criterion: Judge) -> None:
    """Mean reward of the run's last fifth minus that of its first, in standard deviations of one step."""
    criterion.judge(change(run.metric("reward").window(criterion.window)))


def test_reward_gain(run: Run, criterion: Judge) -> None:
    """Mean reward of the last fifth minus that of the first: surely a rise, where no ratings show the learning."""
    if run.rated:
        raise NotApplicable("the run logs ratings, which carry the learning verdict")
    criterion.judge(change(run.metric("reward").window(criterion.window)))


def test_reward_without_rating(run: Run, criterion: Judge) -> None:
    """Whether the reward rises while the ratings show that nobody became better: a word, what is sure of both."""
    gain = run.ratings.gain()  # a run without ratings leaves here
    criterion.judge(agreement(change(run.metric("reward").window(criterion.window)), gain))


def test_reward_spread(run: Run, criterion: Judge) -> None:
    """Median standard deviation of the reward in the run's last fifth, as a multiple of its first fifth's."""
    criterion.judge(spread_since_start(run.metric("reward_std").window(criterion.window)))


def test_reward_decline(run: Run, criterion: Judge) -> None:
    """Mean reward of the run's last fifth minus that of its best fifth, in standard deviations of one step."""
    criterion.judge(decline(run.metric("reward").window(criterion.window)))


def test_early_reward_drop(run: Run, criterion: Judge) -> None:
    """Fall of the reward below its start within the first steps, beyond noise, as a fraction of the start."""
    criterion.judge(early_drop(run.metric("reward").window(criterion.window)))
