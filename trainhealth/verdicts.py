"""Verdicts, the judgement a check ends in, and the gate over many of them."""

from __future__ import annotations

import math
from collections.abc import Iterable
from enum import StrEnum
from typing import Any, Literal, Protocol

from pydantic import BaseModel, ConfigDict


class Verdict(StrEnum):
    """What a check says, from best to worst for the gate.

    FAIL is the worst: what was seen to be bad stays bad, whatever else could not be seen.
    """

    NOT_APPLICABLE = "NOT_APPLICABLE"
    PASS = "PASS"
    WAIVED = "WAIVED"
    WARN = "WARN"
    INCONCLUSIVE = "INCONCLUSIVE"
    ERROR = "ERROR"
    FAIL = "FAIL"

    @property
    def severity(self) -> int:
        return list(Verdict).index(self)

    @property
    def evaluated(self) -> bool:
        """Whether a value was held against a limit."""
        return self in (Verdict.PASS, Verdict.WARN, Verdict.FAIL, Verdict.WAIVED)


class Inconclusive(Exception):
    """Raised while measuring: the data does not decide (absent, too few points, never instrumented)."""


class Absent(Inconclusive):
    """The run does not log the metric at all; thresholds.yaml may say what that means (``missing``)."""


class NotApplicable(Exception):
    """Raised while measuring: a stated condition rules the criterion out (beta = 0)."""


class Change(StrEnum):
    """How a value stands to that of a baseline run, by the direction of the criterion's limits."""

    WORSE = "worse"
    BETTER = "better"
    ALIKE = "alike"
    UNCLEAR = "unclear"


class Compared(BaseModel):
    """One criterion of a run beside the same of a baseline run. It blocks nothing; limits do."""

    model_config = ConfigDict(frozen=True, extra="forbid", ser_json_inf_nan="strings")

    baseline: str
    """The run compared with."""
    extent: str
    """What part of both runs was measured: up to the last step that both reached, or all of either."""
    value: str
    baseline_value: str
    """With their units; why there is none, where one of them could not be measured."""
    difference: float | None = None
    """Value less that of the baseline, as the criterion's limits see both: in its unit, percent, or multiples."""
    difference_text: str = ""
    """The same with its unit and interval."""
    interval: tuple[float, float] | None = None
    """95 % interval of the difference, where an error is known."""
    change: Change


class Judgement(BaseModel):
    """What one criterion says of one run. Plain data: it crosses process borders and is written to verdict.json."""

    model_config = ConfigDict(frozen=True, extra="forbid", ser_json_inf_nan="strings")

    run: str
    """The run id as the user gave it; reports group by it."""
    criterion: str
    verdict: Verdict
    reason: str
    """One sentence: what was found, against which limit."""
    required: bool = True
    value: float | str | None = None
    value_text: str = ""
    interval: tuple[float, float] | None = None
    """95 % interval of the value, in its unit, where one is known."""
    times_reference: float | None = None
    """The value as a multiple of what it is compared with, where there is such a thing."""
    excess: float | None = None
    """How many times its limit the value is, where it lies beyond it and there is a degree to that."""
    limit: str | None = None
    """The limit that decided, or the strictest one that was kept."""
    limit_origin: str | None = None
    warn: tuple[str, ...] = ()
    fail: tuple[str, ...] = ()
    keys: tuple[str, ...] = ()
    window: str = ""
    points: int | None = None
    worst_at: float | None = None
    """Step (or time) of the worst point in the window; None where the value passes."""
    worst_value: float | None = None
    action: str = ""
    """What to do; empty where nothing was found wrong."""
    source: str = ""
    detail: str = ""
    waiver: str | None = None
    compared: Compared | None = None
    """Where a baseline run was given (--compare)."""
    table: tuple[dict[str, Any], ...] = ()

    @property
    def area(self) -> str:
        """learning, stability, integrity, performance, custom …"""
        return self.criterion.partition(".")[0]

    @property
    def message(self) -> str:
        """The judgement in full: what was found, where it is worst, where the limit stands, what to do."""
        parts = [f"{self.criterion} {self.verdict} on {self.run}: {self.reason}"]
        if self.limit_origin:
            parts[0] += f" ({self.limit_origin})"
        if self.points is not None:
            points = f"{self.points} point{'' if self.points == 1 else 's'}"
            parts.append(": ".join(filter(None, (", ".join(self.keys), f"{self.window or 'whole run'}, {points}"))))
        if self.worst_at is not None and self.worst_value is not None:
            parts.append(f"worst at step {self.worst_at:.15g}: {self.worst_value:.6g}")
        parts.extend(part for part in (self.detail, self.waiver) if part)
        if self.action:
            parts.append(f"action: {self.action}")
        return "\n  ".join(parts)

    @property
    def blocks(self) -> bool:
        """Whether this judgement alone forbids promotion."""
        if self.verdict is Verdict.INCONCLUSIVE:
            return self.required
        return self.verdict in (Verdict.FAIL, Verdict.ERROR)

    @property
    def urgency(self) -> tuple[int, bool, int, bool, int, int, str]:
        """Sorts the worst first: by verdict; then what puts all else in doubt, and the diagnosis; what is required;
        area by area, from cause to effect; what is farthest beyond its limit; at last by name."""
        idle = self.verdict is Verdict.INCONCLUSIVE and not self.required
        # What was not seen and is not required stands behind a warning, which may block (--strict).
        worse = Verdict.FAIL.severity - (Verdict.WARN.severity if idle else self.verdict.severity)
        telling = next((at for at, what in enumerate(_MOST_TELLING) if what in (self.criterion, self.area)), 9)
        area = _AREAS.index(self.area) if self.area in _AREAS else len(_AREAS)
        return worse, idle, telling, not self.required, area, _faintness(self.excess), self.criterion


_MOST_TELLING = (
    "integrity.run_state", "integrity.history_complete", "stability.non_finite_values", "learning.diagnosis",
    "integrity",
)  # fmt: skip
"""Criteria and areas; a run that broke off, is not all here, or went NaN makes every other finding doubtful, and the
diagnosis is what most others add up to."""

_AREAS = ("integrity", "stability", "learning", "performance")


def _faintness(excess: float | None) -> int:
    """0 where there is no degree, then from 1 (infinitely far beyond a limit) to 9999 (at it)."""
    if excess is None:
        return 0
    return 9999 - min(round(500 * math.log10(max(excess, 1.0))), 9998) if math.isfinite(excess) else 1


class RunSummary(BaseModel):
    """What reports say of a run besides its judgements. Plain data."""

    model_config = ConfigDict(frozen=True, extra="forbid", ser_json_inf_nan="strings")

    run: str
    """The run id as the user gave it."""
    id: str = ""
    name: str = ""
    project: str = ""
    entity: str = ""
    state: str = ""
    source: str = ""
    rows: int = 0
    first_step: float | None = None
    last_step: float | None = None
    step_axis: str = ""
    started: float | None = None
    heartbeat: float | None = None
    """Unix seconds."""
    recognised: dict[str, str] = {}
    """Canonical metric -> key of the run."""
    config: dict[str, str] = {}
    """The run's configuration, flattened, as text; without what looks like a secret."""
    trainer: str = ""
    """Name of the trainer's profile that the run was judged with; ``generic`` where none fits."""
    notes: tuple[str, ...] = ()
    """What a reader must know: live tail, several files, events not given."""
    learning_off: bool = False
    """Every learning criterion was switched off on purpose."""


class Remarks(BaseModel):
    """Further notes on a run, of a source that was read later than the run itself. Plain data."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    run: str
    notes: tuple[str, ...]


class Candidate(BaseModel):
    """The checkpoint up to which the run was judged (--checkpoint)."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: str
    step: int
    incumbent: str = ""
    """The agent that it is to replace (--incumbent)."""
    last_healthy: str | None = None
    """Where it may not be promoted: the newest earlier checkpoint that might be, by the checks of the run alone."""
    last_healthy_verdict: Verdict | None = None
    searched: int | None = None
    """How many earlier checkpoints were judged and found unfit, where none of them is healthy."""

    def __str__(self) -> str:
        if self.last_healthy is not None:
            return (
                f"the last healthy checkpoint before {self.name} is {self.last_healthy} ({self.last_healthy_verdict})"
            )
        if self.searched is None:
            return ""
        if not self.searched:
            return f"the run rates no checkpoint before {self.name}"
        return f"none of the {self.searched} checkpoints before {self.name} that were judged is healthy"


class RunVerdict(BaseModel):
    """The gate's word on one run, with everything it rests on."""

    model_config = ConfigDict(frozen=True, extra="forbid", ser_json_inf_nan="strings")

    summary: RunSummary
    verdict: Verdict
    reason: str
    judgements: tuple[Judgement, ...]
    """By urgency, the worst first."""
    candidate: Candidate | None = None


def judge_run(summary: RunSummary, judgements: Iterable[Judgement]) -> RunVerdict:
    """The worst of a run's judgements, and never a pass for what was not seen.

    A run of which nothing was evaluated, or none of its learning criteria (unless they were all switched off on
    purpose), is INCONCLUSIVE.
    """
    ordered = tuple(sorted(judgements, key=lambda j: j.urgency))
    counted = [j for j in ordered if j.blocks or j.verdict.evaluated]
    worst = max((j.verdict for j in counted), key=lambda v: v.severity, default=Verdict.INCONCLUSIVE)
    if worst.severity > Verdict.INCONCLUSIVE.severity:
        reason = _count(ordered, worst)
    elif not any(j.verdict.evaluated for j in ordered):
        worst, reason = Verdict.INCONCLUSIVE, "no criterion could be evaluated"
    elif not summary.learning_off and not any(j.verdict.evaluated for j in ordered if j.area == "learning"):
        worst, reason = Verdict.INCONCLUSIVE, "no learning criterion could be evaluated"
    else:
        if worst is Verdict.WAIVED:
            worst = Verdict.PASS
        reason = _count(ordered, worst)
    return RunVerdict(summary=summary, verdict=worst, reason=reason, judgements=ordered)


def _count(judgements: tuple[Judgement, ...], verdict: Verdict) -> str:
    number = sum(j.verdict is verdict and (j.blocks or j.verdict.evaluated) for j in judgements)
    words = {
        Verdict.ERROR: "could not be evaluated",
        Verdict.FAIL: "failed",
        Verdict.INCONCLUSIVE: "undecided",
        Verdict.WARN: "beyond a warning limit",
        Verdict.PASS: "inside their limits",
    }
    return f"{number} of {len(judgements)} criteria {words[verdict]}"


class Judged(Protocol):
    """What has a verdict: a run, or runs side by side."""

    @property
    def verdict(self) -> Verdict: ...


def exit_status(runs: Iterable[Judged], *, strict: bool = False) -> int:
    """0 pass or warn, 1 fail, 10 inconclusive, 11 error; the worst run decides. No run at all is 10."""
    worst = max((run.verdict for run in runs), key=lambda v: v.severity, default=Verdict.INCONCLUSIVE)
    match worst:
        case Verdict.ERROR:
            return 11
        case Verdict.FAIL:
            return 1
        case Verdict.INCONCLUSIVE:
            return 10
        case Verdict.WARN:
            return 1 if strict else 0
        case _:
            return 0


Decision = Literal["promote", "reject", "hold", "retry", "none"]


def decision(status: int) -> Decision:
    """What a pipeline does for an exit status (docs/ci.md); none for a session that did not judge."""
    words: dict[int, Decision] = {0: "promote", 1: "reject", 10: "hold", 11: "retry"}
    return words.get(status, "none")


JUDGEMENT = "judgement"
RUN = "run"
REMARKS = "remarks"
"""Names of the user properties that carry a Judgement, a RunSummary and Remarks, as JSON, in pytest's test reports."""
