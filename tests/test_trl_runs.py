"""Real training: TRL's GRPOTrainer on a tiny model, healthy and with pathologies provoked by its options."""

from __future__ import annotations

import json
import lzma
import subprocess
import sys
from collections.abc import Mapping
from typing import Any

import pytest
from synthetic import ROOT

DATA = ROOT / "tests" / "data" / "trl"
NAMES = sorted(path.name.removesuffix(".json.xz") for path in DATA.glob("*.json.xz"))


@pytest.fixture(scope="module")
def documents(tmp_path_factory: pytest.TempPathFactory) -> Mapping[str, Any]:
    """Name -> verdict.json; all judged in one session."""
    folder = tmp_path_factory.mktemp("trl")
    arguments = ["--report-dir", str(folder / "out")]
    for name in NAMES:
        path = folder / name / "checkpoint-200" / "trainer_state.json"
        path.parent.mkdir(parents=True)
        path.write_bytes(lzma.decompress((DATA / f"{name}.json.xz").read_bytes()))
        arguments += ["--run-id", str(folder / name)]
    command = [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", *arguments]
    done = subprocess.run(command, capture_output=True, text=True, cwd=ROOT, timeout=120)
    assert "Traceback" not in done.stdout + done.stderr
    return {name: json.loads((folder / "out" / name / "verdict.json").read_text(encoding="utf-8")) for name in NAMES}


def criteria(document: Mapping[str, Any], verdict: str) -> set[str]:
    return {one["criterion"] for one in document["judgements"] if one["verdict"] == verdict}


@pytest.mark.parametrize(
    ("name", "found"),
    [
        ("lr_x100", {"stability.kl_level", "stability.kl_spikes"}),
        ("constant_reward", {"stability.zero_variance_groups", "stability.grad_norm_zero"}),
        ("truncated", {"stability.truncation"}),
    ],
)
def test_a_provoked_pathology_is_found(documents: Mapping[str, Any], name: str, found: set[str]) -> None:
    assert documents[name]["verdict"] == "FAIL"
    assert found <= criteria(documents[name], "FAIL")


def test_a_healthy_run_passes_and_is_seen_to_learn(documents: Mapping[str, Any]) -> None:
    assert documents["healthy"]["verdict"] == "PASS"
    assert {"learning.reward_gain", "stability.kl_level", "stability.truncation"} <= criteria(
        documents["healthy"], "PASS"
    )


def test_without_a_kl_penalty_nothing_is_said_of_kl(documents: Mapping[str, Any]) -> None:
    """The state does not hold beta, but TRL logs no KL at beta = 0."""
    assert not {one for one in criteria(documents["beta_0"], "PASS") if one.startswith("stability.kl")}
    assert not criteria(documents["beta_0"], "FAIL")
    assert documents["beta_0"]["verdict"] != "ERROR"


def test_a_reward_for_the_form_alone_does_not_pass(documents: Mapping[str, Any]) -> None:
    assert documents["format_only"]["verdict"] == "FAIL"
    assert "learning.task_gain" in criteria(documents["format_only"], "FAIL")


def test_the_reward_of_the_data_is_what_the_scenario_says() -> None:
    """That the runs are what they are taken for, from the numbers alone."""

    def means(name: str, key: str) -> tuple[float, float]:
        rows = json.loads(lzma.decompress((DATA / f"{name}.json.xz").read_bytes()))["log_history"]
        values = [row[key] for row in rows]
        assert len(values) == 200
        return sum(values[:20]) / 20, sum(values[-20:]) / 20

    first, last = means("healthy", "rewards/accuracy_reward/mean")
    assert last > first + 0.1
    first, last = means("format_only", "rewards/format_reward/mean")
    assert last > first + 0.2
    first, last = means("format_only", "rewards/accuracy_reward/mean")
    assert last < first
    assert means("constant_reward", "frac_reward_zero_std") == (1, 1)
    assert min(means("truncated", "completions/clipped_ratio")) > 0.5
    assert means("lr_x100", "kl")[1] > 0.5
