"""Holding a measurement against a criterion."""

from __future__ import annotations

import dataclasses
import math
from dataclasses import dataclass, field

from trainhealth.errors import ThresholdsError, TrainhealthError
from trainhealth.limits import Bound, Kind, Limit, Word
from trainhealth.measurement import Measurement, figure
from trainhealth.thresholds import Criterion, Waiver, Window
from trainhealth.verdicts import Absent, Inconclusive, Judgement, NotApplicable, Verdict

_TO_DO = (Verdict.FAIL, Verdict.WARN, Verdict.WAIVED)
"""Where something is to be done."""


@dataclass(slots=True)
class Judge:
    """Says what a measurement means for one criterion on one run; what a check calls ``criterion``.

    Attributes:
        run: the run id as the user gave it.
        waiver: the live waiver of this criterion on this run, if there is one.
        judgement: the last word, once there is one.
    """

    criterion: Criterion
    run: str
    waiver: Waiver | None = None
    judgement: Judgement | None = field(default=None, init=False)

    @property
    def window(self) -> Window:
        """The window that thresholds.yaml sets for this criterion."""
        return self.criterion.window

    def judge(self, measurement: Measurement, *, lenient: str = "") -> None:
        """Hold `measurement` against the limits; the verdict is kept in `judgement`. Once per check.

        `lenient` says why a FAIL would be too much here, so that it is a WARN; empty where it would not.
        """
        if self.judgement is not None:
            raise RuntimeError(f"{self.criterion.id} was judged twice in one check")
        self.judgement = self.measured(measurement, lenient=lenient)

    def measured(self, measurement: Measurement, *, lenient: str = "") -> Judgement:
        """PASS, WARN, FAIL (or WAIVED), or INCONCLUSIVE where an interval or a non-finite point leaves it open.

        Raises:
            ThresholdsError: the limits are of a kind that this measurement cannot be held against.
        """
        try:
            verdict, limit, doubt = self._decide(measurement)
        except ValueError as error:
            raise ThresholdsError(f"{self.criterion.origin}: {self.criterion.id}: {error}") from None
        relative = reference = ""
        if isinstance(limit, Bound) and limit.kind.value and measurement.reference is not None:
            relative = f" = {figure(measurement.in_kind(limit.kind.value))}{limit.kind.value}"
            shown = dataclasses.replace(measurement, value=measurement.reference, interval=None)
            reference = f" of {shown}, {measurement.reference_name}," if measurement.reference_name else f" of {shown}"
        # Where it is about the value itself: the points that it counts, or that leave no number.
        lost = isinstance(measurement.value, float) and not math.isfinite(measurement.value)
        about = verdict is not Verdict.PASS and (lost or not measurement.non_finite)
        counted = _where(measurement) if about else ""
        value_text = f"{measurement}{counted}{relative}"
        side = "inside" if verdict is Verdict.PASS else "beyond"
        reason = f"{value_text}{reference} is {side} the {self._name(limit)}"
        if isinstance(limit, Word):
            reason = f"{measurement}: {self._acceptance(verdict)}"
        elif doubt:
            reason = f"{value_text} does not decide: {doubt}"
        if verdict is Verdict.FAIL and lenient:
            verdict, reason = Verdict.WARN, f"{reason}; only a warning, as {lenient}"
        traced = measurement.trace if verdict is not Verdict.PASS and isinstance(limit, Bound) else None
        worst = traced.worst(limit.sign) if traced and isinstance(limit, Bound) else None
        return self._judgement(
            verdict,
            reason,
            value=measurement.value,
            value_text=value_text,
            interval=measurement.interval,
            excess=_excess(measurement, limit) if verdict in (Verdict.WARN, Verdict.FAIL) else None,
            times_reference=measurement.in_kind("x") if measurement.reference is not None else None,
            limit=str(limit),
            limit_origin=limit.origin,
            keys=measurement.keys,
            window=measurement.window,
            points=measurement.points,
            worst_at=worst[0] if worst else None,
            worst_value=worst[1] if worst else None,
            detail=measurement.detail,
            **(
                {"action": f"{measurement.action} {self.criterion.action}"}
                if measurement.action and verdict in _TO_DO
                else {}
            ),
            table=tuple(dict(row) for row in measurement.table),
        )

    def _decide(self, measurement: Measurement) -> tuple[Verdict, Limit, str]:
        """(verdict, the limit that decided, what leaves it open)."""
        criterion = self.criterion
        doubts: dict[Limit, str] = {}
        for limit in criterion.fail:
            ends = [limit.exceeded_by(end) for end in _ends(measurement)]
            if all(ends):
                return Verdict.FAIL, limit, ""
            if any(ends):
                doubts[limit] = f"the {self._name(limit)} lies inside the 95 % interval; more steps would narrow it"
        strictest = (*criterion.warn, *criterion.fail)[0]
        if measurement.non_finite:
            are = "is" if measurement.non_finite == 1 else "are"
            where = _where(measurement)
            doubts[strictest] = f"{measurement.non_finite} of {measurement.points} points {are} NaN or infinite{where}"
        if measurement.doubt:
            doubts.setdefault(strictest, measurement.doubt)
        surely = next((limit for limit in criterion.warn if all(map(limit.exceeded_by, _ends(measurement)))), None)
        if surely is not None and not criterion.required and strictest not in doubts:
            return Verdict.WARN, surely, ""  # undecided would say less of it, and block nothing
        for limit, doubt in doubts.items():
            return Verdict.INCONCLUSIVE, limit, doubt
        for limit in criterion.warn:
            if limit.exceeded_by(measurement):
                return Verdict.WARN, limit, ""
        return Verdict.PASS, strictest, ""

    def _name(self, limit: Limit) -> str:
        return f"{'warn' if limit in self.criterion.warn else 'fail'} limit '{limit}'"

    def _acceptance(self, verdict: Verdict) -> str:
        """What a state is, among the states that are not wanted."""
        warn, fail = ", ".join(map(str, self.criterion.warn)), ", ".join(map(str, self.criterion.fail))
        if verdict is Verdict.FAIL:
            return f"not acceptable (fail: {fail})"
        return f"not wanted (warn: {warn})" if verdict is Verdict.WARN else "acceptable"

    def undecided(self, error: Inconclusive | NotApplicable | TrainhealthError) -> Judgement:
        """The judgement where there is nothing to measure, or measuring failed."""
        match error:
            case NotApplicable():
                return self._judgement(Verdict.NOT_APPLICABLE, str(error))
            case Absent():
                return self._judgement(Verdict(self.criterion.missing.upper()), str(error))
            case Inconclusive():
                return self._judgement(Verdict.INCONCLUSIVE, str(error))
            case _:
                return self._judgement(Verdict.ERROR, str(error))

    def _judgement(self, verdict: Verdict, reason: str, **found: object) -> Judgement:
        if verdict is Verdict.FAIL and self.waiver is not None:
            verdict = Verdict.WAIVED
            found["waiver"] = f"waived until {self.waiver.until}: {self.waiver.reason} ({self.waiver.origin})"
        return Judgement.model_validate(
            {
                "run": self.run,
                "criterion": self.criterion.id,
                "verdict": verdict,
                "reason": reason,
                "required": self.criterion.required,
                "warn": tuple(map(str, self.criterion.warn)),
                "fail": tuple(map(str, self.criterion.fail)),
                "action": self.criterion.action if verdict in _TO_DO else "",
                "source": self.criterion.source,
                **found,
            }
        )


def _excess(measurement: Measurement, limit: Limit) -> float | None:
    """How many times its limit a value is that lies beyond it; None for a state and a limit of 0, which know no degree.

    A share that should be near 100 % is as bad as what it lacks: 75 % against ``< 95%`` is five times the limit.
    """
    if not isinstance(limit, Bound):
        return None
    value, bound, above = measurement.in_kind(limit.kind.value), limit.number, limit.sign == ">"
    if not above and limit.kind is Kind.PERCENT and measurement.unit == "fraction":
        value, bound, above = 100 - value, 100 - bound, True
    if bound == 0 or (above and bound < 0):
        return None
    if math.isnan(value):
        return math.inf
    if not above and bound > 0:
        return bound / value if value > 0 else math.inf
    return value / bound


def _ends(measurement: Measurement) -> list[Measurement]:
    """The measurement at both ends of its interval; itself where it has none."""
    if measurement.interval is None:
        return [measurement]
    return [dataclasses.replace(measurement, value=end) for end in measurement.interval]


def _where(measurement: Measurement) -> str:
    return f" ({measurement.where})" if measurement.where else ""
