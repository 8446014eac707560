"""Can orders be read from the model's responses?"""

from __future__ import annotations

from trainhealth.events import EventAggregates
from trainhealth.judge import Judge


def test_extraction_rate(events: EventAggregates, criterion: Judge) -> None:
    """Responses from which all expected orders were extracted, a fraction."""
    criterion.judge(events.extraction_rate())


def test_extraction_empty(events: EventAggregates, criterion: Judge) -> None:
    """Responses without any order although some were expected, a fraction."""
    criterion.judge(events.empty_extractions())


def test_extraction_partial(events: EventAggregates, criterion: Judge) -> None:
    """Responses with fewer orders than expected, a fraction."""
    criterion.judge(events.partial_extractions())


def test_extraction_by_power(events: EventAggregates, criterion: Judge) -> None:
    """What the extraction rate of the power that is read worst may be at best, a fraction."""
    criterion.judge(events.worst_extraction())
