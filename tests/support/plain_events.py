"""Questions about events, answered by a few lines of Python over dictionaries: what every renderer must agree with.

An event holds canonical fields only; text in a numeric field is damage.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from trainhealth.aggregates import (
    TIME,
    Above,
    AllOf,
    AnyOf,
    AtMax,
    Condition,
    Count,
    Equals,
    Is,
    Known,
    Listing,
    Max,
    Measure,
    Min,
    Not,
    Quantile,
    Question,
    Row,
    State,
    Sum,
    TextEndsWith,
    TextIn,
    TextIs,
    TextStartsWith,
    Within,
    is_signed,
)

Event = dict[str, Any]


def state(field: str, value: Any) -> State | None:
    if value is None:
        return None
    if isinstance(value, str):
        return State.NOT_A_NUMBER
    if not math.isfinite(value):
        return State.NON_FINITE
    return State.NEGATIVE if value < 0 and not is_signed(field) else State.USABLE


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
    if value is None:
        return False
    match condition:
        case Is(field, expected):
            return state(field, value) is expected
        case TextIn(_, values):
            return str(value).lower() in values
        case TextIs(_, values):
            return value in values
        case TextEndsWith(_, suffix):
            return str(value).lower().endswith(suffix)
        case TextStartsWith(_, prefixes):
            return str(value).startswith(prefixes)
        case Known():
            return bool(value)
        case Equals(_, number):
            return bool(value == number)
        case Above(_, number):
            return bool(value > number)
        case Within(_, low, high):
            return not isinstance(value, str) and bool(low <= value <= high)  # text that is no number is absent


def compute(measure: Measure, events: Sequence[Event]) -> Any:
    seen = [event for event in events if holds(measure.where, event)]
    if isinstance(measure, Count):
        return len(seen)
    seen = [event for event in seen if state(measure.field, event.get(measure.field)) is State.USABLE]
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


def grouped(events: Sequence[Event], fields: Sequence[str]) -> dict[tuple[Any, ...], list[Event]]:
    found: dict[tuple[Any, ...], list[Event]] = {}
    for event in events:
        found.setdefault(tuple(event.get(field) for field in fields), []).append(event)
    return found


def answerer(events: Sequence[Event], asked: list[Question] | None = None) -> Callable[[Question], list[Row]]:
    def ask(question: Question) -> list[Row]:
        if asked is not None:
            asked.append(question)
        seen = [event for event in events if holds(question.where, event)]
        if isinstance(question, Listing):
            latest = sorted(seen, key=lambda event: -event.get(TIME, -math.inf))[: question.limit]
            return [{field: event.get(field) for field in (*question.fields, TIME)} for event in latest]
        per = question.per
        if per is not None:
            groups = grouped(seen, [per.field])
            seen = [{m.name: compute(m, group) for m in per.measures} for group in groups.values()]
        if not question.by:
            return [{m.name: compute(m, seen) for m in question.measures}]
        rows: list[dict[str, Any]] = [
            {**dict(zip(question.by, key, strict=True)), **{m.name: compute(m, group) for m in question.measures}}
            for key, group in grouped(seen, question.by).items()
        ]
        return [*sorted(rows, key=lambda row: -row[question.measures[0].name])[: question.limit]]

    return ask
