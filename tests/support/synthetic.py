"""Small series and runs for tests of the computing."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from trainhealth.history import Column, History, RunRecord
from trainhealth.run import Run
from trainhealth.series import Series
from trainhealth.thresholds import Thresholds, load

ROOT = Path(__file__).resolve().parents[2]


def series(values: npt.ArrayLike, steps: npt.ArrayLike | None = None, name: str = "kl") -> Series:
    points = np.asarray(values, dtype=np.float64)
    at = np.arange(len(points), dtype=np.float64) if steps is None else np.asarray(steps, dtype=np.float64)
    first, last = (float(at.min()), float(at.max())) if len(at) else (0.0, 0.0)
    return Series(name, name, at, points, first, last)


def column(values: npt.ArrayLike, rows: npt.ArrayLike | None = None) -> Column:
    points = np.asarray(values, dtype=np.float64)
    return Column(
        np.arange(len(points), dtype=np.uint32) if rows is None else np.asarray(rows, dtype=np.uint32), points
    )


def run(columns: Mapping[str, Column], thresholds: Thresholds | None = None, **record: Any) -> Run:
    length = 1 + max((int(c.rows[-1]) for c in columns.values() if len(c.rows)), default=-1)
    segments = record.pop("segments", (0,))
    coverage = record.pop("coverage", "complete")
    non_finite = {
        key: (int((~np.isfinite(c.values)).sum()), int(c.rows[~np.isfinite(c.values)][0]))
        for key, c in columns.items()
        if not np.isfinite(c.values).all()
    }
    counts = {key: len(c.rows) for key, c in columns.items()}
    history = History(length, columns, counts, segments, coverage=coverage, non_finite=non_finite)
    return Run("demo", RunRecord("demo", history, "a test", **record), thresholds or load(ROOT / "thresholds.yaml"))


def ar1(length: int, phi: float, seed: int) -> npt.NDArray[np.float64]:
    """An AR(1) series with mean 0 and variance 1, from its stationary distribution."""
    random = np.random.default_rng(seed)
    noise = random.normal(size=length) * np.sqrt(1 - phi**2)
    values = np.empty(length)
    values[0] = random.normal()
    for at in range(1, length):
        values[at] = phi * values[at - 1] + noise[at]
    return values
