"""Does the reward rise, or at least hold?"""

from __future__ import annotations

from trainhealth.judge import Judge
from trainhealth.run import Run
from trainhealth.trends import change, decline, early_drop
from trainhealth.verdicts import NotApplicable


def test_reward_trend(run: Run, criterion: Judge) -> None:
    """Mean reward of the run's last fifth minus that of its first, in standard deviations of one step."""
    criterion.judge(change(run.metric("reward").window(criterion.window)))


def test_reward_gain(run: Run, criterion: Judge) -> None:
    """The same change, which must surely be a rise where no ratings show the learning."""
    if run.rated:
        raise NotApplicable("the run logs ratings, which carry the learning verdict")
    criterion.judge(change(run.metric("reward").window(criterion.window)))


def test_reward_decline(run: Run, criterion: Judge) -> None:
    """Mean reward of the run's last fifth minus that of its best fifth, in standard deviations of one step."""
    criterion.judge(decline(run.metric("reward").window(criterion.window)))


def test_early_reward_drop(run: Run, criterion: Judge) -> None:
    """Fall of the reward below its start within the first steps, beyond noise, as a fraction of the start."""
    criterion.judge(early_drop(run.metric("reward").window(criterion.window)))
