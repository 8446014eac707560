"""Runs that are not of GRPO: classical RL, PPO of RLHF, preference training. Names as their sources log them."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from bench import judgements, verdict
from grpo_runs import THRESHOLDS, grpo_run
from synthetic import ar1, column, run

from trainhealth.history import Column
from trainhealth.run import Run
from trainhealth.verdicts import Inconclusive, Judgement

STEPS = 200
AT = np.arange(STEPS)
NOISE = ar1(STEPS, 0.5, 7)
RISING = 10 + 20 * AT / STEPS + NOISE
FLAT = 10 + ar1(STEPS, 0.5, 9)
SMALL = 0.004 * np.exp(0.2 * ar1(STEPS, 0.5, 8))
SPREAD = np.linspace(1.4, 1.0, STEPS) + 0.01 * NOISE
Values = dict[str, Any]

RUNS: dict[str, Values] = {
    # DLR-RM/stable-baselines3: stable_baselines3/ppo/ppo.py, common/on_policy_algorithm.py
    "sb3": {
        "time/total_timesteps": 2048.0 * (1 + AT), "time/fps": 500 + NOISE, "rollout/ep_rew_mean": RISING,
        "rollout/ep_len_mean": 100 + NOISE, "train/approx_kl": SMALL, "train/clip_fraction": 10 * SMALL,
        "train/entropy_loss": -SPREAD, "train/value_loss": 30 + NOISE, "train/loss": 15 + NOISE,
        "train/explained_variance": np.where(AT < 5, np.nan, 0.5),
    },
    # vwxyzjn/cleanrl: cleanrl/ppo.py
    "cleanrl": {
        "global_step": 512.0 * (1 + AT), "charts/episodic_return": RISING, "charts/SPS": 500 + NOISE,
        "losses/approx_kl": SMALL, "losses/old_approx_kl": SMALL * NOISE, "losses/clipfrac": 10 * SMALL,
        "losses/entropy": SPREAD, "losses/value_loss": 30 + NOISE, "losses/policy_loss": 0.01 * NOISE,
    },
    # leggedrobotics/rsl_rl: rsl_rl/utils/logger.py
    "rsl_rl": {
        "Train/mean_reward": RISING, "Train/mean_episode_length": 100 + NOISE, "Loss/surrogate": 0.01 * NOISE,
        "Loss/value_function": 2 + 0.1 * NOISE, "Policy/mean_noise_std": SPREAD, "Loss/entropy": SPREAD,
        "Perf/total_fps": 9e4 + NOISE,
    },
    # Denys88/rl_games: rl_games/common/a2c_common.py
    "rl_games": {
        "rewards/step": RISING, "rewards/iter": RISING, "losses/a_loss": 0.01 * NOISE, "losses/c_loss": 2 + 0.1 * NOISE,
        "losses/entropy": SPREAD, "info/kl": SMALL, "info/last_lr": 3e-4 + 0 * AT,
    },
    # huggingface/trl: trl/experimental/ppo/ppo_trainer.py; allenai/open-instruct
    "trl-ppo": {
        "train/global_step": 1.0 + AT, "train/objective/scores": RISING, "train/objective/rlhf_reward": RISING - 1,
        "train/objective/kl": 2 + 0.2 * NOISE, "train/policy/approxkl_avg": SMALL, "train/val/ratio": 1 + 0.01 * NOISE,
        "train/policy/clipfrac_avg": SMALL, "train/policy/entropy_avg": SPREAD, "train/loss/policy_avg": 0.01 * NOISE,
        "train/loss/value_avg": 0.2 + 0.01 * NOISE,
    },
    # huggingface/trl 0.7: trl/trainer/ppo_trainer.py
    "trl-ppo-old": {
        "env/reward_mean": RISING, "objective/kl": 2 + 0.2 * NOISE, "objective/kl_coef": 0.2 + 0 * AT,
        "ppo/mean_scores": RISING, "ppo/policy/approxkl": SMALL, "ppo/policy/entropy": SPREAD, "ppo/loss/value": SPREAD,
        "ppo/loss/policy": 0.01 * NOISE,
    },
    # morikatron/GAIL_PPO
    "environment": {
        "num episodes": 10.0 * AT, "mean 100 episode reward": RISING, "kl": SMALL * NOISE, "entropy loss": SPREAD,
        "value loss": 30 + NOISE, "policy loss": 0.01 * NOISE, "grad_norm": 1 + 0.05 * NOISE,
    },
    "language-model": {
        "reward": RISING, "kl": SMALL, "grad_norm": 1 + 0.05 * NOISE, "loss": 0.01 * NOISE, "reward_std": SPREAD,
        "completion_length_mean": 100 + NOISE,
    },
}  # fmt: skip


def made(trainer: str, **changes: Any) -> Run:
    """The healthy run of `trainer`; a change replaces a column, None removes it."""
    values = {**RUNS[trainer], **changes}
    columns: dict[str, Column] = {key: column(one) for key, one in values.items() if one is not None}
    return run({"_step": column(AT), "_timestamp": column(1.7e9 + 10.0 * AT), **columns}, THRESHOLDS, state="finished",
               exit_code=0)  # fmt: skip


def found(one: Run, id_: str) -> Judgement:
    return next(judgements(one, id_))


@pytest.mark.parametrize("trainer", RUNS)
def test_a_run_that_learns_passes(trainer: str) -> None:
    one = made(trainer)
    assert one.recognition.trainer.name == trainer
    judged = verdict(one)
    assert judged.verdict in ("PASS", "WARN"), [(x.criterion, x.reason) for x in judged.judgements if x.blocks]
    assert found(one, "learning.reward_gain").verdict == "PASS"


@pytest.mark.parametrize("trainer", RUNS)
def test_a_run_that_does_not_learn_never_passes(trainer: str) -> None:
    rewards = {key: FLAT for key, values in RUNS[trainer].items() if values is RISING or key.endswith("rlhf_reward")}
    assert verdict(made(trainer, **rewards)).verdict in ("FAIL", "INCONCLUSIVE")
    assert verdict(made(trainer, **dict.fromkeys(rewards))).verdict in ("FAIL", "INCONCLUSIVE")


@pytest.mark.parametrize("trainer", RUNS)
def test_nan_in_any_loss_fails(trainer: str) -> None:
    for key, values in RUNS[trainer].items():
        if "loss" in key.lower():
            broken = np.where(AT == 77, np.nan, values)
            assert found(made(trainer, **{key: broken}), "stability.non_finite_values").verdict == "FAIL", key


def test_the_entropy_loss_of_stable_baselines_is_minus_the_entropy() -> None:
    one = made("sb3", **{"train/entropy_loss": -7.5 * np.exp(-AT / 30), "rollout/ep_rew_mean": FLAT})
    assert one.metric("entropy").values[0] == 7.5
    assert found(one, "stability.entropy_collapse").verdict == "FAIL"
    assert found(made("sb3"), "stability.entropy_drop").verdict == "PASS"
    continuous = made("sb3", **{"train/std": np.linspace(1, 0.9, STEPS), "rollout/ep_rew_mean": FLAT})
    assert "continuous (train/std)" in found(continuous, "stability.entropy_drop").reason
    for trainer in ("openrlhf", "slime"):
        assert grpo_run(trainer).metric("entropy").values.min() > 0


def test_kl_alone_is_what_the_names_around_it_say() -> None:
    classical, model = made("environment"), made("language-model")
    assert classical.metric("policy_kl").key == model.metric("kl").key == "kl"
    assert found(classical, "stability.kl_level").verdict == "NOT_APPLICABLE"
    large = {"kl": 0.3 + SMALL}
    assert found(made("environment", **large), "stability.policy_kl").verdict == "FAIL"
    assert found(made("language-model", **large), "stability.kl_level").verdict == "FAIL"
    unknown = run({"_step": column(AT), "train/reward": column(RISING), "kl": column(SMALL)}, THRESHOLDS)
    with pytest.raises(Inconclusive, match=r"kl is not logged .*did you mean kl\?"):
        unknown.metric("kl")
    assert verdict(unknown).verdict == "INCONCLUSIVE"


def test_a_kind_of_trainers_gives_way_to_a_trainer() -> None:
    more = {key: column(np.ones(STEPS)) for key in ("episodes", "ep_len", "epsilon", "td_error", "q_values", "eprew")}
    columns = {**grpo_run("trl").record.history.columns, **more}
    assert run(columns, THRESHOLDS).recognition.trainer.name == "trl"


@pytest.mark.parametrize("prefix", ["", "train/"])
def test_preference_training_is_named_and_never_passes(prefix: str) -> None:
    keys = ("rewards/chosen", "rewards/rejected", "rewards/margins", "rewards/accuracies", "logps/chosen", "loss")
    columns = {f"{prefix}{key}": column(RISING) for key in keys} | {f"{prefix}grad_norm": column(1 + 0.05 * NOISE)}
    one = run({"_step": column(AT), **columns}, THRESHOLDS, state="finished", exit_code=0)
    assert one.recognition.trainer.name == "dpo"
    assert "preference training (DPO)" in found(one, "learning.reward_gain").reason
    assert verdict(one).verdict == "INCONCLUSIVE"


@pytest.mark.parametrize(("trainer", "key"), [("trl", "train/global_step"), ("verl", "training/global_step")])
def test_rows_of_timers_alone_do_not_hide_the_training_step(trainer: str, key: str) -> None:
    """TRL logs the step in every row of its profiler: here 50 rows to each step that has metrics."""
    rows = np.arange(0, 50 * STEPS, 50)
    logged = grpo_run(trainer).record.history.columns
    metrics = [one for one in logged if len(logged[one].values) >= STEPS and not one.startswith("_") and one != key]
    columns = {one: column(logged[one].values[:STEPS], rows) for one in metrics}
    columns |= {key: column(np.repeat(5 * (1 + AT), 50)), "_step": column(range(50 * STEPS))}
    one = run(columns, THRESHOLDS)
    assert (one.steps.key, one.steps.stride) == (key, 5)
    assert found(one, "stability.kl_level").verdict == "PASS"


def parts(**rewards: Any) -> Run:
    base = grpo_run("trl", {"task_reward": None, "format_reward": None}).record.history.columns
    rows = base["train/reward"].rows
    return run({**base, **{f"train/rewards/{key}/mean": column(one, rows) for key, one in rewards.items()}}, THRESHOLDS)


def test_a_reward_for_the_syntax_is_for_the_form() -> None:
    falling = 20 - RISING
    assert found(parts(valid_json_reward=RISING, gameplay=falling), "learning.task_gain").verdict == "FAIL"
    assert found(parts(code_syntax=RISING, gameplay=RISING), "learning.task_gain").verdict == "PASS"
    # What is left beside a format is the task, whatever it is called.
    assert found(parts(format_reward=RISING, json_accuracy=falling), "learning.task_gain").verdict == "FAIL"
    assert found(parts(stage_reward=falling, advantage_reward=RISING), "learning.task_gain").verdict == "NOT_APPLICABLE"


def test_rewards_are_taken_by_their_surest_name() -> None:
    columns = {"_step": column(AT), "mean_reward": column(FLAT), "episode_reward_mean": column(RISING)}
    assert run(columns, THRESHOLDS).metric("reward").key == "episode_reward_mean"
    agents = {f"charts/episodic_return-game{i}-player0": column(RISING) for i in range(3)}
    with pytest.raises(Inconclusive, match="did you mean charts/episodic_return-game0-player0"):
        run({"_step": column(AT), **agents}, THRESHOLDS).metric("reward")
