"""A run as a source delivers it: who it is, and its metric history as columns."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]
Rows = npt.NDArray[np.uint32]

COVERAGES = ("complete", "restarted", "open", "partial", "sampled", "incomplete")
"""How much of what a run logged is in its history, best first; of several the last counts.

complete: all of it. restarted: earlier sessions were left out, as the training started over. open: the run recorded no
end (it is running, was killed or crashed), so its last rows may not be written. partial: a path was given, and further
files of the run lie beside it unread. sampled: the source thins out long histories. incomplete: rows that the run is
known to have logged are absent, and it has ended or gone on without them.
"""


@dataclass(frozen=True, slots=True, eq=False)
class Column:
    """One metric as logged: ``values[i]`` stands in history row ``rows[i]`` (ascending). NaN and infinity are kept."""

    rows: Rows
    values: Floats


@dataclass(frozen=True, slots=True, eq=False)
class History:
    """All rows of a run in the order they were logged, as columns of the metrics that were asked for.

    Attributes:
        length: number of rows.
        columns: key -> column, for every requested numeric key that the run has. Always holds ``_step`` and
            ``_timestamp`` (unix seconds) where the run has them.
        counts: every key of the run, requested or not -> number of rows that hold a value for it; leaves of
            media and histograms are left out.
        segments: first row of each file or session that contributed (``(0,)`` for an unbroken run).
        coverage: how much of what the run logged is here, one of `COVERAGES`.
        non_finite: every key of the run, requested or not, that holds NaN or infinite values -> how many, and the first
            row with one.
        notes: what a reader must know of the record: a live tail, several files, rows that were replaced.
    """

    length: int
    columns: Mapping[str, Column]
    counts: Mapping[str, int]
    segments: tuple[int, ...] = (0,)
    coverage: str = "complete"
    notes: tuple[str, ...] = ()
    non_finite: Mapping[str, tuple[int, int]] = field(default_factory=dict)

    def only(self, keep: npt.NDArray[np.bool_]) -> History:
        """The rows that `keep`, shape (length,), says; counts of keys that were not asked for stay as they are."""
        place = np.cumsum(keep, dtype=np.uint32) - np.uint32(1)
        columns: dict[str, Column] = {}
        counts = {key: count for key, count in self.counts.items() if key not in self.columns}
        seen = {key: found for key, found in self.non_finite.items() if key in counts and keep[found[1]]}
        bad = {key: (count, int(place[row])) for key, (count, row) in seen.items()}
        for key, column in self.columns.items():
            held = keep[column.rows]
            if held.any():
                columns[key] = Column(place[column.rows[held]], column.values[held])
                counts[key] = len(columns[key].rows)
                odd = columns[key].rows[~np.isfinite(columns[key].values)]
                if len(odd):
                    bad[key] = len(odd), int(odd[0])
        length = int(keep.sum())
        begins = dict.fromkeys(int(keep[:begin].sum()) for begin in self.segments)
        segments = tuple(begin for begin in begins if begin < length) or (0,)
        return History(length, columns, counts, segments, self.coverage, self.notes, bad)


@dataclass(frozen=True, slots=True, eq=False)
class RunRecord:
    """One run with its exact history.

    Attributes:
        id, name, project, entity: as W&B knows them; empty where unknown.
        source: where it was read from, for people: a path or a URL.
        state: ``running``, ``finished``, ``crashed``, ``failed``, ``killed`` …, as W&B spells them.
        ends: whether this form of record says when a run has ended; a log of rows alone never does.
        exit_code: of the training process, None if it never said.
        started, heartbeat: unix seconds; the heartbeat is the last sign of life.
        config: flattened with dots: ``{"actor.kl_loss_coef": 0.0}``.
        last_logged_step: the last ``_step`` the run claims to have logged (its summary), to check completeness.
        step_metrics: metric or glob -> the metric it was declared to be plotted against (define_metric).
    """

    id: str
    history: History
    source: str
    name: str = ""
    project: str = ""
    entity: str = ""
    state: str = "running"
    ends: bool = True
    exit_code: int | None = None
    started: float | None = None
    heartbeat: float | None = None
    config: Mapping[str, Any] = field(default_factory=dict)
    tags: tuple[str, ...] = ()
    last_logged_step: int | None = None
    step_metrics: Mapping[str, str] = field(default_factory=dict)
