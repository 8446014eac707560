"""NaN and infinity, in whatever key of a run they stand."""

from __future__ import annotations

import math

import numpy as np
import pytest
from synthetic import ROOT, column, run

from trainhealth.finite import non_finite
from trainhealth.run import wanted_keys
from trainhealth.thresholds import load
from trainhealth.verdicts import Inconclusive

THRESHOLDS = load(ROOT / "thresholds.yaml")


@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf])
def test_one_non_finite_value_is_found(value: float) -> None:
    broken = np.ones(20_000)
    broken[12_345] = value
    # train/kl comes behind kl/mean, which is what `kl` means in this run.
    columns = {"_step": column(range(20_000)), "kl/mean": column(np.ones(20_000)), "other": column(broken)}
    found = non_finite(run(columns | {"train/kl": column(broken)}))
    assert (found.value, found.detail) == (1.0, "train/kl: 1, first at step 12345")
    assert non_finite(run(columns)).value == 0.0
    assert "NaN or infinite values in metrics whose numbers need not be finite: other" in run(columns).summary().notes


@pytest.mark.parametrize(
    "key",
    ["Loss/AMP", "discriminator loss total", "batch_loss", "losses/qf3_values", "aux/grad", "policy/my_kl",
     "KL Divergence", "my/advantage_mean", "ratio", "is/ratio_max", "eprew",
     "reward signal mean", "logps/new", "critic/x"],
)  # fmt: skip
def test_a_key_whose_name_is_about_training_counts(key: str) -> None:
    columns = {"_step": column(range(10)), "train/reward": column(range(10)), key: column([1.0] * 9 + [math.nan])}
    found = non_finite(run(columns))
    assert (found.value, found.detail) == (1.0, f"{key}: 1, first at step 9")


@pytest.mark.parametrize(
    "key",
    ["train/explained_variance", "eval/loss", "val/ratio_var", "return_std", "episode_reward_mean", "duration_s",
     "iteration", "generation/tokens", "success_rate", "profiling/Time taken: format_reward_fn"],
)  # fmt: skip
def test_a_key_where_nan_is_usual_is_noted(key: str) -> None:
    columns = {"_step": column(range(10)), "train/loss": column(range(10)), key: column([1.0] * 9 + [math.nan])}
    assert non_finite(run(columns)).value == 0
    assert any(note.endswith(f"need not be finite: {key}") for note in run(columns).summary().notes)


def test_counting_a_key_does_not_make_it_a_column() -> None:
    assert THRESHOLDS.finite.judges("Loss/AMP")
    assert not wanted_keys(THRESHOLDS)("Loss/AMP")


@pytest.mark.parametrize("columns", [{"step": column(range(9))}, {"_step": column(range(9)), "other": column([1] * 9)}])
def test_steps_alone_say_nothing(columns: dict[str, object]) -> None:
    with pytest.raises(Inconclusive, match="none of loss"):
        non_finite(run(columns))  # type: ignore[arg-type]


def test_a_step_counter_must_be_finite() -> None:
    assert non_finite(run({"step": column([0, 1, math.nan])})).value == 1
