"""Is it the task that is learned, and not the form of its answers?"""

from __future__ import annotations

from trainhealth.judge import Judge
from trainhealth.levels import best_change, rewards
from trainhealth.run import Run
from trainhealth.verdicts import NotApplicable


def test_task_gain(run: Run, criterion: Judge) -> None:
    """Change of the reward for the task that rose most, where a part of the reward is paid for the format."""
    form, task = rewards(run)
    if not (form and task):
        raise NotApplicable("the reward has no part for the format beside one for the task")
    criterion.judge(best_change(task, criterion.window))
