"""What is asked of training events, as value objects that a renderer walks: into SQL, or into another query language.

An `Aggregate` is one query: a filter, and measures over the events that pass it. Conditions and measures name
fields canonically; which fields of a source they stand for is the business of thresholds.yaml and the renderer.
Three rules hold for every renderer:

- a condition on an absent value is false, and its `Not` is true;
- text is compared without regard to case;
- `Sum`, `Min`, `Max`, `Quantile` and `AtMax` see usable values only (`State.USABLE`); of no value at all they are null.

Only counts and sums are asked for: ratios, zero guards and rounding are done once, in trainhealth/events.py.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum

TEXTS = ("event", "level", "rollout_id", "run_name")
"""Canonical fields that hold text."""
NUMBERS = (
    "rollout_duration_s",
    "trajectories",
    "expected_orders",
    "output_tokens",
    "input_tokens",
    "generation_time_s",
    "output_tps",
    "input_tps",
    "batch_size",
)
"""Canonical fields that hold numbers; none of them can be negative."""
TIME = "time"
"""Canonical field of the time of an event, unix seconds."""

MIN_EVENTS = 20
"""Fewest events a rate or a quantile is judged on: below 20, one bad event alone breaks a limit of 95 %, and a p95
is little else than the maximum."""

ROLLOUT_START, ROLLOUT_COMPLETE, ROLLOUT_ERROR = "rollout_start", "rollout_complete", "rollout_error"
ORDERS_EXTRACTED, ORDERS_EMPTY, ORDERS_PARTIAL = "orders_extracted", "orders_empty", "orders_partial"
INFERENCE_EVENTS = ("inference_timing_breakdown", "inference_response")
"""One of each is written for the same request; the first has the finer timing and is preferred."""

Value = float | int | str | None
Row = Mapping[str, Value]
"""One answer: measure name -> value, and for a breakdown the name of the field -> its value."""


class State(Enum):
    """What a numeric field holds in one event; the field is absent where none of these is true."""

    USABLE = "usable"
    """Finite and not negative."""
    NON_FINITE = "non_finite"
    NEGATIVE = "negative"
    NOT_A_NUMBER = "not_a_number"
    """Something is there, but text that no number can be read from."""


@dataclass(frozen=True, slots=True)
class TextIn:
    """The text is one of `values`, which are written in lower case."""

    field: str
    values: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class TextEndsWith:
    """The text ends in `suffix`, which is written in lower case."""

    field: str
    suffix: str


@dataclass(frozen=True, slots=True)
class Known:
    """The text field is there and not empty."""

    field: str


@dataclass(frozen=True, slots=True)
class Is:
    """The numeric field is in `state`."""

    field: str
    state: State


@dataclass(frozen=True, slots=True)
class Equals:
    field: str
    number: float


@dataclass(frozen=True, slots=True)
class Above:
    field: str
    number: float


@dataclass(frozen=True, slots=True)
class Not:
    condition: Condition


@dataclass(frozen=True, slots=True)
class AllOf:
    conditions: tuple[Condition, ...]


@dataclass(frozen=True, slots=True)
class AnyOf:
    conditions: tuple[Condition, ...]


Condition = TextIn | TextEndsWith | Known | Is | Equals | Above | Not | AllOf | AnyOf


@dataclass(frozen=True, slots=True)
class Count:
    """How many events, of those for which `where` holds."""

    name: str
    where: Condition | None = None


@dataclass(frozen=True, slots=True)
class Sum:
    name: str
    field: str
    where: Condition | None = None


@dataclass(frozen=True, slots=True)
class Min:
    name: str
    field: str
    where: Condition | None = None


@dataclass(frozen=True, slots=True)
class Max:
    name: str
    field: str
    where: Condition | None = None


@dataclass(frozen=True, slots=True)
class Quantile:
    """The `q` quantile, interpolated between neighbours (``h = (n - 1) q``, as numpy does) where the engine is exact.

    ``minimum`` is the fewest values it may be judged on: one beyond the quantile is expected among them.
    """

    name: str
    field: str
    q: float
    where: Condition | None = None

    @property
    def minimum(self) -> int:
        return max(MIN_EVENTS, math.ceil(round(1 / (1 - self.q), 9)))


@dataclass(frozen=True, slots=True)
class AtMax:
    """The value of `of` in the event where `field` is largest."""

    name: str
    field: str
    of: str
    where: Condition | None = None


Measure = Count | Sum | Min | Max | Quantile | AtMax


@dataclass(frozen=True, slots=True)
class Per:
    """Events are first gathered into one row for each value of `field`, holding these measures."""

    field: str
    measures: tuple[Measure, ...]


@dataclass(frozen=True, slots=True)
class Aggregate:
    """One query.

    Attributes:
        measures: what is computed over the events for which `where` holds.
        per: gather events first; `measures` then run over the gathered rows and name their columns.
        by: one answer for each value of this text field, at most `limit` of them, by the first measure, largest
            first; without it there is one answer.
    """

    measures: tuple[Measure, ...]
    where: Condition | None = None
    per: Per | None = None
    by: str | None = None
    limit: int = 50


def is_event(*names: str) -> Condition:
    return TextIn("event", names)


def quality(field: str, where: Condition | None = None) -> tuple[Measure, ...]:
    """Counts of what `field` holds, named ``<field>.<state>``."""
    return tuple(
        Count(f"{field}.{state.value}", AllOf((where, Is(field, state))) if where else Is(field, state))
        for state in State
    )


_STARTED, _COMPLETED, _FAILED = is_event(ROLLOUT_START), is_event(ROLLOUT_COMPLETE), is_event(ROLLOUT_ERROR)
_OF_ROLLOUTS = is_event(ROLLOUT_START, ROLLOUT_COMPLETE, ROLLOUT_ERROR)
_NOTHING_TO_DO = Equals("expected_orders", 0)
DURATION_QUANTILES = {
    0.5: Quantile("p50", "rollout_duration_s", 0.5, _COMPLETED),
    0.95: Quantile("p95", "rollout_duration_s", 0.95, _COMPLETED),
}

INVENTORY = Aggregate((Count("events"),), by="event")
"""Which events there are."""

EVERYTHING = Aggregate(
    (
        Count("events"),
        Count("levelled", Known("level")),
        Count("errors", AnyOf((TextIn("level", ("error", "critical", "fatal")), TextEndsWith("event", "_error")))),
        Count("warnings", TextIn("level", ("warning", "warn"))),
        Min("first", TIME),
        Max("last", TIME),
    )
)

ROLLOUTS = Aggregate(
    (
        Count("starts", _STARTED),
        Count("completions", _COMPLETED),
        Count("errors", _FAILED),
        Count("starts_with_id", AllOf((_STARTED, Known("rollout_id")))),
        Count("completions_with_id", AllOf((_COMPLETED, Known("rollout_id")))),
        Count("timed_completions", AllOf((_COMPLETED, Is(TIME, State.USABLE)))),
        Min("first_start", TIME, _STARTED),
        Min("first_completion", TIME, _COMPLETED),
        Max("last_completion", TIME, _COMPLETED),
        *quality("rollout_duration_s", _COMPLETED),
        *DURATION_QUANTILES.values(),
        Max("longest", "rollout_duration_s", _COMPLETED),
        AtMax("longest_id", "rollout_duration_s", "rollout_id", _COMPLETED),
        AtMax("longest_at", "rollout_duration_s", TIME, _COMPLETED),
        *quality("trajectories", _COMPLETED),
        Sum("trajectories", "trajectories", _COMPLETED),
    ),
    where=_OF_ROLLOUTS,
)

EXTRACTION = Aggregate(
    (
        Count("nothing_to_do", _NOTHING_TO_DO),
        Count("extracted", AllOf((is_event(ORDERS_EXTRACTED), Not(_NOTHING_TO_DO)))),
        Count("empty", AllOf((is_event(ORDERS_EMPTY), Not(_NOTHING_TO_DO)))),
        Count("partial", AllOf((is_event(ORDERS_PARTIAL), Not(_NOTHING_TO_DO)))),
        Count("events"),
        *quality("expected_orders"),
    ),
    where=is_event(ORDERS_EXTRACTED, ORDERS_EMPTY, ORDERS_PARTIAL),
)


def inference(event: str) -> Aggregate:
    """Token throughput and batch size over the `event` events; tokens and time are summed where both are there."""

    def throughput(direction: str) -> tuple[Measure, ...]:
        tokens, timed = f"{direction}_tokens", Is("generation_time_s", State.USABLE)
        counted = Is(tokens, State.USABLE)
        return (
            Count(f"{direction}_pairs", AllOf((counted, timed))),
            Sum(tokens, tokens, timed),
            Sum(f"{direction}_time_s", "generation_time_s", counted),
            *quality(tokens),
            *quality(f"{direction}_tps"),
            Sum(f"{direction}_tps", f"{direction}_tps"),
        )

    return Aggregate(
        (
            Count("events"),
            *quality("generation_time_s"),
            *throughput("output"),
            *throughput("input"),
            *quality("batch_size"),
            Sum("batch_size", "batch_size"),
        ),
        where=is_event(event),
    )


def rollouts_by_id(cutoff: float) -> Aggregate:
    """What became of each rollout that has an id; one begun after `cutoff` (unix seconds) may still be running."""
    started, completed, failed = Above("starts", 0), Above("completions", 0), Above("errors", 0)
    return Aggregate(
        (
            Count("started", started),
            Count("completed", AllOf((started, completed))),
            Count("failed", AllOf((started, failed, Not(completed)))),
            Count("running", AllOf((started, Not(failed), Not(completed), Above("begun", cutoff)))),
            Count("begun_before", AllOf((completed, Not(started)))),
        ),
        where=AllOf((_OF_ROLLOUTS, Known("rollout_id"))),
        per=Per(
            "rollout_id",
            (
                Count("starts", _STARTED),
                Count("completions", _COMPLETED),
                Count("errors", _FAILED),
                Max("begun", TIME, _STARTED),
            ),
        ),
    )


def rollouts_since(cutoff: float) -> Aggregate:
    """Rollouts begun after `cutoff` (unix seconds), for writers that give no ids."""
    return Aggregate((Count("starts", AllOf((_STARTED, Above(TIME, cutoff)))),), where=_STARTED)
