"""Does the pipeline report errors?"""

from __future__ import annotations

from trainhealth.events import EventAggregates
from trainhealth.judge import Judge


def test_error_rate(events: EventAggregates, criterion: Judge) -> None:
    """Errors over all events, a fraction; warnings do not count."""
    criterion.judge(events.error_rate())


def test_health(events: EventAggregates, criterion: Judge) -> None:
    """healthy, degraded or unhealthy, by the published limits of the error rate; with every figure without a target."""
    criterion.judge(events.health())
