"""How errors lie in time and rollouts in duration, against counts by hand and by plain Python."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st
from plain_events import answerer

from trainhealth.aggregates import TIME, Aggregate
from trainhealth.answers import Answer
from trainhealth.event_profile import MOST_DURATIONS, MOST_TIMES, Counted, Profile

BEGIN = 1767225600.0  # 2026-01-01


def profile(events: list[dict[str, object]], **rollouts: float | None) -> tuple[Counted, ...]:
    times = [float(str(event[TIME])) for event in events]
    found = Profile.of(Answer({"errors": 1, "first": min(times), "last": max(times)}), Answer(rollouts))
    question = found.question(None)
    assert question is not None
    [row] = answerer(events, [])(question)
    return found.counted(Answer(row))


def test_errors_by_hand() -> None:
    moments = [0.0, 59.9, 60.0, 61.0, 1500.0]
    events = [{"event": "x", "level": "error", TIME: BEGIN + at} for at in moments]
    events += [{"event": "x", "level": "warning", TIME: BEGIN + 60.0}, {"event": "x", "level": "info", TIME: BEGIN}]
    events += [{"event": "rollout_error", "level": "warning", TIME: BEGIN + 120.0}]  # an error by name: told once
    [counted] = profile(events)
    assert (counted.bins.start, counted.bins.width, counted.bins.count) == (BEGIN, 60.0, 26)
    assert counted.counts["errors"] == (2, 2, 1, *[0] * 22, 1)
    assert counted.counts["warnings"] == (0, 1, *[0] * 24)


def test_durations_by_hand_and_the_tail_in_the_last_bin() -> None:
    lasting = [0.0, 9.99, 10.0, 95.0, 150.0, 4000.0, math.nan, math.inf, -1.0, None]
    events: list[dict[str, object]] = [{"event": "a_error", TIME: BEGIN}]
    events += [{"event": "rollout_complete", "rollout_duration_s": one, TIME: BEGIN} for one in lasting]
    _, counted = profile(events, longest=4000.0, p95=60.0)
    assert (counted.bins.width, counted.bins.count) == (10.0, 19)
    assert counted.counts["rollouts"] == (2, 1, *[0] * 6, 0, 1, *[0] * 5, 1, 0, 0, 1)


def test_of_nothing_there_is_nothing_to_ask() -> None:
    assert Profile.of(Answer({}), Answer({})).question(None) is None
    assert Profile.of(Answer({"errors": 3}), Answer({"longest": 0.0, "p95": 0.0})).question(None) is None
    assert Profile.of(Answer({"errors": 0, "first": 1.0, "last": 2.0}), Answer({})).question(None) is None


@given(st.floats(0, 4e9), st.floats(0, 4e9), st.floats(1e-9, 1e9), st.floats(1e-9, 1e9))
def test_bins_are_few_and_hold_everything(first: float, last: float, longest: float, p95: float) -> None:
    first, last = sorted((first, last))
    found = Profile.of(Answer({"warnings": 1, "first": first, "last": last}), Answer({"longest": longest, "p95": p95}))
    times, durations = found.times, found.durations
    assert times is not None
    assert durations is not None
    assert times.count <= MOST_TIMES
    assert durations.count <= MOST_DURATIONS
    assert times.start <= first + 0.001  # which is known to 13 digits
    question = found.question(None)
    assert isinstance(question, Aggregate)
    assert len({measure.name for measure in question.measures}) == 2 * times.count + durations.count
    events = [{"event": "x_error", TIME: first}, {"event": "x_error", TIME: last}]
    [row] = answerer(events, [])(question)
    assert sum(found.counted(Answer(row))[0].counts["errors"]) == 2


@pytest.mark.parametrize(("span", "width"), [(10, 1), (3000, 120), (86_400, 3600), (40 * 86_400, 604_800)])
def test_stretches_are_round(span: float, width: float) -> None:
    times = Profile.of(Answer({"errors": 1, "first": BEGIN + 7.5, "last": BEGIN + 7.5 + span}), Answer({})).times
    assert times is not None
    assert times.width == width
    assert times.start % width == 0
