"""How long training steps take."""

from __future__ import annotations

import numpy as np

from trainhealth.run import Run
from trainhealth.series import Series
from trainhealth.verdicts import Absent

STEP_TIME = "step_time"


def step_times(run: Run) -> Series:
    """Seconds per logging stride: as the run logs them, else from the times of its rows, one value a step.

    Raises Absent for a run whose rows have no times.
    """
    if logged := run.logged(STEP_TIME):
        return logged[0]
    times = run.record.history.columns.get("_timestamp")
    axis = run.steps
    if times is None:
        raise Absent("the rows of the run have no times (_timestamp), and it logs no step time")
    current = axis.current[times.rows]
    steps, last = np.unique(axis.of_row[times.rows][current][::-1], return_index=True)
    ends = times.values[current][::-1][last]
    taken = np.diff(ends) / np.maximum(np.diff(steps) / axis.stride, 1.0)
    return Series(STEP_TIME, "_timestamp", steps[1:], taken, axis.first, axis.last, axis.stride, axis.key, "s")
