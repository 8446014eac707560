"""A run as one of its checkpoints saw it: which rows and ratings count."""

from __future__ import annotations

import numpy as np
import pytest
from synthetic import column, run

from trainhealth.checkpoint import at_checkpoint, earlier, find_checkpoint
from trainhealth.errors import UsageError
from trainhealth.ratings import Checkpoint
from trainhealth.run import Run
from trainhealth.verdicts import Inconclusive, NotApplicable

RATED = np.arange(0, 200, 10)


def rated() -> Run:
    """200 steps, evaluated every 10; `a` is the run, `b` another whose checkpoint plays along."""
    columns = {"_step": column(np.arange(200)), "kl/mean": column(np.full(200, 0.01))}
    for name, first in (("base_model", 0), ("a_adapter_v50", 50), ("a_adapter_v100", 100), ("a_adapter_v190", 190),
                        ("b_adapter_v50", 0)):  # fmt: skip
        rows = RATED[first <= RATED]
        columns[f"elo/{name}"] = column(1000.0 + rows, rows)
    return run(columns, state="failed")


def test_all_ratings_of_it_and_of_what_is_older_count() -> None:
    cut = at_checkpoint(rated(), Checkpoint("a_adapter_v100", 100))
    assert cut.steps.last == 100
    assert {one.name: len(one.series) for one in cut.ratings.agents} == {
        "base_model": 20, "a_adapter_v50": 15, "a_adapter_v100": 10,
    }  # fmt: skip
    assert cut.ratings.checkpoints()[-1].name == "a_adapter_v100"
    assert len(cut.ratings.in_training.base().series) == 11
    with pytest.raises(NotApplicable, match="went on to step 199"):
        cut.require_end()


def test_too_few_ratings_and_steps_never_reached_decide_nothing() -> None:
    with pytest.raises(Inconclusive, match="is rated 1 time"):
        _ = at_checkpoint(rated(), Checkpoint("a_adapter_v190", 190)).ratings
    with pytest.raises(Inconclusive, match="ends at step 199"):
        at_checkpoint(rated(), Checkpoint("a_adapter_v300", 300))


def test_names() -> None:
    one = rated()
    assert find_checkpoint(one, "a/adapter_v50").name == "a_adapter_v50"
    assert find_checkpoint(one, "adapter_v50", ["a"]).name == "a_adapter_v50"
    assert find_checkpoint(one, "100").name == "a_adapter_v100"
    with pytest.raises(UsageError, match="may be any of these: a_adapter_v50, b_adapter_v50"):
        find_checkpoint(one, "adapter_v50")
    assert [c.step for c in earlier(one, Checkpoint("a_adapter_v190", 190))] == [100, 50]


def test_all_checkpoints_of_a_run_are_one_family() -> None:
    names = {"a_adapter_v50": 50, "a_adapter_v0100": 100, "grpo-50_adapter_v50": 50, "ckpt-7-lora": 7}
    families = [Checkpoint(name, step).family for name, step in names.items()]
    assert families == ["a_adapter_v", "a_adapter_v", "grpo-50_adapter_v", "ckpt--lora"]


def test_a_run_without_ratings() -> None:
    one = run({"_step": column(np.arange(200))})
    assert find_checkpoint(one, "adapter_v50").step == 50
    assert find_checkpoint(one, "50").step == 50
    with pytest.raises(UsageError, match="the step cannot be told"):
        find_checkpoint(one, "final")
