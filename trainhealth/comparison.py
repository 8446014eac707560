"""One measurement of a run beside the same measurement of another: what got worse, and how sure that is."""

from __future__ import annotations

import math
from dataclasses import replace

from trainhealth.judge import Judge
from trainhealth.limits import Bound
from trainhealth.measurement import Measurement
from trainhealth.thresholds import Criterion
from trainhealth.verdicts import Change, Compared

ALIKE = 0.1
"""Without an interval, values within this share of the larger of the two are called alike."""


def compare(criterion: Criterion, baseline: str, extent: str, new: Measurement, old: Measurement) -> Compared:
    """The word on `new` against `old`, both measured over the same `extent` of their runs.

    Worse is what lies nearer to the criterion's limits, or beyond them. Where an interval of either is known, both
    errors count, and a difference whose 95 % interval holds 0 is unclear. A run with points that are no numbers is
    never better.
    """
    if isinstance(new.value, str) or isinstance(old.value, str):
        return Compared(
            baseline=baseline,
            extent=extent,
            value=str(new),
            baseline_value=str(old),
            change=_of_states(criterion, new, old),
        )
    difference = new.value - old.value
    interval = _interval(difference, new, old)
    change = _of_numbers(criterion, new.value, old.value, interval)
    sure = "" if interval is None else f" [{' … '.join(_signed(new, end) for end in interval)}]"
    return Compared(
        baseline=baseline,
        extent=extent,
        value=str(new),
        baseline_value=str(old),
        difference=difference,
        difference_text=_signed(new, difference) + sure,
        interval=interval,
        change=Change.UNCLEAR if change is Change.BETTER and new.non_finite else change,
    )


def _signed(measured: Measurement, value: float) -> str:
    """A difference of what was measured, with sign and unit."""
    return f"{'+' if value > 0 else ''}{replace(measured, value=value)}"


def _of_states(criterion: Criterion, new: Measurement, old: Measurement) -> Change:
    """A state is as bad as its verdict."""
    if new.value == old.value:
        return Change.ALIKE
    severity = [Judge(criterion, "").measured(one).verdict.severity for one in (new, old)]
    return Change.ALIKE if severity[0] == severity[1] else Change.WORSE if severity[0] > severity[1] else Change.BETTER


def _of_numbers(criterion: Criterion, new: float, old: float, interval: tuple[float, float] | None) -> Change:
    difference = new - old
    if not math.isfinite(difference):
        return Change.UNCLEAR
    if difference == 0:
        return Change.ALIKE
    if interval is not None:
        if interval[0] <= 0 <= interval[1]:
            return Change.UNCLEAR
    elif abs(difference) <= ALIKE * max(abs(new), abs(old)):
        return Change.ALIKE
    above = any(isinstance(limit, Bound) and limit.sign == ">" for limit in (*criterion.fail, *criterion.warn))
    return Change.WORSE if (difference > 0) == above else Change.BETTER


def _interval(difference: float, new: Measurement, old: Measurement) -> tuple[float, float] | None:
    """The half widths add up as independent errors do; one that is not known counts as none."""
    widths = [(one.interval[1] - one.interval[0]) / 2 for one in (new, old) if one.interval is not None]
    if not widths:
        return None
    reach = math.hypot(*widths)
    return difference - reach, difference + reach
