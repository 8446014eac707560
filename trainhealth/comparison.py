"""One measurement of a run beside the same measurement of another: what got worse, and how sure that is."""

from __future__ import annotations

import math
from dataclasses import replace

from trainhealth.judge import Judge
from trainhealth.limits import Bound, Kind
from trainhealth.measurement import Measurement, decimals, extent, figure
from trainhealth.thresholds import Criterion
from trainhealth.verdicts import Change, Compared, Verdict

ALIKE = 0.1
"""Without an interval, a difference within this share of the larger value, or of the strictest limit, counts as none
unless the verdict changes with it; nor does one of values of which this share is still above a limit of ``< 7``."""


def compare(criterion: Criterion, baseline: str, extent: str, new: Measurement, old: Measurement) -> Compared:
    """The word on `new` against `old`, both measured over the same `extent` of their runs.

    Values are compared as the criterion's limits see them: each as a multiple of its own reference where the limits
    are multiples, as its change in percent where they are such changes. Worse is what lies nearer to the limits, or
    beyond them. Where an interval of either is known, both errors count, and a difference whose 95 % interval holds 0
    is unclear. A run with points that are no numbers is never better. Within all limits of a guard there is neither
    better nor worse: it says where harm begins, and a policy that collapsed has less entropy and calmer gradients.

    Raises:
        ThresholdsError: the limits are of a kind that a value cannot be held against.
    """
    if isinstance(new.value, str) or isinstance(old.value, str):
        return Compared(
            baseline=baseline,
            extent=extent,
            value=str(new),
            baseline_value=str(old),
            change=_of_states(criterion, new, old),
        )
    kind = _kind(criterion, new, old)
    difference = new.in_kind(kind) - old.in_kind(kind)
    interval = _interval(difference, new, old, kind)
    change = _of_numbers(criterion, new, old, kind, interval)
    return Compared(
        baseline=baseline,
        extent=extent,
        value=_shown(new, kind),
        baseline_value=_shown(old, kind),
        difference=difference,
        difference_text=_signed(new, kind, difference, interval),
        interval=interval,
        change=Change.UNCLEAR if change is Change.BETTER and new.non_finite else change,
    )


def _strictest(criterion: Criterion) -> Bound | None:
    return next((limit for limit in (*criterion.warn, *criterion.fail) if isinstance(limit, Bound)), None)


def _kind(criterion: Criterion, *both: Measurement) -> str:
    """``x`` or ``%`` where the limits are such and both have a reference; else they are compared as they are."""
    limit = _strictest(criterion)
    kind = limit.kind.value if limit is not None else ""
    shares = kind == "%" and all(one.unit == "fraction" for one in both)
    return kind if shares or all(one.reference is not None for one in both) else ""


def _shown(measured: Measurement, kind: str) -> str:
    plain = replace(measured, interval=None)
    share = measured.unit == "fraction" and kind == "%"
    return str(plain) if share or not kind else f"{plain} = {figure(measured.in_kind(kind))}{kind}"


def _signed(measured: Measurement, kind: str, value: float, interval: tuple[float, float] | None) -> str:
    """A difference of what was measured, with sign, unit and interval, all as `kind` sees them."""
    if not kind:
        text = str(replace(measured, value=value, interval=interval))
    elif interval is None:
        text = f"{figure(value)}{kind}"
    else:
        text = f"{figure(value, decimals(*interval))}{kind} {extent(*interval)}"
    return f"+{text}" if value > 0 else text


def _of_states(criterion: Criterion, new: Measurement, old: Measurement) -> Change:
    """A state is as bad as its verdict."""
    worse = _severity(criterion, new) - _severity(criterion, old)
    return Change.ALIKE if not worse or new.value == old.value else Change.WORSE if worse > 0 else Change.BETTER


def _of_numbers(
    criterion: Criterion, new: Measurement, old: Measurement, kind: str, interval: tuple[float, float] | None
) -> Change:
    value, old_value = new.in_kind(kind), old.in_kind(kind)
    difference = value - old_value
    if not math.isfinite(difference):
        return Change.UNCLEAR
    if difference == 0:
        return Change.ALIKE
    if interval is not None:
        if interval[0] <= 0 <= interval[1]:
            return Change.UNCLEAR
    else:
        limit = _strictest(criterion)
        held = limit.number if limit is not None and limit.kind.value == kind else 0.0
        near = abs(difference) <= ALIKE * max(abs(value), abs(old_value), abs(held))
        far_above = limit is not None and limit.sign == "<" and 0 < held <= ALIKE * min(value, old_value)
        if (near or far_above) and _severity(criterion, new) == _severity(criterion, old):
            return Change.ALIKE
    if _guards(criterion) and {_verdict(criterion, new), _verdict(criterion, old)} == {Verdict.PASS}:
        return Change.ALIKE
    above = any(isinstance(limit, Bound) and limit.sign == ">" for limit in (*criterion.fail, *criterion.warn))
    return Change.WORSE if (difference > 0) == above else Change.BETTER


def _guards(criterion: Criterion) -> bool:
    """Whether its limits fence off harm, and tell of no aim: in learning, those against a multiple of the start."""
    limit = _strictest(criterion)
    runaway = limit is not None and limit.sign == ">" and limit.kind is Kind.TIMES
    area = criterion.id.partition(".")[0]
    return area in ("stability", "integrity") or (area == "learning" and runaway)


def _verdict(criterion: Criterion, measured: Measurement) -> Verdict:
    return Judge(criterion, "").measured(measured).verdict


def _severity(criterion: Criterion, measured: Measurement) -> int:
    return _verdict(criterion, measured).severity


def _interval(difference: float, new: Measurement, old: Measurement, kind: str) -> tuple[float, float] | None:
    """The half widths add up as independent errors do; one that is not known counts as none, as do references."""
    widths = []
    for one in (new, old):
        if one.interval is not None:
            low, high = (replace(one, value=end).in_kind(kind) for end in one.interval)
            widths.append(abs(high - low) / 2)
    if not widths:
        return None
    reach = math.hypot(*widths)
    return difference - reach, difference + reach
