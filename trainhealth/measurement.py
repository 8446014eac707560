"""One measured quantity with the evidence behind it."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]


@dataclass(frozen=True, slots=True, eq=False)
class Trace:
    """The points a value was computed from, so that a message can say where it is worst.

    ``steps`` and ``values`` have the same length; ``axis`` names what the steps count.
    """

    steps: Floats
    values: Floats
    axis: str = "step"

    def worst(self, sign: str) -> tuple[float, float] | None:
        """(step, value) of the largest value for ``>``, the smallest for ``<``; a non-finite one first."""
        if not len(self.values):
            return None
        bad = np.flatnonzero(~np.isfinite(self.values))
        extreme = np.argmax if sign == ">" else np.argmin
        at = int(bad[0]) if len(bad) else int(extreme(self.values))
        return float(self.steps[at]), float(self.values[at])


@dataclass(frozen=True, slots=True, eq=False)
class Measurement:
    """A value to be judged.

    Attributes:
        value: the number (or the word, for a state) that the limits are compared with.
        unit: shown behind the number: ``s``, ``Elo``, ``/h``; ``fraction`` is shown in percent.
        vocabulary: all words that a state may be; a limit that is none of them is a mistake.
        reference: what ``3x`` and ``-5%`` limits are relative to; None where there is nothing to compare with.
        reference_name: what the reference is, e.g. ``its median over the first 20 steps``.
        points: how many data points the value rests on.
        window: which part of the run they come from, for people.
        keys: the names of the metrics or events as the run logs them.
        trace: the points, to find the worst step.
        interval: 95 % interval of the value, in its unit, where one is known; a limit inside it decides nothing.
        non_finite: how many NaN or infinite points lie in the window; any of them rules out a pass.
        where: of these points, or of those that the value counts: ``train/kl, first at step 77``.
        action: what to do first, before what the criterion says.
        doubt: why a value that no fail limit rules out does not pass either; empty where it may.
        detail: one more sentence for the message.
        table: rows for reports, each a mapping of column to number or text.
    """

    value: float | str
    unit: str = ""
    vocabulary: tuple[str, ...] = ()
    reference: float | None = None
    reference_name: str = ""
    points: int = 1
    window: str = ""
    keys: tuple[str, ...] = ()
    trace: Trace | None = None
    interval: tuple[float, float] | None = None
    non_finite: int = 0
    where: str = ""
    action: str = ""
    doubt: str = ""
    detail: str = ""
    table: tuple[Mapping[str, Any], ...] = field(default=())

    def in_kind(self, kind: str) -> float:
        """The value as a limit of `kind` (``""``, ``%`` or ``x``) sees it.

        Raises:
            ValueError: the value is a word, or has no reference to be a multiple of.
        """
        if isinstance(self.value, str):
            raise ValueError(f"the measured value is a state ({self.value!r}), so its limits must be states too")
        if kind == "":
            return self.value
        if kind == "%" and self.unit == "fraction":
            return self.value * 100
        if self.reference is None:
            raise ValueError(f"there is nothing for a '{kind}' limit to be relative to; give a plain number")
        if kind == "%":
            return _ratio(self.value - self.reference, abs(self.reference)) * 100
        return _ratio(self.value, self.reference)

    def __str__(self) -> str:
        """The value with its unit, no finer than its interval tells, and the interval: ``-0.1 Elo [-6.6 … 6.5]``."""
        if isinstance(self.value, str):
            return self.value
        factor, unit = (100.0, "%") if self.unit == "fraction" else (1.0, f" {self.unit}")
        if self.interval is not None:
            low, high = (end * factor for end in self.interval)
            return f"{figure(self.value * factor, decimals(low, high))}{unit}".rstrip() + f" {extent(low, high)}"
        number = figure(self.value * factor)
        if number == "1" and len(unit) > 3 and "/" not in unit:  # 1 step, 2 steps
            unit = unit.removesuffix("s")
        return f"{number}{unit}".rstrip()


def figure(number: float, places: int | None = None) -> str:
    """A number for people: 314.7, 872,730, 5.16e-7; with so many `places` behind the point where they are given."""
    size = abs(number)
    if not math.isfinite(number):
        return f"{number:.4g}"
    if size == 0:
        return "0"
    if places is not None and size < _HUGE:
        return f"{round(number, places) or 0.0:,.{places}f}"  # never -0.0
    if size < _NOTHING:
        return f"below {_NOTHING:.0e}" if number > 0 else f"above -{_NOTHING:.0e}"
    if size < _TINY or size >= _HUGE:
        mantissa, exponent = f"{number:.2e}".split("e")
        return f"{mantissa.rstrip('0').rstrip('.')}e{int(exponent)}"
    return f"{number:,.0f}" if size >= 9999.5 else f"{number:.4g}"


def extent(low: float, high: float) -> str:
    """An interval without its unit, which stands at its value: ``[-6.6 … 6.5]``."""
    places = decimals(low, high)
    return f"[{figure(low, places)} … {figure(high, places)}]"


def decimals(low: float, high: float) -> int | None:
    """The decimals that an interval deserves: two digits of half its width. None where it has no width."""
    half = (high - low) / 2
    if not math.isfinite(half) or half <= 0:
        return None
    places = 1 - math.floor(math.log10(half))
    return max(places, 0) if places <= _FINEST else None


_NOTHING, _TINY, _HUGE = 1e-12, 1e-4, 1e9
_FINEST = 6


def _ratio(value: float, reference: float) -> float:
    """value / reference, where nothing over nothing is no change and something over nothing is infinite."""
    if reference == 0:
        return math.nan if math.isnan(value) else math.copysign(math.inf, value) if value else 0.0
    return value / reference
