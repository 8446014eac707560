"""Is there something to learn from the completions?"""

from __future__ import annotations

from trainhealth.judge import Judge
from trainhealth.levels import growth, mean_of, unless_reward_rises
from trainhealth.run import Run
from trainhealth.spikes import zeros


def test_zero_variance_groups(run: Run, criterion: Judge) -> None:
    """Mean share of groups whose completions all have one reward, and so no advantage."""
    criterion.judge(mean_of(run.metric("zero_variance_groups").window(criterion.window)))


def test_reward_std_collapse(run: Run, criterion: Judge) -> None:
    """Median standard deviation of the reward over the tail window, beside its median over the run's first steps."""
    measured = growth(run.metric("reward_std"), criterion.window)
    unless_reward_rises(run, "the task is being solved")
    criterion.judge(measured)


def test_reward_std_zero(run: Run, criterion: Judge) -> None:
    """Share of steps at which the rewards have no spread at all."""
    criterion.judge(zeros(run.metric("reward_std").window(criterion.window)))


def test_truncation(run: Run, criterion: Judge) -> None:
    """Mean share of completions that end at the length limit."""
    criterion.judge(mean_of(run.metric("truncation").window(criterion.window)))


def test_length_growth(run: Run, criterion: Judge) -> None:
    """Median length of completions over the tail window, beside its median over the run's first steps."""
    measured = growth(run.metric("completion_length"), criterion.window)
    unless_reward_rises(run, "longer answers pay")
    criterion.judge(measured)
