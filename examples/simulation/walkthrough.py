"""The ratings of a published analysis: run grpo-20251222-191408 of bglick13/diplomacy-v2.

Its table gives, of each checkpoint, the peak, where it was, and the end; of each bot, the start and the end. What
lies between is drawn through those points; what the table says is exact.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

import numpy as np

from simulation.training import Floats

RUN_ID = "grpo-20251222-191408"
STEPS = 57


class Peak(NamedTuple):
    """A checkpoint's best rating, the step it was reached at, and its last rating."""

    elo: float
    step: int
    final: float


CHECKPOINTS: Mapping[str, Peak] = {
    "adapter_v0": Peak(1022.9, 24, 1006.2),
    "adapter_v10": Peak(1035.9, 25, 1024.9),
    "adapter_v20": Peak(1035.7, 23, 1020.7),
    "adapter_v30": Peak(1034.1, 14, 1030.1),
    "adapter_v40": Peak(1035.5, 13, 1032.8),
    "adapter_v50": Peak(1035.8, 0, 1031.3),
}
REFERENCES: Mapping[str, tuple[float, float]] = {
    "coordinated_bot": (991.0, 851.0),
    "defensive_bot": (943.0, 763.0),
    "territorial_bot": (955.0, 986.0),
    "chaos_bot": (901.0, 916.0),
    "base_model": (999.0, 1008.0),
}


def _ease(length: int) -> Floats:
    """From 0 to 1 without a corner at either end; strictly rising."""
    return (1 - np.cos(np.pi * np.linspace(0.0, 1.0, length))) / 2


def ratings() -> dict[str, Floats]:
    """Agent -> one Elo rating a step, 0 to 56."""
    curves = {name: start + (end - start) * _ease(STEPS) for name, (start, end) in REFERENCES.items()}
    for name, peak in CHECKPOINTS.items():
        start = 1000.0
        rise = start + (peak.elo - start) * _ease(peak.step + 1) if peak.step else np.array([peak.elo])
        fall = peak.elo + (peak.final - peak.elo) * _ease(STEPS - peak.step)
        curves[f"{RUN_ID}_{name}"] = np.concatenate([rise, fall[1:]])
    return curves
