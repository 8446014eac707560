"""The training-step axis of a run: which training step every history row belongs to."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from trainhealth.history import Column, Floats, History

COUNTER, ROW = "_step", "row"
"""What counts rows where a run logs no better step: the W&B client, or this module."""

ROW_SHARE = 1 / 3
"""A key counts as the step axis when at least this share of rows holds it: a trainer that logs its evaluation in
rows of its own leaves every second row without one; a stray counter in a few rows is no axis."""

MOST_ROWS_A_STEP = 20
"""A counter with more rows than this to each of its values (an epoch) is no step axis; real trainers log up to 13."""

FEW_ROWS_A_STEP = 3
"""So many rows to a step are let pass for a counter that falls often."""

MOST_FALLS = 0.01
"""A counter that falls more often than in this share of its rows starts again and again; a rewind falls once."""


@dataclass(frozen=True, slots=True, eq=False)
class StepAxis:
    """Training step of every row.

    Attributes:
        key: the metric the steps come from; ``_step`` where the run logs nothing better, ``row`` where not even that.
        of_row: training step of each history row, shape (rows,); a row without one takes the last one seen.
        logged: the steps as logged, in row order, only for rows that hold one.
        logged_rows: the rows those stand in.
        stride: the usual distance between consecutive logged steps; 1.0 for a run too short to tell.
        current: whether each row belongs to what the run became, shape (rows,): False for rows that a later session
            (resume) went back before.
    """

    key: str
    of_row: Floats
    logged: Floats
    logged_rows: Floats
    stride: float
    current: npt.NDArray[np.bool_]

    @property
    def first(self) -> float:
        return float(np.min(self.of_row)) if len(self.of_row) else 0.0

    @property
    def last(self) -> float:
        return float(np.max(self.of_row[self.current])) if len(self.of_row) else 0.0

    @property
    def distinct(self) -> Floats:
        """The logged steps, ascending, each once."""
        return np.unique(self.logged)


def step_axis(history: History, keys: Iterable[str], known: Collection[str] = ()) -> StepAxis:
    """The first of `known`, then of `keys`, that enough rows hold and that rises; else ``_step``, else the row number.

    `known` are the run's trainer's own: one row in `MOST_ROWS_A_STEP` is enough, and they may fall and rise again, as
    they do where a trainer and its samplers log by turns.
    """
    shares = {**dict.fromkeys((*keys, COUNTER), ROW_SHARE), **dict.fromkeys(known, 1 / MOST_ROWS_A_STEP)}
    for key in (*known, *shares):
        column = history.columns.get(key)
        if column is None or len(column.rows) < shares[key] * history.length:
            continue
        trusted = key == COUNTER or key in known or _rises(column, history.segments)
        if not np.isfinite(column.values).all() or not trusted:
            continue
        return _axis(key, history, column.rows.astype(np.float64), without_stray_zeros(column.values))
    rows = np.arange(history.length, dtype=np.float64)
    return _axis(ROW, history, rows, rows)


def without_stray_zeros(steps: Floats) -> Floats:
    """The steps, where a 0 that the run goes on from far beyond counts as the step after it.

    A Trainer that resumes logs its first row as step 0.
    """
    if len(steps) < 2:
        return steps
    jump = FEW_ROWS_A_STEP * float(np.median(np.abs(np.diff(steps))))
    at = np.flatnonzero((steps[:-1] == 0) & (steps[1:] > jump))
    at = at[(at == 0) | (steps[at - 1] > jump)]
    mended = steps.copy()
    mended[at] = steps[at + 1]
    return mended


def _rises(column: Column, segments: Sequence[int]) -> bool:
    """Whether steps go forward within a session, and not too slowly.

    A counter that falls often is taken all the same if it has enough values of its own: two writers at once, not a
    counter within each step.
    """
    inside = ~np.isin(np.arange(1, len(column.rows)), np.searchsorted(column.rows, segments))
    falls = int(np.sum((np.diff(column.values) < 0) & inside))
    different = len(np.unique(column.values))
    rows_a_step = MOST_ROWS_A_STEP if falls <= max(2.0, MOST_FALLS * len(column.values)) else FEW_ROWS_A_STEP
    return different * rows_a_step >= len(column.values)


def _axis(key: str, history: History, rows: Floats, steps: Floats) -> StepAxis:
    length = history.length
    of_row = np.full(length, np.nan)
    of_row[rows.astype(np.intp)] = steps
    held = np.maximum.accumulate(np.where(np.isnan(of_row), -1, np.arange(length)))
    filled = np.where(held >= 0, of_row[np.maximum(held, 0)], min(0.0, steps[0]) if len(steps) else 0.0)
    gaps = np.diff(np.unique(steps))
    stride = float(np.median(gaps)) if len(gaps) else 1.0
    current = np.ones(length, dtype=bool)
    for begin in (one for one in history.segments[1:] if one < length):
        if (after := steps[rows >= begin]).size:
            current[:begin] &= filled[:begin] < after[0]
    return StepAxis(key, filled, steps, rows, stride, current)
