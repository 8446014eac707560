"""Every criterion of a run's events: what passes and what fails it; missing data, NaN and few events never pass."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

import pytest
from bench import checks, event_judgements
from plain_events import Event, answerer

from trainhealth.aggregates import MIN_EVENTS, score_of
from trainhealth.events import EventAggregates, aggregate

POWERS = ("AUSTRIA", "ENGLAND", "FRANCE", "GERMANY", "ITALY", "RUSSIA", "TURKEY")
ROLLOUTS = 70
CRITERIA = sorted(checks("events"))

Log = list[Event]


def rollouts(count: int = ROLLOUTS) -> Log:
    """One every 20 s, of 40 s and 7 trajectories, whose powers share scores and wins."""
    found: Log = []
    for i in range(count):
        ident = {"rollout_id": f"r{i}", "level": "info"}
        found.append({"event": "rollout_start", "time": 20.0 * i, **ident})
        end = {"event": "rollout_complete", "time": 20.0 * i + 40, "rollout_duration_s": 40.0, "trajectories": 7}
        scores = {score_of(power): 34 / 7 for power in POWERS}
        found.append({**end, **ident, **scores, "winner": POWERS[i % 7]})
    return found


def orders(count: int = ROLLOUTS) -> Log:
    return [
        {"event": "orders_extracted", "power": power, "expected_orders": 4, "time": 20.0 * i}
        for i in range(count)
        for power in POWERS
    ]


def requests(count: int = ROLLOUTS) -> Log:
    request = {"event": "inference_timing_breakdown", "output_tokens": 400, "input_tokens": 6000, "batch_size": 8}
    return [
        {**request, "generation_time_s": 5.0, "adapter": ("new", "old")[i % 2], "time": 20.0 * i} for i in range(count)
    ]


def healthy() -> Log:
    return [*rollouts(), *orders(), *requests()]


def changed(share: float, kind: str, **fields: object) -> Log:
    """The healthy log; `share` of its events of this kind have other values."""
    found, seen = [], 0
    for event in healthy():
        if event["event"] == kind:
            seen += 1
            if seen * share % 1 < share:
                event = {**event, **fields}
        found.append(event)
    return found


def judged(log: Sequence[Event], *ids: str) -> dict[str, str]:
    found: EventAggregates = aggregate(answerer(log), "the log", {}, powers=POWERS)
    return {one.criterion.removeprefix("performance."): str(one.verdict) for one in event_judgements(found, *ids)}


def slow_adapter() -> Log:
    return [{**event, "generation_time_s": 20.0} if event.get("adapter") == "old" else event for event in healthy()]


def one_power(kind: str, **fields: object) -> Log:
    return [
        {**event, **fields} if event["event"] == kind and event.get("power") == "ITALY" else event
        for event in healthy()
    ]


PATHOLOGIES: dict[str, tuple[Callable[[], Log], str]] = {
    "rollout_p50": (lambda: changed(0.6, "rollout_complete", rollout_duration_s=130.0), "FAIL"),
    "rollout_p95": (lambda: changed(0.1, "rollout_complete", rollout_duration_s=300.0), "FAIL"),
    "trajectories_per_rollout": (lambda: changed(1, "rollout_complete", trajectories=3), "FAIL"),
    "trajectories_per_hour": (lambda: changed(1, "rollout_complete", trajectories=1), "FAIL"),
    "rollout_completion": (lambda: changed(0.1, "rollout_complete", event="rollout_error"), "FAIL"),
    "extraction_rate": (lambda: changed(0.1, "orders_extracted", event="orders_partial"), "FAIL"),
    "extraction_empty": (lambda: changed(0.1, "orders_extracted", event="orders_empty"), "FAIL"),
    "extraction_partial": (lambda: changed(0.2, "orders_extracted", event="orders_partial"), "FAIL"),
    "extraction_by_power": (lambda: one_power("orders_extracted", event="orders_empty"), "FAIL"),
    "error_rate": (lambda: changed(0.5, "orders_extracted", level="error"), "FAIL"),
    "health": (lambda: changed(0.5, "orders_extracted", level="error"), "FAIL"),
    "output_tokens_per_second": (lambda: changed(1, "inference_timing_breakdown", output_tokens=100), "FAIL"),
    "input_tokens_per_second": (lambda: changed(1, "inference_timing_breakdown", input_tokens=1000), "FAIL"),
    "adapter_tokens_per_second": (slow_adapter, "FAIL"),
    "inference_batch_size": (lambda: changed(1, "inference_timing_breakdown", batch_size=1), "FAIL"),
    "power_scores": (lambda: changed(1, "rollout_complete", **{score_of("FRANCE"): 40.0}), "FAIL"),
    "power_wins": (lambda: changed(0.5, "rollout_complete", winner="FRANCE"), "WARN"),
    "power_participation": (lambda: changed(0.9, "rollout_complete", **{score_of("ITALY"): None}), "WARN"),
}


def test_the_healthy_log_passes_every_criterion() -> None:
    assert set(judged(healthy()).values()) == {"PASS"}


def test_every_criterion_has_its_pathology() -> None:
    assert {f"performance.{name}" for name in PATHOLOGIES} == set(CRITERIA)


@pytest.mark.parametrize("name", PATHOLOGIES)
def test_the_pathology_is_found(name: str) -> None:
    log, expected = PATHOLOGIES[name]
    assert judged(log(), f"performance.{name}") == {name: expected}


@pytest.mark.parametrize("id_", CRITERIA)
@pytest.mark.parametrize(
    "log",
    [[], [{"event": "span_duration"}] * 5, [{"event": None, "time": 1.0}] * 5],
    ids=["none", "others", "nameless"],
)
def test_without_its_events_no_criterion_passes(id_: str, log: Log) -> None:
    assert set(judged(log, id_).values()) <= {"INCONCLUSIVE", "NOT_APPLICABLE"}


@pytest.mark.parametrize("id_", CRITERIA)
def test_events_without_their_fields_do_not_pass(id_: str) -> None:
    bare = [{"event": event["event"]} for event in healthy()]
    # What is told by the names of events alone, and what nobody said does not apply.
    told = {"performance.extraction_rate", "performance.extraction_empty", "performance.extraction_partial",
            "performance.error_rate", "performance.health", "performance.rollout_completion"}  # fmt: skip
    found = set(judged(bare, id_).values())
    assert found == {"PASS"} if id_ in told else found <= {"INCONCLUSIVE", "NOT_APPLICABLE"}


@pytest.mark.parametrize("id_", CRITERIA)
def test_too_few_events_decide_nothing(id_: str) -> None:
    few = [*rollouts(MIN_EVENTS - 1)[:18], *orders(2), *requests(19)]
    found = set(judged([event for event in few if event.get("power") != "ITALY"][: MIN_EVENTS - 1], id_).values())
    assert found <= {"INCONCLUSIVE", "NOT_APPLICABLE"}


FIELDS = {
    "rollout_p50": ("rollout_complete", "rollout_duration_s"),
    "rollout_p95": ("rollout_complete", "rollout_duration_s"),
    "trajectories_per_rollout": ("rollout_complete", "trajectories"),
    "trajectories_per_hour": ("rollout_complete", "trajectories"),
    "extraction_rate": ("orders_extracted", "expected_orders"),
    "extraction_empty": ("orders_extracted", "expected_orders"),
    "extraction_partial": ("orders_extracted", "expected_orders"),
    "output_tokens_per_second": ("inference_timing_breakdown", "output_tokens"),
    "input_tokens_per_second": ("inference_timing_breakdown", "generation_time_s"),
    "adapter_tokens_per_second": ("inference_timing_breakdown", "generation_time_s"),
    "inference_batch_size": ("inference_timing_breakdown", "batch_size"),
}


@pytest.mark.parametrize("name", FIELDS)
@pytest.mark.parametrize("share", [1 / 30, 1.0], ids=["some", "all"])
@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf])
def test_values_that_are_not_finite_never_pass(name: str, share: float, value: float) -> None:
    kind, field = FIELDS[name]
    found = judged(changed(share, kind, **{field: value}), f"performance.{name}")
    assert set(found.values()) <= {"FAIL", "INCONCLUSIVE"}


@pytest.mark.parametrize("value", [None, math.nan, "many"])
def test_scores_that_are_not_there_do_not_pass(value: float | str | None) -> None:
    scores = {score_of(power): value for power in POWERS}
    assert judged(changed(1, "rollout_complete", **scores), "performance.power_scores") == {
        "power_scores": "NOT_APPLICABLE"
    }
    one = {score_of("ITALY"): value}
    assert judged(changed(0.9, "rollout_complete", **one), "performance.power_scores") == {
        "power_scores": "INCONCLUSIVE"
    }
