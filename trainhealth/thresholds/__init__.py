"""thresholds.yaml: what is acceptable of a run, checked, merged, every limit with its origin."""

from trainhealth.thresholds.load import load
from trainhealth.thresholds.models import (
    GENERIC,
    AgentPatterns,
    Alias,
    Criterion,
    EventFields,
    EventStore,
    FieldAlias,
    MetricDefinition,
    Missing,
    OffPattern,
    Thresholds,
    Trainer,
    Waiver,
    Window,
    is_custom,
)

__all__ = [
    "GENERIC",
    "AgentPatterns",
    "Alias",
    "Criterion",
    "EventFields",
    "EventStore",
    "FieldAlias",
    "MetricDefinition",
    "Missing",
    "OffPattern",
    "Thresholds",
    "Trainer",
    "Waiver",
    "Window",
    "is_custom",
    "load",
]
