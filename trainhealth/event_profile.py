"""How errors lie in time, and rollouts in duration: counts in neighbouring bins, for pictures; no limit is on them."""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterator
from dataclasses import dataclass

from trainhealth.aggregates import (
    ERROR,
    ROLLOUT_COMPLETE,
    TIME,
    WARNING,
    Aggregate,
    AllOf,
    AnyOf,
    Condition,
    Count,
    Is,
    Not,
    State,
    Within,
    every,
    is_event,
)
from trainhealth.answers import Answer

MOST_TIMES, MOST_DURATIONS = 30, 20
"""Bins at most: each is a measure of the query, and queries of Axiom are to stay as long as the others are."""

_SECONDS = (1, 2, 5, 10, 30, 60, 120, 300, 600, 1800, 3600, 7200, 10800, 21600, 43200, 86400, 604800)
_LATEST = 2e11
"""Unix seconds; beyond the year 8000 a time is no time."""
_TAIL = 3.0
"""Rollouts of more than so many times the 95th percentile share the last bin."""


@dataclass(frozen=True, slots=True)
class Bins:
    """`count` neighbouring stretches of a field, each of `width`; the outermost hold all that lies beyond, too."""

    field: str
    start: float
    width: float
    count: int

    def conditions(self) -> Iterator[Condition]:
        inner = [self.start + place * self.width for place in range(1, self.count)]
        edges = [-math.inf, *inner, math.inf]
        for low, high in itertools.pairwise(edges):
            within = Within(self.field, low, math.nextafter(high, -math.inf) if math.isfinite(high) else high)
            outermost = math.isinf(low) or math.isinf(high)
            yield AllOf((Is(self.field, State.USABLE), within)) if outermost else within


@dataclass(frozen=True, slots=True)
class Counted:
    """How many fell into each of `bins`, by name."""

    bins: Bins
    counts: dict[str, tuple[int, ...]]


@dataclass(frozen=True, slots=True)
class Profile:
    """The bins of a run's events; None where there is nothing to count or nothing to divide it by."""

    times: Bins | None
    durations: Bins | None

    @classmethod
    def of(cls, everything: Answer, rollouts: Answer) -> Profile:
        """From the first to the last event where there is any error or warning, and from 0 to the longest rollout."""
        problems = everything.count("errors") + everything.count("warnings")
        first, last = everything.number("first"), everything.number("last")
        longest, p95 = rollouts.number("longest"), rollouts.number("p95")
        return cls(
            _times(first, last) if problems and first is not None and last is not None and last < _LATEST else None,
            _durations(min(longest, _TAIL * p95)) if longest and p95 else None,
        )

    def question(self, mine: Condition | None) -> Aggregate | None:
        """What fills the bins; None where there are none."""
        counts = [count for bins, kinds in self._kinds() for name, kind in kinds.items()
                  for count in _counts(bins, name, kind)]  # fmt: skip
        wanted = AnyOf(tuple(kind for _, kinds in self._kinds() for kind in kinds.values()))
        return Aggregate(tuple(counts), where=every(mine, wanted)) if counts else None

    def counted(self, answer: Answer) -> tuple[Counted, ...]:
        """The bins, filled."""
        return tuple(
            Counted(
                bins, {name: tuple(answer.count(f"{name}.{place}") for place in range(bins.count)) for name in kinds}
            )
            for bins, kinds in self._kinds()
        )

    def _kinds(self) -> Iterator[tuple[Bins, dict[str, Condition]]]:
        if self.times is not None:
            yield self.times, {"errors": ERROR, "warnings": AllOf((WARNING, Not(ERROR)))}
        if self.durations is not None:
            yield self.durations, {"rollouts": is_event(ROLLOUT_COMPLETE)}


def _counts(bins: Bins, name: str, kind: Condition) -> Iterator[Count]:
    for place, inside in enumerate(bins.conditions()):
        yield Count(f"{name}.{place}", AllOf((kind, inside)))


def _times(first: float, last: float) -> Bins:
    """A stretch is a round number of seconds, minutes, hours or days, and begins at a multiple of it."""
    span = last - first
    width = next((one for one in _SECONDS if span < one * (MOST_TIMES - 1)), math.ceil(span / (MOST_TIMES - 1)))
    start = math.floor(first / width) * width
    return Bins(TIME, float(start), float(width), min(int((last - start) // width) + 1, MOST_TIMES))


def _durations(longest: float) -> Bins:
    """1, 2 or 5 times a power of ten."""
    raw = longest / (MOST_DURATIONS - 1)
    power = 10.0 ** math.floor(math.log10(raw))
    width = next((power * factor for factor in (1, 2, 5) if power * factor >= raw), power * 10)
    return Bins("rollout_duration_s", 0.0, width, min(int(longest // width) + 1, MOST_DURATIONS))
