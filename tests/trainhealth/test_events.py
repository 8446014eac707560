"""Measurements from hand-counted events; a few lines of Python (plain_events) answer the questions."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any

import pytest
from plain_events import Event, answerer

from trainhealth.aggregates import (
    CHECKED,
    MAX_GROUPS,
    NUMBERS,
    SIGNED,
    TEXTS,
    TIME,
    Aggregate,
    AllOf,
    AnyOf,
    AtMax,
    Condition,
    Count,
    Is,
    Listing,
    Measure,
    Not,
    Quantile,
    Question,
    State,
    score_of,
)
from trainhealth.attribution import Attribution, Scope
from trainhealth.errors import DataError
from trainhealth.events import EventAggregates, aggregate
from trainhealth.measurement import Measurement
from trainhealth.verdicts import Absent, Inconclusive

POWERS = ("FRANCE", "ITALY", "TURKEY")


def events_of(events: Sequence[Event], scope: Scope = Scope()) -> EventAggregates:  # noqa: B008
    return aggregate(answerer(events), "the log", {}, scope, POWERS)


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
    EventAggregates.worst_extraction,
    EventAggregates.slowest_adapter,
    EventAggregates.health,
    EventAggregates.power_participation,
    EventAggregates.power_scores,
    EventAggregates.power_wins,
]


# --- nothing, and too little


@pytest.mark.parametrize("measure", MEASURES)
def test_nothing_seen_is_inconclusive(measure: Callable[[EventAggregates], Measurement]) -> None:
    with pytest.raises(Inconclusive, match=r"(among the 0 events of|, in) the log"):
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
    ("attribution", "said"),
    [
        (Attribution(), ""),
        (Attribution(others=1200, other="x"), "events left out: 1,200 name another run (e.g. 'x')"),
        (
            Attribution(outside=3, period=(0, 60), malformed=2, first_malformed="a.ndjson:7"),
            "events left out: 3 lie outside its lifetime 1970-01-01 00:00:00Z to 1970-01-01 00:01:00Z, "
            "2 malformed (first: a.ndjson:7)",
        ),
        (
            Attribution(outside=3, period=(60, math.inf), asked_for=True, by_name=4),
            "events told 4 by the run's name; "
            "events left out: 3 lie outside the window that was asked for, since 1970-01-01 00:01:00Z",
        ),
        (Attribution(outside=3), "events left out: 3 name no run, and its lifetime is unknown"),
        (Attribution(assumed=5), "5 events without a run's name or a time were taken for this run's"),
        (
            Attribution(by_name=2, by_rollout=3, by_time=40, shared=10, sharer="y"),
            "events told 2 by the run's name, 3 by rollout_id, 40 by the run's lifetime, "
            "of which 10 may be those of 'y', active at the same time",
        ),
    ],
)
def test_what_was_left_out_and_how_it_was_told_reads_well(attribution: Attribution, said: str) -> None:
    assert str(attribution) == said


def complete_log(**more: Any) -> list[Event]:
    """Events that decide every measurement."""
    fine = requests(30, batch_size=2, output_tokens=1, input_tokens=1, generation_time_s=1.0, adapter="a")
    fine += [{**event, "power": power} for power in POWERS for event in orders(30)]
    scores = {score_of(power): 5.0 for power in POWERS}
    fine += [
        {**event, **scores, "rollout_id": f"r{i}", "winner": POWERS[i % 3]}
        for i, event in enumerate(completed(30, rollout_duration_s=5.0, trajectories=7))
    ]
    fine += [{"event": "rollout_start", "time": 0.0, "rollout_id": f"r{i}"} for i in range(30)]
    return [{**event, **more} for event in fine]


@pytest.mark.parametrize("measure", MEASURES)
def test_how_events_were_told_ends_every_message(measure: Callable[[EventAggregates], Measurement]) -> None:
    others = [{"event": "training_step", "run_name": "x", "time": 1.0}] * 1200
    told = "events told 180 by the run's name; events left out: 1,200 name another run (e.g. 'x')"
    assert measure(events_of(complete_log(run_name="me") + others, Scope(("me",)))).detail.endswith(told)
    bare = [{"event": "other_stats", "run_name": "me"}] * 3
    with pytest.raises(Inconclusive) as caught:
        measure(events_of(bare + others, Scope(("me",))))
    assert "the log (events told 3 by the run's name; events left out: 1,200" in str(caught.value)


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
    assert (
        found.rollout_duration(0.95).detail
        == "mean 51 s, longest 101 s, rollout game-101, completed 1970-01-02 00:01:41Z"
    )
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


# --- whose events

LIVED = Scope(("me",), (10_000.0, 20_000.0))


def at(time: float, **fields: Any) -> Event:
    return {"event": "gpu_stats", "time": time, **fields}


@pytest.mark.parametrize(
    ("event", "mine"),
    [
        (at(15_000), True),
        (at(9_400), True),
        (at(9_399), False),
        (at(20_600), True),
        (at(20_601), False),
        (at(99_999, run_name="me"), True),
        (at(15_000, run_name="ME"), False),
        (at(15_000, run_name="you"), False),
        (at(99_999, rollout_id="me-0001"), True),
        (at(99_999, rollout_id="me/3"), True),
        (at(99_999, rollout_id="menu-3"), False),
        (at(15_000, rollout_id="you-0001"), False),
        (at(99_999, rollout_id="me-too-0001"), False),
        (at(15_000, rollout_id="me-too-0001"), False),
        ({"event": "gpu_stats"}, False),
        ({"event": "gpu_stats", "run_name": "me"}, True),
        ({"event": "gpu_stats", "rollout_id": "me-1"}, True),
    ],
)
def test_whose_an_event_is(event: Event, mine: bool) -> None:
    others = [at(15_000, run_name="you"), at(15_000, run_name="me-too")]
    found = events_of([at(15_000, run_name="me"), event, *others], LIVED)
    assert found.total == 1 + mine
    told = found.attribution
    assert told.by_name + told.by_rollout + told.by_time == found.total
    assert told.others + told.rollouts_of_others + told.outside + told.undated == 3 - mine


@pytest.mark.parametrize(
    ("event", "mine"),
    [
        (at(15_000), True),
        (at(9_999), False),
        (at(9_999, run_name="me"), False),
        (at(9_999, rollout_id="me-1"), False),
        (at(12_000, rollout_id="me-1"), True),
        (at(math.nan, run_name="me"), False),
    ],
)
def test_a_window_that_is_asked_for_rules_out_the_rest(event: Event, mine: bool) -> None:
    scope = Scope(("me",), (0.0, 1.0), (10_000.0, math.inf))
    found = events_of([at(15_000, run_name="me"), event], scope)
    assert found.total == 1 + mine
    assert found.attribution.outside + found.attribution.undated == 1 - mine
    assert found.attribution.asked_for


def test_events_that_may_be_another_runs_are_counted() -> None:
    others = [at(time, run_name="you") for time in (12_000, 14_000)]
    unnamed = [at(time) for time in (11_000, 12_000, 13_000, 14_000, 15_000)]
    told = events_of([*others, *unnamed, at(15_000, run_name="me")], LIVED).attribution
    assert (told.by_time, told.shared, told.sharer) == (5, 3, "you")


def test_another_run_of_another_time_shares_nothing() -> None:
    others = [at(time, run_name="you") for time in (1.0, 2.0)]
    told = events_of([*others, at(11_000), at(1.5)], LIVED).attribution
    assert (told.by_time, told.shared, told.outside) == (1, 0, 1)


def test_one_event_and_none() -> None:
    assert events_of([at(15_000)], LIVED).total == 1
    assert events_of([], LIVED).total == 0
    with pytest.raises(Inconclusive, match=r"none of the 1 events in the log belongs to this run: 1 lie outside"):
        events_of([at(1.0)], LIVED)


def test_more_groups_than_can_be_added_up_are_an_error() -> None:
    with pytest.raises(DataError, match=r"the log: has more than 9,999 different values of event"):
        events_of([{"event": f"e{i}"} for i in range(MAX_GROUPS)])


# --- delivered twice


def test_rollouts_that_complete_twice_leave_the_rate_open() -> None:
    log = complete_log()
    twice = [event for event in log if event["event"] == "rollout_complete"]
    assert events_of(log + twice[:1]).trajectories_per_hour().detail.startswith("217 trajectories")
    assert "1 repeated completions" in events_of(log + twice[:1]).trajectories_per_hour().detail
    with pytest.raises(Inconclusive, match=r"30 of 60 rollout_complete events .* delivered twice"):
        events_of(log + twice).trajectories_per_hour()
    assert events_of(log + twice).rollout_completion().value == 1


# --- by power, by adapter, by horizon


def test_the_worst_power_is_judged_at_its_best() -> None:
    """R: prop.test(80, 100, correct = FALSE) gives 0.7111708 to 0.8666331."""
    log = [{**event, "power": "ITALY"} for event in orders(80, 5, 15)]
    log += [{**event, "power": "FRANCE"} for event in orders(99, 1)] + [{**event, "power": "X"} for event in orders(3)]
    found = events_of(log + orders(7)).worst_extraction()
    assert found.value == pytest.approx(0.8666331, abs=1e-6)
    expected = "worst is ITALY: 80 of 100, 80.00%; not judged, as too few: X; 7 answers without a power left out"
    assert found.detail == expected
    assert found.table[0]["power"] == "ITALY"


def test_answers_without_powers_are_absent_and_few_are_undecided() -> None:
    with pytest.raises(Absent, match="names its power"):
        events_of(orders(50)).worst_extraction()
    with pytest.raises(Inconclusive, match="none of 2 powers has the 20 answers"):
        events_of([{**event, "power": f"P{i % 2}"} for i, event in enumerate(orders(30))]).worst_extraction()


def test_the_slowest_adapter_is_found() -> None:
    log = requests(30, output_tokens=100, generation_time_s=1.0, adapter="fast")
    log += requests(25, output_tokens=40, generation_time_s=1.0, adapter="slow")
    log += requests(5, output_tokens=1, generation_time_s=1.0, adapter="rare") + requests(40, adapter=None)
    found = events_of(log).slowest_adapter()
    assert (found.value, found.points) == (40, 25)
    assert found.detail == "slowest is slow, of 2 with enough requests; 2 with too few not judged"
    with pytest.raises(Absent, match="names its adapter"):
        events_of(requests(30, output_tokens=1, generation_time_s=1.0)).slowest_adapter()
    with pytest.raises(Inconclusive, match="none of 1 adapters"):
        events_of(requests(19, output_tokens=1, generation_time_s=1.0, adapter="a")).slowest_adapter()


def games(number: int, winners: Sequence[str] = (), **scores: float) -> list[Event]:
    fields = {score_of(power): score for power, score in scores.items()}
    found = completed(number, **fields)
    return [{**event, "winner": winners[i % len(winners)]} if winners else event for i, event in enumerate(found)]


def test_scores_of_powers_against_their_mean() -> None:
    found = events_of(games(30, FRANCE=24.0, ITALY=6.0, TURKEY=6.0)).power_scores()
    assert (found.value, found.reference, found.points) == (24, 12, 90)
    assert [row["mean score"] for row in found.table] == [24, 6, 6]
    with pytest.raises(Inconclusive, match="only 0 games with a score of ITALY"):
        events_of(games(30, FRANCE=24.0)).power_scores()
    with pytest.raises(Inconclusive, match="none is a multiple of it"):
        events_of(games(30, FRANCE=-24.0, ITALY=6.0, TURKEY=6.0)).power_scores()


def test_wins_and_participation_are_tested_for_evenness() -> None:
    """Counts of 20, 10, 0 against 10 each: chi-square 20 with 2 degrees of freedom, p = exp(-10)."""
    found = events_of(games(30, ("FRANCE", "france", "ITALY"))).power_wins()
    assert found.value == pytest.approx(math.exp(-10))
    assert found.detail == "30 wins: most FRANCE (20), least TURKEY (0)"
    even = events_of(games(30, FRANCE=1.0, ITALY=2.0, TURKEY=3.0)).power_participation()
    assert (even.value, even.points) == (1, 90)
    answers = [{**event, "power": power} for power, n in (("A", 20), ("B", 10)) for event in orders(n)]
    assert events_of(answers).power_participation().value == pytest.approx(math.erfc(math.sqrt(30 / 9 / 2)))
    with pytest.raises(Inconclusive, match="only 14 wins over 3 powers; 20 are needed"):
        events_of(games(14, ("FRANCE",))).power_wins()
    with pytest.raises(Inconclusive, match="only one power, A"):
        events_of(answers[:20]).power_participation()


def test_rollouts_by_horizon_whoever_names_it() -> None:
    """The horizon stands in the start, the duration in the end."""
    starts = [{"event": "rollout_start", "time": 0.0, "rollout_id": f"r{i}", "horizon": "long" if i % 3 else "short"}
              for i in range(30)]  # fmt: skip
    ends = [{**event, "rollout_id": f"r{i}", "rollout_duration_s": 10.0 + 10 * (i % 3 > 0)}
            for i, event in enumerate(completed(30))]  # fmt: skip
    table = events_of(starts + ends).rollout_duration(0.95).table
    assert [(row["horizon"], row["rollouts"], row["p50 s"]) for row in table] == [("long", 20, 20), ("short", 10, 10)]
    nameless = [{**event, "rollout_id": None, "horizon": "long"} for event in starts + ends]
    (row,) = events_of(nameless).rollout_duration(0.95).table
    assert (row["horizon"], row["rollouts"], row["completed"], row["max s"]) == ("long", 60, 30, 20)


# --- health, and what has no target


@pytest.mark.parametrize(
    ("errors", "word"), [(0, "healthy"), (9, "healthy"), (10, "degraded"), (49, "degraded"), (50, "unhealthy")]
)
def test_health_has_the_published_words(errors: int, word: str) -> None:
    log = [{"event": "x", "level": "error"}] * errors + [{"event": "x", "level": "info"}] * (1000 - errors)
    assert events_of(log).health().value == word


def test_figures_without_a_target_stand_in_the_health_table() -> None:
    log: list[Event] = [{"event": "training_step", "step": i, "kl": 0.1, "loss": -1.0} for i in range(30)]
    log += [{"event": "prefix_cache_stats", "cache_hits": 30, "cache_queries": 40, "cache_hit_rate": 0.1}] * 5
    log += [{"event": "gpu_stats", "gpu_utilisation": 80, "gpu_memory": 60, "gpu_memory_total": 80}]
    log += requests(4, adapter_load_s=0.5)
    table = {row["figure"]: row["value"] for row in events_of(log).health().table}
    assert table["training_step: highest step"] == 29
    assert table["training_step: mean loss"] == -1
    assert table["training_step: mean kl"] == pytest.approx(0.1)
    assert table["prefix_cache_stats: hits %"] == 75
    assert table["gpu_stats: highest memory %"] == 75
    assert table["inference_timing_breakdown: mean adapter load s"] == 0.5
    assert table["events: training_step"] == 30


def test_the_latest_problems_are_listed_newest_first() -> None:
    log = [{"event": "x", "level": "info", "time": float(i)} for i in range(50)]
    log += [{"event": "x", "level": "Warning", "time": 100.0 + i, "message": f"m{i}"} for i in range(25)]
    log += [{"event": "rollout_error", "time": 50.0, "rollout_id": "r"}]
    table = events_of(log).error_rate().table
    assert [row["message"] for row in table] == [f"m{i}" for i in range(24, 4, -1)]
    assert table[0]["time"] == "1970-01-01 00:02:04Z"


# --- the questions themselves


def fields_of(condition: Condition | None) -> set[str]:
    match condition:
        case None:
            return set()
        case Not(inner):
            return fields_of(inner)
        case AllOf(inner_ones) | AnyOf(inner_ones):
            return set().union(*map(fields_of, inner_ones))
    return {condition.field}


def used_by(measures: Sequence[Measure]) -> set[str]:
    found: set[str] = set()
    for measure in measures:
        found |= fields_of(measure.where)
        if not isinstance(measure, Count):
            found.add(measure.field)
        if isinstance(measure, AtMax):
            found.add(measure.of)
    return found


@pytest.mark.parametrize("log", [complete_log(), [{**one, "rollout_id": None} for one in complete_log()], []])
def test_a_verdict_costs_nine_questions_about_known_fields(log: list[Event]) -> None:
    asked: list[Question] = []
    aggregate(answerer(log, asked), "the log", {}, Scope(("me",), (0.0, 1e9)), POWERS)
    assert len(asked) == 8 + bool(log)  # of nothing there is no profile
    known = {*TEXTS, *NUMBERS, *SIGNED, TIME, *map(score_of, POWERS)}
    for question in asked:
        assert fields_of(question.where) <= known
        if isinstance(question, Listing):
            assert set(question.fields) <= set(TEXTS)
            continue
        for measures in (question.measures, question.per.measures if question.per else ()):
            names = [measure.name for measure in measures]
            assert len(names) == len(set(names))
        if question.per is None:
            assert used_by(question.measures) | set(question.by) <= known
        else:
            columns = {measure.name for measure in question.per.measures}
            assert used_by(question.per.measures) <= known
            assert used_by(question.measures) | set(question.by) <= columns


def test_damage_is_asked_of_checked_fields_only() -> None:
    asked: list[Question] = []
    aggregate(answerer([], asked), "the log", {}, powers=POWERS)
    for question in asked:
        for measure in question.measures if isinstance(question, Aggregate) else ():
            where = measure.where.conditions if isinstance(measure.where, AllOf) else (measure.where,)
            for condition in where:
                if isinstance(condition, Is) and condition.state is State.NOT_A_NUMBER:
                    assert condition.field in CHECKED
