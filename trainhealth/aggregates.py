"""What is asked of training events, as value objects that a renderer walks: into SQL, or into another query language.

A question is one query: an `Aggregate` (a filter, and measures over the events that pass it), or a `Listing` of a few
events. Conditions and measures name fields canonically; which fields of a source they stand for is the business of
thresholds.yaml and the renderer. These rules hold for every renderer:

- a text that is empty or blank is absent;
- a condition on an absent value is false, and its `Not` is true;
- names of events and levels are compared without regard to case (`TextIn`, `TextEndsWith`), names of runs and
  rollouts with regard to it (`TextIs`, `TextStartsWith`): a store may hold runs "a" and "A", while "ERROR" and
  "error" are one level;
- events are grouped by a text as it is written; those without it are a group of their own, whose value is None;
- `Sum`, `Min`, `Max`, `Quantile` and `AtMax` see usable values only (`State.USABLE`); of no value at all they are None;
- without groups there is one answer, of nothing too; with groups, nothing has no answer.

Only counts and sums are asked for: ratios, zero guards and rounding are done once, in trainhealth/events.py.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import Enum

TEXTS = ("event", "level", "run_name", "rollout_id", "horizon", "power", "winner", "adapter", "message")
"""Canonical fields that hold text."""
NUMBERS = (
    "rollout_duration_s",
    "trajectories",
    "expected_orders",
    "output_tokens",
    "input_tokens",
    "generation_time_s",
    "inference_time_s",
    "adapter_load_s",
    "output_tps",
    "input_tps",
    "batch_size",
    "cache_hit_rate",
    "cache_hits",
    "cache_queries",
    "step",
    "kl",
    "grad_norm",
    "training_time_s",
    "gpu_utilisation",
    "gpu_memory",
    "gpu_memory_total",
)
"""Canonical fields that hold numbers; none of them can be negative."""
SIGNED = ("loss", "reward")
"""Canonical fields that hold numbers of either sign; so do those of `score_of`."""
CHECKED = (
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
"""The numeric fields whose damage is counted; of no other is `State.NOT_A_NUMBER` asked."""
TIME = "time"
"""Canonical field of the time of an event, unix seconds."""

MIN_EVENTS = 20
"""Fewest events a rate or a quantile is judged on: below 20, one bad event alone breaks a limit of 95 %, and a p95
is little else than the maximum."""
MAX_GROUPS = 10_000
"""Most groups that are asked for. They are added up in Python: a source that has more must not be judged by these."""
RECENT = 20
"""How many of the latest errors and warnings are listed."""

ROLLOUT_START, ROLLOUT_COMPLETE, ROLLOUT_ERROR = "rollout_start", "rollout_complete", "rollout_error"
ORDERS_EXTRACTED, ORDERS_EMPTY, ORDERS_PARTIAL = "orders_extracted", "orders_empty", "orders_partial"
INFERENCE_EVENTS = ("inference_timing_breakdown", "inference_response")
"""One of each is written for the same request; the first has the finer timing and is preferred."""
TRAINING_STEP = "training_step"
PREFIX_CACHE, GPU_STATS = "prefix_cache_stats", "gpu_stats"
GAUGED = (TRAINING_STEP, PREFIX_CACHE, GPU_STATS)
"""What the trainer, the prefix cache and the GPU say of themselves."""

Value = float | int | str | None
Row = Mapping[str, Value]
"""One answer: measure name -> value, and the name of each field of `by`, or of a listing -> its value."""

_SCORE = "final_score."


def score_of(power: str) -> str:
    """Canonical field of the final score that `power` had in a game."""
    return f"{_SCORE}{power}"


def is_signed(field: str) -> bool:
    return field in SIGNED or field.startswith(_SCORE)


class State(Enum):
    """What a numeric field holds in one event; the field is absent where none of these is true."""

    USABLE = "usable"
    """Finite, and not negative unless `is_signed`."""
    NON_FINITE = "non_finite"
    NEGATIVE = "negative"
    """Finite and negative where it cannot be; never true where `is_signed`."""
    NOT_A_NUMBER = "not_a_number"
    """Something is there, but text that no number can be read from."""


@dataclass(frozen=True, slots=True)
class TextIn:
    """The text is one of `values`, which are written in lower case; case does not matter."""

    field: str
    values: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class TextEndsWith:
    """The text ends in `suffix`, which is written in lower case; case does not matter."""

    field: str
    suffix: str


@dataclass(frozen=True, slots=True)
class TextIs:
    """The text is exactly one of `values`; of no values it is none."""

    field: str
    values: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class TextStartsWith:
    """The text begins exactly with one of `prefixes`; of no prefixes it does with none."""

    field: str
    prefixes: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Known:
    """The text field is there."""

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
class Within:
    """The number is neither below `low` nor above `high`; either may be infinite."""

    field: str
    low: float
    high: float


@dataclass(frozen=True, slots=True)
class Not:
    condition: Condition


@dataclass(frozen=True, slots=True)
class AllOf:
    """Every condition holds; of none, it does."""

    conditions: tuple[Condition, ...]


@dataclass(frozen=True, slots=True)
class AnyOf:
    """One of the conditions holds; of none, it does not."""

    conditions: tuple[Condition, ...]


Condition = TextIn | TextEndsWith | TextIs | TextStartsWith | Known | Is | Equals | Above | Within | Not | AllOf | AnyOf


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
    """The value of `of`, a text or a number, in the event where `field` is largest."""

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
        per: gather events first; `measures` and `by` then see the gathered rows, and name their columns.
        by: one answer for each combination of values of these text fields, at most `limit` of them, by the first
            measure, largest first; without it there is one answer.
    """

    measures: tuple[Measure, ...]
    where: Condition | None = None
    per: Per | None = None
    by: tuple[str, ...] = ()
    limit: int = MAX_GROUPS


@dataclass(frozen=True, slots=True)
class Listing:
    """The latest `limit` events for which `where` holds, newest first, those without a time last.

    One row for each event: these text fields, and `TIME` in unix seconds.
    """

    fields: tuple[str, ...]
    where: Condition
    limit: int


Question = Aggregate | Listing


def every(*conditions: Condition | None) -> Condition:
    """All of the conditions that are given."""
    given = tuple(condition for condition in conditions if condition is not None)
    return given[0] if len(given) == 1 else AllOf(given)


def is_event(*names: str) -> Condition:
    return TextIn("event", names)


def quality(field: str, where: Condition | None = None) -> tuple[Measure, ...]:
    """Counts of what `field` holds, named ``<field>.<state>``."""
    return tuple(Count(f"{field}.{state.value}", every(where, Is(field, state))) for state in State)


def total(field: str, where: Condition | None = None) -> tuple[Measure, ...]:
    """What a mean of `field` takes: the sum under its own name, and ``<field>.usable``, over how many."""
    return Sum(field, field, where), Count(f"{field}.usable", every(where, Is(field, State.USABLE)))


ERROR = AnyOf((TextIn("level", ("error", "critical", "fatal")), TextEndsWith("event", "_error")))
WARNING = TextIn("level", ("warning", "warn"))

_STARTED, _COMPLETED, _FAILED = is_event(ROLLOUT_START), is_event(ROLLOUT_COMPLETE), is_event(ROLLOUT_ERROR)
_OF_ROLLOUTS = is_event(ROLLOUT_START, ROLLOUT_COMPLETE, ROLLOUT_ERROR)
_NOTHING_TO_DO = Equals("expected_orders", 0)
DURATION_QUANTILES = {
    0.5: Quantile("p50", "rollout_duration_s", 0.5, _COMPLETED),
    0.95: Quantile("p95", "rollout_duration_s", 0.95, _COMPLETED),
}


def by_event(mine: Condition | None, by_time: Condition, by_rollout: Condition, shared: Condition) -> Aggregate:
    """Which events there are, and how they were told from those of others."""
    return Aggregate(
        (
            Count("events"),
            Count("levelled", Known("level")),
            Count("errors", ERROR),
            Count("warnings", AllOf((WARNING, Not(ERROR)))),
            Count("by_time", by_time),
            Count("by_rollout", by_rollout),
            Count("shared", shared),
            Min("first", TIME),
            Max("last", TIME),
        ),
        where=mine,
        by=("event",),
    )


def gauges(mine: Condition | None) -> Aggregate:
    """By event, what the trainer, the prefix cache and the GPU say of themselves."""
    means = ("kl", "grad_norm", "loss", "reward", "training_time_s", "cache_hits", "cache_queries", "cache_hit_rate",
             "gpu_utilisation")  # fmt: skip
    largest = ("step", "kl", "grad_norm", "gpu_memory", "gpu_memory_total")
    return Aggregate(
        (
            Count("events"),
            *(measure for field in means for measure in total(field)),
            *(Max(f"{field}.max", field) for field in largest),
        ),
        where=every(mine, is_event(*GAUGED)),
        by=("event",),
    )


def rollouts(mine: Condition | None, powers: Sequence[str] = ()) -> Aggregate:
    """Rollouts as a whole, and how each of `powers` ended in the games that completed."""
    outcomes: list[Measure] = [Count("games_won", AllOf((_COMPLETED, Known("winner"))))]
    for power in powers:
        score = score_of(power)
        outcomes += [*total(score, _COMPLETED), Max(f"{score}.max", score, _COMPLETED)]
        outcomes.append(Count(f"wins.{power}", AllOf((_COMPLETED, TextIn("winner", (power.lower(),))))))
    return Aggregate(
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
            Sum("rollout_duration_s", "rollout_duration_s", _COMPLETED),
            *DURATION_QUANTILES.values(),
            Max("longest", "rollout_duration_s", _COMPLETED),
            AtMax("longest_id", "rollout_duration_s", "rollout_id", _COMPLETED),
            AtMax("longest_at", "rollout_duration_s", TIME, _COMPLETED),
            *quality("trajectories", _COMPLETED),
            Sum("trajectories", "trajectories", _COMPLETED),
            *outcomes,
        ),
        where=every(mine, _OF_ROLLOUTS),
    )


def rollouts_by_id(mine: Condition | None, cutoff: float) -> Aggregate:
    """By horizon, what became of each rollout that has an id; one begun after `cutoff` (unix seconds) may still run.

    A rollout's horizon is that of its latest event that has one: writers give it at the start, or at the end.
    """
    started, completed, failed = Above("starts", 0), Above("completions", 0), Above("errors", 0)
    return Aggregate(
        (
            Count("rollouts"),
            Count("started", started),
            Count("completed", AllOf((started, completed))),
            Count("failed", AllOf((started, failed, Not(completed)))),
            Count("running", AllOf((started, Not(failed), Not(completed), Above("begun", cutoff)))),
            Count("begun_before", AllOf((completed, Not(started)))),
            *_durations_by_horizon(),
        ),
        where=every(mine, _OF_ROLLOUTS, Known("rollout_id")),
        per=Per(
            "rollout_id",
            (
                Count("starts", _STARTED),
                Count("completions", _COMPLETED),
                Count("errors", _FAILED),
                Max("begun", TIME, _STARTED),
                AtMax("horizon", TIME, "horizon", Known("horizon")),
                Max("rollout_duration_s", "rollout_duration_s", _COMPLETED),
                Max("trajectories", "trajectories", _COMPLETED),
            ),
        ),
        by=("horizon",),
    )


def rollouts_since(mine: Condition | None, cutoff: float) -> Aggregate:
    """By horizon, rollouts begun after `cutoff` (unix seconds) and those completed, for writers that give no ids."""
    return Aggregate(
        (
            Count("rollouts", AnyOf((_STARTED, _COMPLETED))),
            Count("recent_starts", AllOf((_STARTED, Above(TIME, cutoff)))),
            *_durations_by_horizon(_COMPLETED),
        ),
        where=every(mine, _OF_ROLLOUTS),
        by=("horizon",),
    )


def _durations_by_horizon(where: Condition | None = None) -> tuple[Measure, ...]:
    duration, trajectories = "rollout_duration_s", "trajectories"
    return (
        *total(duration, where),
        Quantile("p50", duration, 0.5, where),
        Quantile("p95", duration, 0.95, where),
        Max("longest", duration, where),
        *total(trajectories, where),
    )


def extraction(mine: Condition | None) -> Aggregate:
    """By power, what could be read from its answers."""
    return Aggregate(
        (
            Count("events"),
            Count("nothing_to_do", _NOTHING_TO_DO),
            Count("extracted", AllOf((is_event(ORDERS_EXTRACTED), Not(_NOTHING_TO_DO)))),
            Count("empty", AllOf((is_event(ORDERS_EMPTY), Not(_NOTHING_TO_DO)))),
            Count("partial", AllOf((is_event(ORDERS_PARTIAL), Not(_NOTHING_TO_DO)))),
            *quality("expected_orders"),
        ),
        where=every(mine, is_event(ORDERS_EXTRACTED, ORDERS_EMPTY, ORDERS_PARTIAL)),
        by=("power",),
    )


def inference(mine: Condition | None, event: str) -> Aggregate:
    """By adapter, the requests that `event` tells of; tokens and time are summed where one has both."""

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
            Sum("generation_time_s", "generation_time_s"),
            *throughput("output"),
            *throughput("input"),
            *quality("batch_size"),
            Sum("batch_size", "batch_size"),
            *total("inference_time_s"),
            *total("adapter_load_s"),
            Max("adapter_load_max", "adapter_load_s"),
            *total("cache_hit_rate"),
            *total("cache_hits"),
            *total("cache_queries"),
        ),
        where=every(mine, is_event(event)),
        by=("adapter",),
    )


def recent_problems(mine: Condition | None) -> Listing:
    """The latest errors and warnings."""
    fields = ("event", "level", "message", "run_name", "rollout_id")
    return Listing(fields, every(mine, AnyOf((ERROR, WARNING))), RECENT)
