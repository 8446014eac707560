"""Limits: typed, one-sided bounds such as ``> 0.1``, ``< 95%``, ``> 3x``, ``< -5%``, or words such as ``crashed``.

They are parsed, never evaluated as code.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import Enum

from trainhealth.measurement import Measurement

_NUMBER = r"[+-]?(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?"
_BOUND = re.compile(rf"\s*(?P<sign>[<>])\s*(?P<number>{_NUMBER})\s*(?P<kind>%|x)?\s*")
_WORD = re.compile(r"[a-z][a-z_]*")


class Kind(Enum):
    """What a bound is compared with."""

    NUMBER = ""
    """The measured value itself, in its own unit."""
    PERCENT = "%"
    """A fraction in percent, or the change relative to the measurement's reference."""
    TIMES = "x"
    """The value as a multiple of the measurement's reference."""


@dataclass(frozen=True, slots=True)
class Bound:
    """A one-sided numeric limit: beyond it is bad.

    ``sign`` is ``>`` or ``<``; ``number`` is in the unit of ``kind`` (``95`` for ``95%``).
    ``origin`` says where the limit was written (file:line, profile or command line).
    """

    sign: str
    number: float
    kind: Kind
    origin: str

    def exceeded_by(self, measurement: Measurement) -> bool:
        """Whether the measured value lies beyond this bound. NaN lies beyond every bound.

        Raises:
            ValueError: the bound is of a kind that the value cannot be held against, or out of a fraction's reach.
        """
        value = measurement.in_kind(self.kind.value)
        if measurement.unit == "fraction" and self.kind is Kind.NUMBER and (abs(self.number) > 1 or self.number == 1):
            raise ValueError(f"the measured value is a fraction; write '{self.sign} {self.number:.12g}%'")
        return not (value <= self.number if self.sign == ">" else value >= self.number)

    def weaker_than(self, other: Bound) -> bool:
        """Whether this bound is exceeded before `other`, which has the same sign and kind."""
        return self.number < other.number if self.sign == ">" else self.number > other.number

    def __str__(self) -> str:
        return f"{self.sign} {self.number:.12g}{self.kind.value}"


@dataclass(frozen=True, slots=True)
class Word:
    """A state that is bad, for measurements whose value is a word (``crashed``)."""

    word: str
    origin: str

    def exceeded_by(self, measurement: Measurement) -> bool:
        """Whether the measured state is this one.

        Raises:
            ValueError: it could never be: the value is a number, or the word is none of its vocabulary.
        """
        if not isinstance(measurement.value, str):
            raise ValueError(f"the measured value is a number, so its limits must be numbers, not {self.word!r}")
        if self.word not in measurement.vocabulary:
            raise ValueError(f"'{self.word}' is no state it can be in (known: {', '.join(measurement.vocabulary)})")
        return measurement.value == self.word

    def __str__(self) -> str:
        return self.word


Limit = Bound | Word


def parse_limit(text: object, origin: str) -> Limit:
    """Read one limit.

    Raises:
        ValueError: with a text that says what is accepted; the caller adds the place.
    """
    if isinstance(text, str):
        if match := _BOUND.fullmatch(text):
            number = float(match["number"])
            if number == number and abs(number) != float("inf"):
                return Bound(match["sign"], number, Kind(match["kind"] or ""), origin)
        elif _WORD.fullmatch(text):
            return Word(text, origin)
    raise ValueError(
        f"{text!r} is not a limit; write a comparison such as '> 0.1', '< 95%', '> 3x' or '< -5%', "
        "or a state such as 'crashed'"
    )
