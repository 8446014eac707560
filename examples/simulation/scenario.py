"""The stories the demo runs tell."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any


@dataclass(frozen=True, slots=True)
class Collapse:
    """Where and how a run comes apart; all are training steps."""

    onset: int
    spikes: Mapping[int, float]
    """Step -> KL of that step, in place of the level."""
    nan_step: int
    """The step whose loss and gradient norm are NaN."""


@dataclass(frozen=True, slots=True)
class Service:
    """How the rollout workers and the inference engine behave."""

    rollout_median_s: float
    rollout_spread: float
    """Standard deviation of the logarithm of the duration."""
    hanging: float
    """Share of games that hang, and take about `hanging_s` seconds."""
    hanging_s: float
    extraction: float
    """Share of answers whose orders are all read; one power does worse than the others."""
    error_rate: float
    """Share of events that are errors."""
    batch_size: int
    output_tps: float
    input_tps: float
    cache_hit_rate: float


@dataclass(frozen=True, slots=True)
class Scenario:
    """One demo run. `steps` are logged, 0 to steps - 1, of `total_steps` planned."""

    id: str
    name: str
    seed: int
    started: datetime
    steps: int
    exit_code: int
    kl_warmup_steps: int
    reward_at: tuple[float, float, float]
    """Mean reward at the first step, after the first eight, and where it is heading."""
    skill_gain: float
    """What training adds to the policy's strength in the long run, in TrueSkill units (40 Elo each)."""
    service: Service
    collapse: Collapse | None = None
    total_steps: int = 200
    kl_beta: float = 0.04

    @property
    def config(self) -> dict[str, Any]:
        """What the trainer hands to wandb.init."""
        return {
            "total_steps": self.total_steps,
            "kl_beta": self.kl_beta,
            "kl_warmup_steps": self.kl_warmup_steps,
            "learning_rate": 1e-5,
            "model_name": "Qwen/Qwen2.5-7B-Instruct",
            "num_generations": 8,
            "lora_rank": 16,
            "seed": self.seed,
        }


HEALTHY = Scenario(
    id="demo-healthy",
    name="grpo-demo-healthy",
    seed=13,
    started=datetime(2025, 12, 20, 9, 14, 8, tzinfo=UTC),
    steps=200,
    exit_code=0,
    kl_warmup_steps=20,
    reward_at=(11.0, 11.4, 16.5),
    skill_gain=6.5,
    service=Service(
        rollout_median_s=40.0,
        rollout_spread=0.49,
        hanging=0.0,
        hanging_s=0.0,
        extraction=0.972,
        error_rate=0.003,
        batch_size=8,
        output_tps=80.0,
        input_tps=1500.0,
        cache_hit_rate=0.72,
    ),
)

# The first fall of the reward, from 14 to 8, is what a KL penalty without warm-up does: the policy never gets better
# than it was. The second is the collapse.
COLLAPSED = Scenario(
    id="demo-collapsed",
    name="grpo-demo-collapsed",
    seed=21,
    started=datetime(2025, 12, 21, 16, 40, 31, tzinfo=UTC),
    steps=164,
    exit_code=1,
    kl_warmup_steps=0,
    reward_at=(14.0, 8.0, 12.5),
    skill_gain=-1.5,
    service=Service(
        rollout_median_s=62.0,
        rollout_spread=0.42,
        hanging=0.15,
        hanging_s=275.0,
        extraction=0.73,
        error_rate=0.07,
        batch_size=3,
        output_tps=31.0,
        input_tps=640.0,
        cache_hit_rate=0.41,
    ),
    collapse=Collapse(onset=118, spikes={108: 0.62, 115: 1.4, 121: 392_000.0, 133: 9.5, 146: 44.0}, nan_step=137),
)
