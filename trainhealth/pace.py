"""How long training steps take."""

from __future__ import annotations

import numpy as np

from trainhealth.run import Run
from trainhealth.series import Series
from trainhealth.verdicts import Absent, NotApplicable

STEP_TIME = "step_time"

REPLAYED_S = 0.05
"""Rows that follow each other faster than this were not written while a model trained: an imported or replayed log."""


def step_times(run: Run) -> Series:
    """Seconds per logging stride: as the run logs them, else from the times of its rows, one value a step.

    Raises:
        Absent: the rows of the run have no times.
        NotApplicable: their times are those of an import, not of training.
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
    if len(taken) and float(np.median(taken)) < REPLAYED_S:
        raise NotApplicable(f"rows follow each other in {1000 * np.median(taken):.2g} ms: no model trains so fast")
    return Series(STEP_TIME, "_timestamp", steps[1:], taken, axis.first, axis.last, axis.stride, axis.key, "s")
