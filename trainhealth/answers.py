"""Answers to the questions of trainhealth/aggregates.py, typed, and groups of them added up."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from trainhealth.aggregates import Count, Max, Measure, Min, Row, Sum, Value


@dataclass(frozen=True, slots=True)
class Answer:
    """One answer of a source: a count of nothing is 0, any other measure of nothing is None."""

    row: Row

    def count(self, name: str) -> int:
        return int(self.row.get(name) or 0)

    def number(self, name: str) -> float | None:
        """To 13 digits: those after depend on the order in which an engine's threads happened to add up."""
        value = self.row.get(name)
        return None if value is None else float(f"{float(value):.13g}")

    def text(self, name: str) -> str:
        return str(self.row.get(name) or "")

    def mean(self, name: str) -> float | None:
        """The sum `name` over how many were usable; None of nothing."""
        total, number = self.number(name), self.count(f"{name}.usable")
        return total / number if total is not None and number else None


def added(measures: Sequence[Measure], answers: Iterable[Answer]) -> Answer:
    """Groups as one: counts and sums added up, the least of the least, the largest of the largest.

    Quantiles and the like cannot be had that way; they are left out.
    """
    rows = [answer.row for answer in answers]
    found: dict[str, Value] = {}
    for measure in measures:
        values = [value for row in rows if isinstance(value := row.get(measure.name), int | float)]
        match measure:
            case Count() | Sum():
                found[measure.name] = sum(values) if values else None
            case Min():
                found[measure.name] = min(values, default=None)
            case Max():
                found[measure.name] = max(values, default=None)
    return Answer(found)


@dataclass(frozen=True, slots=True)
class Quality:
    """What one field holds over `events` events."""

    field: str
    events: int
    usable: int
    non_finite: int
    negative: int
    not_a_number: int

    @property
    def seen(self) -> int:
        """Events that count: with a value, or with a non-finite one, which rules out a pass by itself."""
        return self.usable + self.non_finite

    @property
    def absent(self) -> int:
        return self.events - self.seen - self.negative - self.not_a_number

    def __str__(self) -> str:
        """What is wrong with the values, or nothing."""
        flaws = {
            "NaN or infinite": self.non_finite,
            "negative": self.negative,
            "not a number": self.not_a_number,
            "absent": self.absent,
        }
        found = ", ".join(f"{number:,} {flaw}" for flaw, number in flaws.items() if number)
        return f"{self.field}: {found} of {self.events:,}" if found else ""
