"""Keys that are offered where a metric was not found: by their words, and none rather than another thing."""

from __future__ import annotations

import pytest

from trainhealth.hints import similar


@pytest.mark.parametrize(
    ("name", "logged", "expected"),
    [
        ("kl", ["train/lr", "train/eps", "train/objective/kl"], ["train/objective/kl"]),
        ("kl", ["actor_loss", "train/std", "train/loss", "train/value_loss"], []),
        ("kl", ["KL Divergence"], ["KL Divergence"]),
        ("kl", ["losses/my_approxkl"], ["losses/my_approxkl"]),
        ("reward", ["episode_reward_sum", "epsilon"], ["episode_reward_sum"]),
        ("reward", ["Rewards/R-G0", "GameTime/T-G0"], ["Rewards/R-G0"]),
        ("reward", ["meanReturn"], ["meanReturn"]),
        ("grad_norm", ["policy/grads/norm", "layer_norm", "grad_scale"], ["policy/grads/norm"]),
        ("entropy", ["loss/entropy_loss"], ["loss/entropy_loss"]),
        ("completion_length", ["rollout/ep_len_mean"], []),
        ("importance_ratio", ["train/clip_fraction"], []),
        ("truncation", ["compl/truncaton"], []),
    ],
)
def test_keys_are_offered_by_their_words(name: str, logged: list[str], expected: list[str]) -> None:
    assert similar(name, (name,), dict.fromkeys(logged, 1)) == expected


def test_a_slip_of_the_pen_is_offered_and_most_points_come_first() -> None:
    assert similar("staleness", ("train/avg_trajectory_age",), {"train/avg_trajectry_age": 5}) == [
        "train/avg_trajectry_age"
    ]
    many = {f"reward/{i}": i for i in range(9)}
    assert similar("reward", ("reward",), many) == ["reward/8", "reward/7", "reward/6"]
