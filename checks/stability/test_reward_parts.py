"""What is the reward paid for?"""

from __future__ import annotations

from trainhealth.judge import Judge
from trainhealth.levels import alive, dominance, moves, rewards
from trainhealth.run import Run
from trainhealth.verdicts import NotApplicable


def test_task_reward_alive(run: Run, criterion: Judge) -> None:
    """Share of steps at which any reward for the task, as against its format, is not 0."""
    criterion.judge(alive(rewards(run)[1], criterion.window))


def test_format_over_task(run: Run, criterion: Judge) -> None:
    """The share of task_reward_alive, where a reward for the format surely rises: the form is all that is learned."""
    form, task = rewards(run)
    measured = alive(task, criterion.window)
    if not any(moves(one) > 0 for one in form):
        raise NotApplicable("no reward for the format rises")
    criterion.judge(measured)


def test_reward_dominance(run: Run, criterion: Judge) -> None:
    """Share of the largest part of the reward in the sum of all."""
    form, task = rewards(run)
    criterion.judge(dominance([*form, *task], criterion.window))
