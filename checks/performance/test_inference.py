"""Does the inference engine keep up?"""

from __future__ import annotations

from trainhealth.events import EventAggregates
from trainhealth.judge import Judge


def test_output_tokens_per_second(events: EventAggregates, criterion: Judge) -> None:
    """Generated tokens over generation time, in tokens per second."""
    criterion.judge(events.output_tokens_per_second())


def test_input_tokens_per_second(events: EventAggregates, criterion: Judge) -> None:
    """Prompt tokens over generation time, in tokens per second."""
    criterion.judge(events.input_tokens_per_second())


def test_inference_batch_size(events: EventAggregates, criterion: Judge) -> None:
    """Mean number of prompts in an inference request."""
    criterion.judge(events.batch_size())


def test_adapter_tokens_per_second(events: EventAggregates, criterion: Judge) -> None:
    """Output tokens per second of the slowest adapter."""
    criterion.judge(events.slowest_adapter())
