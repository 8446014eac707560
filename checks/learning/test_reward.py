"""Does the reward rise, or at least hold?"""

from __future__ import annotations

from trainhealth.ending import fall_at_the_end
from trainhealth.judge import Judge
from trainhealth.levels import if_reward_rises
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
    """Median standard deviation of the reward in the run's last fifth, as a multiple of its first fifth's.

    Where the reward surely rises it warns at most: nothing varies while nothing is solved.
    """
    measured = spread_since_start(run.metric("reward_std").window(criterion.window))
    criterion.judge(measured, lenient=if_reward_rises(run, "there was less to vary at the start"))


def test_reward_decline(run: Run, criterion: Judge) -> None:
    """Mean reward of the run's last fifth minus that of its best fifth, in standard deviations of one step."""
    criterion.judge(decline(run.metric("reward").window(criterion.window)))


def test_reward_fall_at_the_end(run: Run, criterion: Judge) -> None:
    """Fall of the reward into the run's last points, beside the deepest that the run recovered from."""
    criterion.judge(fall_at_the_end(run.metric("reward").window(criterion.window)))


def test_early_reward_drop(run: Run, criterion: Judge) -> None:
    """Fall of the reward below its start within the first steps, beyond noise, as a fraction of the start.

    Where the reward surely rises over the run it warns at most. Without a KL to a reference a policy begins by
    exploring, and its first rewards are no level to hold.
    """
    reward = run.metric("reward")
    if not (run.logged("kl", "sequence_kl") or any(run.configured("kl_beta").values())):
        raise NotApplicable("the run logs no KL to a reference, whose penalty an early drop would come from")
    criterion.judge(early_drop(reward.window(criterion.window)), lenient=if_reward_rises(run, "it recovered"))
