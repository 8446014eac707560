"""Does the policy keep exploring? Entropy is held against the run's own start: its scale differs from task to task."""

from __future__ import annotations

from trainhealth.ending import fall_at_the_end
from trainhealth.judge import Judge
from trainhealth.levels import entropy, growth, reward_moves, unless_reward_rises
from trainhealth.run import Run
from trainhealth.verdicts import NotApplicable


def test_entropy_drop(run: Run, criterion: Judge) -> None:
    """Median entropy over the tail window, beside its median over the run's first steps."""
    criterion.judge(growth(entropy(run), criterion.window))


def test_entropy_collapse(run: Run, criterion: Judge) -> None:
    """Entropy as in entropy_drop, where the reward does not surely rise: then nothing was gained for it."""
    measured = growth(entropy(run), criterion.window)
    unless_reward_rises(run, "the policy settles on what pays")
    criterion.judge(measured)


def test_entropy_fall_at_the_end(run: Run, criterion: Judge) -> None:
    """Fall of the entropy into the run's last points, beside the deepest that the run recovered from."""
    criterion.judge(fall_at_the_end(entropy(run).window(criterion.window)))


def test_entropy_rise(run: Run, criterion: Judge) -> None:
    """Median entropy over the tail window, beside its median over the run's first steps."""
    criterion.judge(growth(entropy(run), criterion.window))


def test_entropy_explosion(run: Run, criterion: Judge) -> None:
    """Entropy as in entropy_rise, where the reward surely falls: the policy dissolves into noise."""
    measured = growth(entropy(run), criterion.window)
    if reward_moves(run) >= 0:
        raise NotApplicable("the reward does not fall")
    criterion.judge(measured)
