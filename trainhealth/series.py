"""One metric over training steps, and the statistics a criterion takes of it."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace

import numpy as np

from trainhealth.history import Floats
from trainhealth.measurement import Measurement, Trace
from trainhealth.thresholds import Window
from trainhealth.verdicts import Inconclusive

NAMED = 3
"""Metrics that a message names."""

SILENT_GAPS = 3
SILENT_SHARE = 0.1
"""A metric has stopped when it misses 3 of its own usual gaps, and a tenth of the run, before the run's end."""


@dataclass(frozen=True, slots=True, eq=False)
class Series:
    """The points of one metric in the order they were logged: nothing sampled, nothing merged, NaN kept.

    Attributes:
        name: canonical name (``kl``). key: the run's own (``train/kl``). unit: shown behind values.
        steps, values: training step and value of each point, same length.
        first_step, last_step, stride: of the run, not of the metric: a metric that stopped has an empty tail.
        axis: the metric that the steps count.
        default: what the logger writes for something that was never measured.
    """

    name: str
    key: str
    steps: Floats
    values: Floats
    first_step: float
    last_step: float
    stride: float = 1.0
    axis: str = "_step"
    unit: str = ""
    default: float | None = None
    described: str = "whole run"

    def __len__(self) -> int:
        return len(self.values)

    def window(self, window: Window) -> Series:
        """The points inside `window`, whose steps are counted in logging strides of the run.

        Raises:
            Inconclusive: fewer than ``window.min_points`` points, a metric that stopped before the run did,
                or nothing but the logger's default.
        """
        keep = np.ones(len(self), dtype=bool)
        if window.skip_steps:
            keep &= self.steps >= self.first_step + window.skip_steps * self.stride
        if window.first_steps is not None:
            keep &= self.steps < self.first_step + (window.skip_steps + window.first_steps) * self.stride
        if window.last_steps is not None:
            keep &= self.steps > self.last_step - window.last_steps * self.stride
        found = int(keep.sum())
        if found < window.min_points:
            ends = ""
            if found < len(self) and window.last_steps is not None:
                ends = f"; it was last logged at step {self.steps[-1]:.15g} of {self.last_step:.15g}"
            raise Inconclusive(
                f"{self.key} has {found} points in window '{window.name}' ({window}), "
                f"{window.min_points} are needed{ends}"
            )
        if window.first_steps is None:
            self.require_fresh()
        values = self.values[keep]
        if self.default is not None and found > 1 and bool(np.all(values == self.default)):
            raise Inconclusive(
                f"{self.key} is {self.default:g}, the logger's default, at all {found} points of the {window}"
            )
        return replace(self, steps=self.steps[keep], values=values, described=str(window))

    def until(self, step: float) -> Series:
        """The points up to and including `step`, as if the run had ended there."""
        keep = self.steps <= step
        return replace(self, steps=self.steps[keep], values=self.values[keep], last_step=min(self.last_step, step))

    def require_fresh(self) -> None:
        """Raise Inconclusive where the metric stopped long before the run did, however seldom it is logged."""
        if reason := self.stopped():
            raise Inconclusive(reason)

    def stopped(self) -> str:
        """Says where the metric stopped long before the run did; empty where it did not."""
        steps = np.unique(self.steps)
        usual = float(np.median(np.diff(steps))) if len(steps) > 1 else self.stride
        silence = self.last_step - steps[-1]
        if silence <= max(SILENT_GAPS * usual, SILENT_SHARE * (self.last_step - self.first_step)):
            return ""
        return f"{self.key} was last logged at step {steps[-1]:.15g} of {self.last_step:.15g}"

    def magnitude(self) -> Series:
        """The same points without their signs."""
        return replace(self, values=np.abs(self.values))

    @property
    def finite(self) -> Floats:
        """The values without NaN and infinity."""
        return self.values[np.isfinite(self.values)]

    def measurement(
        self,
        value: float,
        *,
        trace: Trace | None = None,
        unit: str | None = None,
        reference: float | None = None,
        reference_name: str = "",
        interval: tuple[float, float] | None = None,
        detail: str = "",
    ) -> Measurement:
        """`value`, computed from these points, with them as its evidence."""
        return Measurement(
            value,
            unit=self.unit if unit is None else unit,
            reference=reference,
            reference_name=reference_name,
            points=len(self),
            window=self.described,
            keys=(self.key,),
            trace=trace or Trace(self.steps, self.values, self.axis),
            non_finite=len(self) - len(self.finite),
            where=first_non_finite(self),
            interval=interval,
            detail=detail,
        )

    def statistic(self, name: str) -> Measurement:
        """The statistic `name` of the finite values, as thresholds.yaml spells it (``median``, ``p95``, ``slope`` …).

        NaN when no value is finite, which lies beyond every limit.
        """
        return self.measurement(STATISTICS[name](self) if len(self.finite) else float("nan"))

    def median(self) -> Measurement:
        return self.statistic("median")

    def mean(self) -> Measurement:
        return self.statistic("mean")

    def max(self) -> Measurement:
        return self.statistic("max")

    def slope(self) -> float:
        """Least-squares slope of the finite values per training step; 0 for points that share one step."""
        keep = np.isfinite(self.values)
        steps, values = self.steps[keep], self.values[keep]
        spread = steps - steps.mean()
        return float(spread @ (values - values.mean()) / (spread @ spread)) if spread.any() else 0.0


def first_non_finite(*series: Series) -> str:
    """``train/kl, first at step 77; …``: which of `series` hold NaN or infinity, the earliest first; empty for none."""
    bad = [(float(one.steps[~np.isfinite(one.values)][0]), one.key) for one in series if len(one.finite) < len(one)]
    return firsts(bad)


def firsts(found: Iterable[tuple[float, str]]) -> str:
    """(step, key) of the first of each metric as text, the earliest ones by name."""
    named = [f"{key}, first at step {step:.15g}" for step, key in sorted(found)]
    return "; ".join([*named[:NAMED], *([f"and {len(named) - NAMED} more"] if len(named) > NAMED else [])])


STATISTICS: dict[str, Callable[[Series], float]] = {
    "median": lambda s: float(np.median(s.finite)),
    "mean": lambda s: float(np.mean(s.finite)),
    "min": lambda s: float(np.min(s.values)),
    "max": lambda s: float(np.max(s.values)),
    "first": lambda s: float(s.values[0]),
    "last": lambda s: float(s.values[-1]),
    "std": lambda s: float(np.std(s.finite)),
    "count": lambda s: float(len(s)),
    "change": lambda s: float(s.values[-1] - s.values[0]),
    "slope": Series.slope,
    **{f"p{q:02d}": lambda s, q=q: float(np.percentile(s.finite, q)) for q in range(1, 100)},  # type: ignore[misc]
}
"""Statistics that a ``custom.*`` criterion may name. min, max, first, last and change see NaN, so none is lost."""
