"""Does the run keep its pace?"""

from __future__ import annotations

from trainhealth.judge import Judge
from trainhealth.levels import growth
from trainhealth.pace import step_times
from trainhealth.run import Run


def test_step_time_drift(run: Run, criterion: Judge) -> None:
    """Median seconds a step takes over the tail window, beside its median over the run's first steps."""
    criterion.judge(growth(step_times(run), criterion.window))
