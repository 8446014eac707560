"""Generated GRPO runs as seven trainers log them: healthy ones over seeds, and one for every pathology."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
from synthetic import ROOT, ar1, column, run

from trainhealth.history import Column
from trainhealth.run import Run
from trainhealth.thresholds import load

Floats = npt.NDArray[np.float64]
THRESHOLDS = load(ROOT / "thresholds.yaml")
STEPS = 200
EVALUATION = 20
PERCENT, COMPLEMENT = "percent", "complement"

NAMES: dict[str, dict[str, str]] = {
    # huggingface/trl: trl/trainer/grpo_trainer.py; `train/` is put in front by transformers' W&B callback.
    "trl": {
        "step": "train/global_step", "reward": "train/reward", "kl": "train/kl", "grad_norm": "train/grad_norm",
        "loss": "train/loss", "entropy": "train/entropy", "clip_fraction": "train/clip_ratio/region_mean",
        "truncation": "train/completions/clipped_ratio", "completion_length": "train/completions/mean_length",
        "reward_std": "train/reward_std", "zero_variance_groups": "train/frac_reward_zero_std",
        "importance_ratio": "train/sampling/importance_sampling_ratio/mean",
        "logprob_gap": "train/sampling/sampling_logp_difference/mean", "step_time": "train/step_time",
        "task_reward": "train/rewards/accuracy_reward/mean", "format_reward": "train/rewards/format_reward/mean",
    },
    # volcengine/verl: verl/trainer/ppo/metric_utils.py, core_algos.py, rollout_corr_helper.py, ray_trainer.py
    "verl": {
        "step": "training/global_step", "reward": "critic/score/mean", "kl": "actor/kl_loss",
        "grad_norm": "actor/grad_norm", "loss": "actor/pg_loss", "entropy": "actor/entropy",
        "policy_kl": "actor/ppo_kl", "clip_fraction": "actor/pg_clipfrac", "truncation": "response_length/clip_ratio",
        "completion_length": "response_length/mean", "importance_ratio": "rollout_corr/rollout_is_mean",
        "inference_kl": "rollout_corr/k3_kl", "step_time": "perf/time_per_step",
    },
    # OpenRLHF/OpenRLHF: openrlhf/trainer/ppo_trainer.py, ray/ppo_actor.py, utils/logging_utils.py
    "openrlhf": {
        "step": "train/global_step", "reward": "train/reward", "kl": "train/kl", "grad_norm": "train/actor_grad_norm",
        "loss": "train/policy_loss", "entropy": "train/entropy_loss", "policy_kl": "train/ppo_kl",
        "clip_fraction": "train/ppo_clip_ratio", "truncation": "train/rollout/truncated_rate",
        "completion_length": "train/response_length", "reward_std": "train/group_reward_std",
        "inference_kl": "train/vllm_kl", "step_time": "train/timing/step_total",
        "zero_variance_groups": "train/dynamic_filtering_pass_rate",
    },
    # NVIDIA-NeMo/RL: nemo_rl/algorithms/grpo.py, loss/loss_functions.py, experience/rollouts.py
    "nemo-rl": {
        "reward": "train/reward", "kl": "train/kl_penalty", "grad_norm": "train/grad_norm", "loss": "train/loss",
        "entropy": "train/approx_entropy", "importance_ratio": "train/probs_ratio",
        "truncation": "train/truncation_rate", "completion_length": "train/mean_gen_tokens_per_sample",
        "inference_kl": "train/gen_kl_error", "step_time": "timing/train/total_step_time",
        "zero_variance_groups": "train/baseline_reward/pct_0",
    },
    # PrimeIntellect-ai/prime-rl: src/prime_rl/orchestrator/{metrics,orchestrator}.py, trainer/rl/{train,loss}.py
    "prime-rl": {
        "step": "step", "reward": "train/agg/effective/agent/reward/mean", "kl": "ref_kl/mean",
        "grad_norm": "optim/grad_norm", "loss": "loss/mean", "entropy": "entropy/all/mean",
        "policy_kl": "unmasked_mismatch_kl/mean", "inference_kl": "mismatch_kl/all/mean",
        "clip_fraction": "is_masked/mean", "truncation": "train/agg/effective/agent/is_truncated/mean",
        "completion_length": "train/agg/effective/num_output_tokens/mean", "staleness": "off_policy/max",
        "step_time": "time/step", "zero_variance_groups": "train/agg/all/agent/solved_some",
    },
    # THUDM/slime: slime/backends/megatron_utils/loss.py, observability/{rollout,train}_metric*.py
    "slime": {
        "step": "rollout/step", "reward": "rollout/raw_reward", "kl": "train/kl_loss", "grad_norm": "train/grad_norm",
        "loss": "train/loss", "entropy": "train/entropy_loss", "policy_kl": "train/ppo_kl",
        "clip_fraction": "train/pg_clipfrac", "truncation": "rollout/truncated_ratio",
        "completion_length": "rollout/response_len/mean", "logprob_gap": "train/train_rollout_logprob_abs_diff",
        "importance_ratio": "train/ois", "step_time": "perf/step_time",
    },
    # bglick13/diplomacy-v2, as published
    "diplomacy-v2": {
        "step": "benchmark/step", "reward": "benchmark/reward_mean", "kl": "kl/mean", "kl_max": "kl/max",
        "grad_norm": "benchmark/grad_norm", "loss": "benchmark/loss", "entropy": "policy/entropy_mean",
        "clip_fraction": "ppo/clip_fraction", "importance_ratio": "ppo/ratio_mean",
        "reward_std": "benchmark/reward_std", "logprob_gap": "logprob/diff_mean", "staleness": "buffer/depth",
        "zero_variance_groups": "processing/skip_rate",
    },
}  # fmt: skip

UNITS = {
    ("openrlhf", "zero_variance_groups"): COMPLEMENT,
    ("prime-rl", "zero_variance_groups"): COMPLEMENT,
    ("nemo-rl", "zero_variance_groups"): PERCENT,
}
SEVERAL_ROWS = ("openrlhf", "prime-rl", "slime")
EVALUATION_ROWS = ("trl", "diplomacy-v2")
"""These log an evaluation in a row of its own; verl and NeMo-RL in the row of the step."""


def signals(seed: int, steps: int = STEPS) -> dict[str, Floats]:
    """What a GRPO run that learns looks like, by concept, with autocorrelated noise."""
    at = np.arange(steps)

    def noise(number: int, phi: float = 0.6) -> Floats:
        return ar1(steps, phi, 1000 * seed + number)

    reward = 0.3 + 0.4 * (1 - np.exp(-at / 80)) + 0.04 * noise(1)
    kl = 0.02 * (1 - np.exp(-at / 30)) * np.exp(0.2 * noise(2))
    return {
        "reward": reward,
        "task_reward": reward - 0.1,
        "format_reward": 0.1 + 0.01 * noise(3),
        "reward_std": 0.3 * np.exp(0.1 * noise(4)),
        "kl": kl,
        "kl_max": 4 * kl,
        "grad_norm": np.exp(0.15 * noise(5)),
        "loss": 0.01 * noise(6),
        "entropy": 0.4 * np.exp(-at / steps / 3) * np.exp(0.05 * noise(7, 0.9)),
        "clip_fraction": 0.01 * np.exp(0.3 * noise(8)),
        "policy_kl": 0.001 * np.exp(0.3 * noise(9)),
        "truncation": 0.01 * np.exp(0.3 * noise(10)),
        "completion_length": 300 * (1 + 0.1 * at / steps) * np.exp(0.03 * noise(11)),
        "zero_variance_groups": np.clip(0.2 + 0.05 * noise(12), 0, 1),
        "importance_ratio": 1 + 0.01 * noise(13),
        "inference_kl": 3e-4 * np.exp(0.2 * noise(14)),
        "logprob_gap": 0.01 * np.exp(0.2 * noise(15)),
        "staleness": np.clip(np.rint(1.5 + 0.5 * noise(16)), 1, 4),
        "step_time": 30 * np.exp(0.1 * noise(17)) + 40 * (at % EVALUATION == 0),
    }


@dataclass(frozen=True)
class Layout:
    """In which row of the history each step's values stand."""

    step: npt.NDArray[np.intp]
    rollout: npt.NDArray[np.intp]
    update: npt.NDArray[np.intp]
    evaluation: npt.NDArray[np.intp]
    stray: int | None
    """Row of a resumed trainer that logs step 0."""


def layout(trainer: str, steps: int, resumed: bool) -> Layout:
    """One row a step, or three where the trainer logs several; evaluation every 20 steps."""
    several = trainer in SEVERAL_ROWS
    rows: list[int] = []
    evaluation = []
    stray = None
    at = 0
    for step in range(steps):
        if resumed and step == steps // 2 and trainer == "trl":
            stray, at = at, at + 1
        rows.append(at)
        at += 3 if several else 1
        if step % EVALUATION == EVALUATION - 1 and trainer in EVALUATION_ROWS:
            evaluation.append(at)
            at += 1
    first = np.array(rows)
    shift = 1 if several else 0
    return Layout(first, first + shift, first + 2 * shift, np.array(evaluation, dtype=np.intp), stray)


def grpo_run(
    trainer: str,
    changes: Mapping[str, Any] | None = None,
    *,
    seed: int = 0,
    resumed: bool = False,
    config: Mapping[str, Any] | None = None,
) -> Run:
    """A run of `trainer`. `changes` replace the values of concepts; None leaves one out.

    Every concept the trainer has a name for is logged under that name, in the trainer's unit.
    """
    values: dict[str, Any] = {**signals(seed), **(changes or {})}
    names = NAMES[trainer]
    rows = layout(trainer, STEPS, resumed)
    columns: dict[str, Column] = {}
    for concept, key in names.items():
        if concept == "step" or values[concept] is None:
            continue
        logged = _in_unit(np.asarray(values[concept], dtype=np.float64), UNITS.get((trainer, concept)))
        in_update = concept in ("loss", "grad_norm", "entropy", "policy_kl", "clip_fraction", "kl")
        columns[key] = column(logged, rows.update if in_update else rows.rollout)
    if UNITS.get((trainer, "zero_variance_groups")) == PERCENT:
        columns["train/baseline_reward/pct_1"] = column(np.zeros(STEPS), rows.rollout)
    if len(rows.evaluation):
        columns["eval/reward"] = column(np.linspace(0.3, 0.6, len(rows.evaluation)), rows.evaluation)
    length = 1 + int(max(rows.update[-1], *rows.evaluation)) if len(rows.evaluation) else 1 + int(rows.update[-1])
    every = np.arange(length)
    columns["_step"] = column(every)
    columns["_timestamp"] = column(1.7e9 + 10.0 * every)
    if "step" in names:
        counted = rows.step if rows.stray is None else np.sort([*rows.step, rows.stray])
        numbers = np.arange(1, STEPS + 1, dtype=np.float64)
        if rows.stray is not None:
            numbers = np.insert(numbers, STEPS // 2, 0.0)
        columns[names["step"]] = column(numbers, counted)
    border = rows.stray if rows.stray is not None else int(rows.step[STEPS // 2])
    given = {"state": "finished", "exit_code": 0, "segments": (0, border) if resumed else (0,)}
    return run(columns, THRESHOLDS, config=dict(config or {}), **given)


def _in_unit(values: Floats, unit: str | None) -> Floats:
    if unit == PERCENT:
        return 100 * values
    return 1 - values if unit == COMPLEMENT else values


AT = np.arange(STEPS)
NOISE = ar1(STEPS, 0.6, 99)
FLAT = 0.4 + 0.02 * NOISE
FALLING = 0.6 - 0.3 * AT / STEPS + 0.02 * NOISE


def ramp(first: float, last: float, noise: float = 0.03) -> Floats:
    """From `first` to `last` over the first half of the run, then level."""
    return np.interp(AT, [0, 20, STEPS // 2], [first, first, last]) * np.exp(noise * NOISE)


@dataclass(frozen=True)
class Pathology:
    """What goes wrong in which trainer's run, and what the criterion says of it."""

    trainer: str
    changes: dict[str, Any]
    warns: dict[str, Any] | None = None
    """A milder case, of which the criterion warns."""


PATHOLOGIES: dict[str, Pathology] = {
    "learning.task_gain": Pathology("trl", {"format_reward": ramp(0.3, 0.9), "task_reward": FALLING}),
    "stability.entropy_collapse": Pathology("verl", {"entropy": ramp(0.4, 0.01), "reward": FLAT}),
    "stability.entropy_explosion": Pathology("slime", {"entropy": ramp(0.3, 2.5), "reward": FALLING}),
    "stability.zero_variance_groups": Pathology(
        "nemo-rl", {"zero_variance_groups": ramp(0.3, 0.9, 0)}, {"zero_variance_groups": ramp(0.3, 0.6, 0)}
    ),
    "stability.reward_std_collapse": Pathology(
        "trl", {"reward_std": ramp(0.3, 0.005), "reward": FLAT}, {"reward_std": ramp(0.3, 0.05), "reward": FLAT}
    ),
    "stability.reward_std_zero": Pathology(
        "trl", {"reward_std": np.where(AT % 4 > 0, 0, 0.3)}, {"reward_std": np.where(AT % 10 == 0, 0, 0.3)}
    ),
    "stability.policy_kl": Pathology("verl", {"policy_kl": ramp(0.001, 0.1)}, {"policy_kl": -ramp(0.001, 0.03)}),
    "stability.clip_fraction": Pathology(
        "openrlhf", {"clip_fraction": ramp(0.05, 0.5)}, {"clip_fraction": ramp(0.05, 0.3)}
    ),
    "stability.importance_ratio": Pathology(
        "diplomacy-v2", {"importance_ratio": ramp(1, 0.4)}, {"importance_ratio": ramp(1, 1.5)}
    ),
    "stability.inference_mismatch": Pathology(
        "nemo-rl", {"inference_kl": ramp(1e-4, 0.03)}, {"inference_kl": ramp(1e-4, 3e-3)}
    ),
    "stability.async_mismatch": Pathology(
        "prime-rl", {"inference_kl": ramp(0.001, 0.4)}, {"inference_kl": ramp(0.001, 0.05)}
    ),
    "stability.inference_logprob_gap": Pathology(
        "trl", {"logprob_gap": ramp(0.01, 0.3)}, {"logprob_gap": ramp(0.01, 0.08)}
    ),
    "stability.staleness": Pathology("prime-rl", {"staleness": ramp(1, 12, 0)}, {"staleness": ramp(1, 6, 0)}),
    "stability.truncation": Pathology("verl", {"truncation": ramp(0.02, 0.6)}, {"truncation": ramp(0.02, 0.1)}),
    "stability.length_growth": Pathology(
        "verl",
        {"completion_length": ramp(300, 900), "reward": FLAT},
        {"completion_length": ramp(300, 520), "reward": FLAT},
    ),
    "stability.format_over_task": Pathology(
        "trl",
        {"format_reward": ramp(0.1, 1.0), "task_reward": np.zeros(STEPS), "reward": ramp(0.1, 1.0)},
    ),
}

ODDITIES: dict[str, Pathology] = {
    "stability.kl_alive": Pathology("trl", {"kl": 1e-6 * np.exp(0.2 * NOISE)}),
    "stability.entropy_drop": Pathology("verl", {"entropy": ramp(0.4, 0.1)}),
    "stability.entropy_rise": Pathology("verl", {"entropy": ramp(0.3, 0.9)}),
    "stability.task_reward_alive": Pathology("trl", {"task_reward": np.zeros(STEPS)}),
    "stability.reward_dominance": Pathology("trl", {"task_reward": 0.001 * signals(0)["task_reward"]}),
    "stability.step_time_drift": Pathology("verl", {"step_time": ramp(30, 90)}),
}
"""What a criterion only warns of."""
