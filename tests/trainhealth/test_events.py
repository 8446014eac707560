"""Measurements from hand-counted events; a few lines of Python below answer the aggregates, instead of a database."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import pytest

from trainhealth.aggregates import (
    EVERYTHING,
    EXTRACTION,
    INFERENCE_EVENTS,
    INVENTORY,
    NUMBERS,
    ROLLOUTS,
    TEXTS,
    TIME,
    Above,
    Aggregate,
    AllOf,
    AnyOf,
    AtMax,
    Condition,
    Count,
    Equals,
    Is,
    Known,
    Max,
    Measure,
    Min,
    Not,
    Quantile,
    Row,
    State,
    Sum,
    TextEndsWith,
    TextIn,
    inference,
    rollouts_by_id,
    rollouts_since,
)
from trainhealth.events import EventAggregates, LeftOut, aggregate
from trainhealth.measurement import Measurement
from trainhealth.verdicts import Inconclusive

Event = dict[str, Any]


def state(value: Any) -> State | None:
    if value is None:
        return None
    if isinstance(value, str):
        return State.NOT_A_NUMBER
    if not math.isfinite(value):
        return State.NON_FINITE
    return State.NEGATIVE if value < 0 else State.USABLE


def holds(condition: Condition | None, event: Event) -> bool:
    match condition:
        case None:
            return True
        case Not(inner):
            return not holds(inner, event)
        case AllOf(inner_ones):
            return all(holds(inner, event) for inner in inner_ones)
        case AnyOf(inner_ones):
            return any(holds(inner, event) for inner in inner_ones)
    value = event.get(condition.field)
    match condition:
        case Is(_, expected):
            return state(value) is expected
        case TextIn(_, values):
            return str(value).lower() in values
        case TextEndsWith(_, suffix):
            return str(value).lower().endswith(suffix)
        case Known():
            return bool(value)
        case Equals(_, number):
            return bool(value == number)
        case Above(_, number):
            return value is not None and value > number


def compute(measure: Measure, events: Sequence[Event]) -> Any:
    seen = [event for event in events if holds(measure.where, event)]
    if isinstance(measure, Count):
        return len(seen)
    seen = [event for event in seen if state(event.get(measure.field)) is State.USABLE]
    if not seen:
        return None
    values = [event[measure.field] for event in seen]
    match measure:
        case Sum():
            return float(sum(values))
        case Min():
            return min(values)
        case Max():
            return max(values)
        case Quantile(q=q):
            return float(np.quantile(values, q))
        case AtMax(of=of):
            return seen[int(np.argmax(values))].get(of)


def answerer(events: Sequence[Event]) -> Callable[[Aggregate], list[Row]]:
    def ask(question: Aggregate) -> list[Row]:
        seen = [event for event in events if holds(question.where, event)]
        per = question.per
        if per is not None:
            ids = dict.fromkeys(event[per.field] for event in seen)
            groups = [[event for event in seen if event[per.field] == id_] for id_ in ids]
            seen = [{m.name: compute(m, group) for m in per.measures} for group in groups]
        if question.by is None:
            return [{m.name: compute(m, seen) for m in question.measures}]
        by = question.by
        rows: list[dict[str, Any]] = [
            {by: value, **{m.name: compute(m, [e for e in seen if e.get(by) == value]) for m in question.measures}}
            for value in dict.fromkeys(event.get(by) for event in seen)
        ]
        return [*sorted(rows, key=lambda row: -row[question.measures[0].name])[: question.limit]]

    return ask


def events_of(events: Sequence[Event]) -> EventAggregates:
    return aggregate(answerer(events), "the log", {})


def completed(count: int, **fields: Any) -> list[Event]:
    return [{"event": "rollout_complete", "time": 10.0 * i, **fields} for i in range(count)]


def orders(extracted: int, empty: int = 0, partial: int = 0, *, expected: float | None = 3) -> list[Event]:
    kinds = ["orders_extracted"] * extracted + ["orders_empty"] * empty + ["orders_partial"] * partial
    return [{"event": kind, "expected_orders": expected} for kind in kinds]


def requests(count: int, event: str = "inference_timing_breakdown", **fields: Any) -> list[Event]:
    return [{"event": event, **fields} for _ in range(count)]


MEASURES: list[Callable[[EventAggregates], Measurement]] = [
    lambda events: events.rollout_duration(0.5),
    lambda events: events.rollout_duration(0.95),
    EventAggregates.trajectories_per_rollout,
    EventAggregates.trajectories_per_hour,
    EventAggregates.rollout_completion,
    EventAggregates.extraction_rate,
    EventAggregates.empty_extractions,
    EventAggregates.partial_extractions,
    EventAggregates.error_rate,
    EventAggregates.output_tokens_per_second,
    EventAggregates.input_tokens_per_second,
    EventAggregates.batch_size,
]


# --- nothing, and too little


@pytest.mark.parametrize("measure", MEASURES)
def test_nothing_seen_is_inconclusive(measure: Callable[[EventAggregates], Measurement]) -> None:
    with pytest.raises(Inconclusive, match="among the 0 events of the log"):
        measure(events_of([]))


@pytest.mark.parametrize("measure", MEASURES)
def test_a_source_that_answers_with_no_row_is_inconclusive(measure: Callable[[EventAggregates], Measurement]) -> None:
    with pytest.raises(Inconclusive):
        measure(aggregate(lambda question: [], "the log", {}))


def test_absent_events_are_named_with_those_there_are() -> None:
    found = events_of([{"event": "training_step"}] * 30 + [{"event": "gpu_stats"}] * 5)
    with pytest.raises(Inconclusive, match=r"no rollout_complete .* 35 .*training_step \(30\), gpu_stats \(5\)$"):
        found.rollout_duration(0.5)


@pytest.mark.parametrize(
    ("left_out", "said"),
    [
        (LeftOut(), ""),
        (LeftOut(others=1200, other="x"), "events left out: 1,200 name another run (e.g. 'x')"),
        (
            LeftOut(outside=3, lifetime=(0, 60), malformed=2, first_malformed="a.ndjson:7"),
            "events left out: 3 lie outside its lifetime 1970-01-01 00:00:00Z to 1970-01-01 00:01:00Z, "
            "2 malformed (first: a.ndjson:7)",
        ),
        (LeftOut(outside=3), "events left out: 3 name no run, and its lifetime is unknown"),
        (LeftOut(assumed=5), "5 events without a run's name or a time were taken for this run's"),
    ],
)
def test_what_was_left_out_ends_every_message(left_out: LeftOut, said: str) -> None:
    assert str(left_out) == said
    fine = requests(30, batch_size=2, output_tokens=1, input_tokens=1, generation_time_s=1.0)
    fine += orders(30) + completed(30, rollout_duration_s=5.0, trajectories=7, rollout_id="r")
    fine += [{"event": "rollout_start", "time": 0.0, "rollout_id": f"s{i}"} for i in range(30)]
    full = aggregate(answerer(fine), "the log", {}, left_out)
    bare = aggregate(answerer([{"event": "gpu_stats"}] * 3), "the log", {}, left_out)
    for measure in MEASURES:
        assert measure(full).detail.endswith(said)
        with pytest.raises(Inconclusive) as caught:
            measure(bare)
        assert f"3 events of the log{f' ({said})' if said else ''}, which has" in str(caught.value)


@pytest.mark.parametrize(("count", "enough"), [(19, False), (20, True)])
def test_twenty_events_are_enough(count: int, enough: bool) -> None:
    found = events_of(completed(count, rollout_duration_s=5.0, trajectories=7))
    if enough:
        assert found.rollout_duration(0.95).value == 5
        return
    with pytest.raises(Inconclusive, match=r"only 19 rollout_complete .*at least 20 are needed"):
        found.rollout_duration(0.95)


@pytest.mark.parametrize(("q", "minimum"), [(0.5, 20), (0.95, 20), (0.99, 100), (0.999, 1000)])
def test_a_quantile_needs_a_value_beyond_it(q: float, minimum: int) -> None:
    assert Quantile("x", "rollout_duration_s", q).minimum == minimum


@pytest.mark.parametrize("bad", [None, "soon", -1.0])
def test_a_field_that_too_few_events_hold_is_inconclusive(bad: Any) -> None:
    held, spoilt = completed(95, trajectories=7), completed(5, trajectories=bad)
    assert events_of(held + spoilt).trajectories_per_rollout().value == 7
    with pytest.raises(Inconclusive, match=r"only 94 of 100 rollout_complete events have a usable trajectories"):
        events_of(held[1:] + spoilt + spoilt[:1]).trajectories_per_rollout()


def test_only_non_finite_values_give_nan_which_nothing_passes() -> None:
    duration = events_of(completed(30, rollout_duration_s=math.nan)).rollout_duration(0.5)
    assert math.isnan(float(duration.value))
    assert duration.non_finite == 30


def test_a_sum_that_overflows_is_not_finite() -> None:
    found = events_of(requests(30, output_tokens=1.7e308, generation_time_s=1.0)).output_tokens_per_second()
    assert found.non_finite == 1


# --- rollouts


def test_quantiles_interpolate_and_the_longest_is_named() -> None:
    events = [
        {"event": "rollout_complete", "time": 86400.0 + i, "rollout_duration_s": float(i), "rollout_id": f"game-{i}"}
        for i in range(1, 102)
    ]
    found = events_of(events)
    assert (found.rollout_duration(0.5).value, found.rollout_duration(0.95).value) == (51, 96)
    assert found.rollout_duration(0.95).detail == "longest 101 s, rollout game-101, completed 1970-01-02 00:01:41Z"
    assert found.rollout_duration(0.95).keys == ("rollout_complete",)


def test_trajectories_per_hour_is_over_wall_clock_time_not_per_worker() -> None:
    """100 rollouts of 60 s on 10 workers, 1 every 6 s, of 7 trajectories: 700 in 654 s, where one worker makes 70."""
    starts = [{"event": "rollout_start", "time": 6.0 * i} for i in range(100)]
    ends = [
        {"event": "rollout_complete", "time": 6.0 * i + 60, "rollout_duration_s": 60.0, "trajectories": 7}
        for i in range(100)
    ]
    assert events_of(starts + ends).trajectories_per_hour().value == pytest.approx(700 / 654 * 3600)


def test_without_starts_the_first_completion_starts_the_clock_and_does_not_count() -> None:
    """One completion every 10 s is 360 rollouts an hour, however many are seen."""
    for count in (20, 200):
        found = events_of(completed(count, trajectories=7)).trajectories_per_hour()
        assert found.value == pytest.approx(360 * 7)
    assert "no rollout_start lies before it" in found.detail


def test_no_time_span_is_inconclusive() -> None:
    with pytest.raises(Inconclusive, match="1970-01-01 00:00:05Z: there is no time span"):
        events_of([event | {"time": 5.0} for event in completed(30, trajectories=7)]).trajectories_per_hour()


def test_completions_without_time_are_inconclusive() -> None:
    with pytest.raises(Inconclusive, match="only 0 of 30 rollout_complete events have a time"):
        events_of([event | {"time": None} for event in completed(30, trajectories=7)]).trajectories_per_hour()


# --- extraction


def test_extraction_rates_leave_out_what_had_nothing_to_do() -> None:
    found = events_of(orders(90, 4, 6) + orders(500, 20, expected=0))
    assert found.extraction_rate().value == 0.9
    assert found.empty_extractions().value == 0.04
    assert found.partial_extractions().value == 0.06
    assert found.extraction_rate().points == 100
    assert found.extraction_rate().detail == "90 extracted, 4 empty, 6 partial of 100; 520 with nothing to do left out"


def test_only_nothing_to_do_is_inconclusive() -> None:
    with pytest.raises(Inconclusive, match=r"no orders_extracted or .*500 with nothing to do left out"):
        events_of(orders(500, expected=0)).extraction_rate()


def test_an_unknown_expectation_counts_and_is_said() -> None:
    found = events_of(orders(15, expected=None) + orders(0, 5)).extraction_rate()
    assert found.value == 0.75
    assert "expected_orders: 15 absent of 20" in found.detail


# --- errors


def test_errors_count_and_warnings_do_not() -> None:
    events = (
        [{"event": "training_step", "level": "info"}] * 90
        + [{"event": "checkpoint", "level": "ERROR"}] * 2
        + [{"event": "checkpoint", "level": "critical"}]
        + [{"event": "rollout_error", "level": None}] * 3
        + [{"event": "rollout_error", "level": "error"}]
        + [{"event": "error_budget_reset", "level": "warning"}] * 3
    )
    found = events_of(events).error_rate()
    assert found.value == 0.07
    assert found.detail.startswith("7 errors and, not counted, 3 warnings among 100 events; 97 events have a level")


def test_errors_without_levels_are_told_by_name_and_it_is_said() -> None:
    found = events_of([{"event": "training_step"}] * 49 + [{"event": "training_error"}]).error_rate()
    assert found.value == 0.02
    assert "no event has a level" in found.detail


# --- inference


def test_tokens_per_second_weigh_by_tokens() -> None:
    """Half the requests make 100 tokens in 1 s, half 100 in 4 s: 200 / 5 = 40, where the mean of rates is 62.5."""
    fast = requests(20, output_tokens=100, input_tokens=1000, generation_time_s=1.0, output_tps=100.0)
    slow = requests(20, output_tokens=100, input_tokens=1000, generation_time_s=4.0, output_tps=25.0)
    found = events_of(fast + slow)
    assert found.output_tokens_per_second().value == 40
    assert found.input_tokens_per_second().value == 400
    assert found.output_tokens_per_second().detail.startswith("4,000 tokens in 100 s of generation, 40 requests")
    without_time = [{**event, "generation_time_s": None} for event in fast + slow]
    assert events_of(without_time).output_tokens_per_second().value == 62.5
    assert "mean of the rates that 40 requests report" in events_of(without_time).output_tokens_per_second().detail


def test_tokens_and_time_are_summed_only_where_both_are_there() -> None:
    events = requests(96, output_tokens=10, generation_time_s=1.0)
    events += requests(2, output_tokens=1_000_000) + requests(2, generation_time_s=1_000_000.0)
    assert events_of(events).output_tokens_per_second().value == 10


def test_no_generation_time_at_all_is_inconclusive() -> None:
    with pytest.raises(Inconclusive, match=r"generation time of all 30 .* is 0 s"):
        events_of(requests(30, output_tokens=10, generation_time_s=0.0)).output_tokens_per_second()


def test_neither_tokens_nor_rates_is_inconclusive() -> None:
    with pytest.raises(Inconclusive, match=r"only 0 of 30 .*output_tokens.*generation_time_s.*output_tps"):
        events_of(requests(30, generation_time_s=1.0)).output_tokens_per_second()


def test_one_kind_of_inference_event_counts() -> None:
    """The same 30 requests are told twice; the finer event is taken, the other alone serves as well."""
    fine, coarse = requests(30, batch_size=8), requests(30, "inference_response", batch_size=2)
    assert events_of(coarse + fine).batch_size().value == 8
    assert events_of(coarse).batch_size().value == 2


# --- the questions themselves

QUESTIONS = [INVENTORY, EVERYTHING, ROLLOUTS, EXTRACTION, rollouts_by_id(1.0), rollouts_since(1.0)]
QUESTIONS += [inference(event) for event in INFERENCE_EVENTS]


def fields_of(condition: Condition | None) -> set[str]:
    match condition:
        case None:
            return set()
        case Not(inner):
            return fields_of(inner)
        case AllOf(inner_ones) | AnyOf(inner_ones):
            return set().union(*map(fields_of, inner_ones))
    return {condition.field}


@pytest.mark.parametrize("question", QUESTIONS)
def test_questions_name_known_fields_and_each_measure_once(question: Aggregate) -> None:
    used = fields_of(question.where)
    for measures in (question.measures, question.per.measures if question.per else ()):
        names = [measure.name for measure in measures]
        assert len(names) == len(set(names))
    for measure in question.per.measures if question.per else question.measures:
        used |= fields_of(measure.where) | ({measure.field} if not isinstance(measure, Count) else set())
    assert used <= {*TEXTS, *NUMBERS, TIME}
    if question.per:
        columns = {measure.name for measure in question.per.measures}
        assert set().union(*(fields_of(measure.where) for measure in question.measures)) <= columns
