"""Does every power get the same chances?"""

from __future__ import annotations

from trainhealth.events import EventAggregates
from trainhealth.judge import Judge


def test_power_participation(events: EventAggregates, criterion: Judge) -> None:
    """How likely powers that take part equally come out as uneven as these, from 0 to 1."""
    criterion.judge(events.power_participation())


def test_power_scores(events: EventAggregates, criterion: Judge) -> None:
    """The highest mean final score of a power, as a multiple of the mean of all."""
    criterion.judge(events.power_scores())


def test_power_wins(events: EventAggregates, criterion: Judge) -> None:
    """How likely equally strong powers win as unevenly as these, from 0 to 1."""
    criterion.judge(events.power_wins())
