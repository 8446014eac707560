"""Runs that a careful person has judged: the published walkthrough, and real runs where they are at hand."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
from bench import judgements, verdict
from synthetic import ROOT

from fixtures.sources.wandb_directory import find_runs, read_run
from trainhealth.ratings import Role
from trainhealth.run import STEP, Run, wanted_keys
from trainhealth.thresholds import load

REAL = ROOT.parent / "shared" / "real_runs"
THRESHOLDS = load(ROOT / "thresholds.yaml")

# bglick13/diplomacy-v2, published walkthrough of grpo-20251222-191408.
CHECKPOINTS = {
    0: (1022.9, 24, 1006.2), 10: (1035.9, 25, 1024.9), 20: (1035.7, 23, 1020.7),
    30: (1034.1, 14, 1030.1), 40: (1035.5, 13, 1032.8), 50: (1035.8, 0, 1031.3),
}  # fmt: skip
REFERENCES = {
    "coordinated_bot": (991, 851, -140), "defensive_bot": (943, 763, -180), "territorial_bot": (955, 986, 31),
    "chaos_bot": (901, 916, 15), "base_model": (999, 1008, 9),
}  # fmt: skip


def judged(path: Path) -> Run:
    steps = [alias.key for alias in THRESHOLDS.metrics[STEP].aliases]
    return Run(path.stem, read_run(find_runs(str(path), [])[0], wanted_keys(THRESHOLDS), step_keys=steps), THRESHOLDS)


@pytest.fixture(scope="module")
def walkthrough(tmp_path_factory: pytest.TempPathFactory) -> Run:
    out = tmp_path_factory.mktemp("walkthrough")
    script = ROOT / "examples" / "make_runs.py"
    subprocess.run([sys.executable, str(script), "--walkthrough", "--out", str(out)], check=True, capture_output=True)
    return judged(next(out.rglob("*.wandb")))


def test_the_walkthrough_has_its_published_figures(walkthrough: Run) -> None:
    agents = walkthrough.ratings.agents
    checkpoints = {one.checkpoint_step: one for one in agents if one.role is Role.CHECKPOINT}
    assert {step: (one.peak, one.peak_step, one.final) for step, one in checkpoints.items()} == CHECKPOINTS
    others = {one.name: one for one in agents if one.role is not Role.CHECKPOINT}
    assert {name: (one.initial, one.final, one.change) for name, one in others.items()} == REFERENCES


def test_the_walkthrough_is_judged_as_its_analyst_did(walkthrough: Run) -> None:
    found = {one.criterion: one for one in judgements(walkthrough)}
    assert verdict(walkthrough).verdict == "WARN"  # learning, with findings
    assert found["learning.older_checkpoints"].verdict == "PASS"  # older decline, newer hold
    assert found["learning.diagnosis"].value == "learning"
    assert found["learning.newest_checkpoint"].verdict != "FAIL"
    assert "adapter_v50 near peak" in found["learning.older_checkpoints"].detail
    assert found["learning.elo_gap"].verdict == "PASS"
    assert float(found["learning.elo_gap"].value or 0) == pytest.approx(35, abs=5)  # "+35 over base_model"
    assert "at 1036, +37 over base_model's first" in found["learning.elo_gap"].detail
    assert len(found["learning.elo_gap"].table) == 11
    assert found["learning.baselines_exploited"].verdict == "PASS"  # about 300 Elo
    assert found["learning.baselines_exploited"].detail.startswith("defensive_bot -180, coordinated_bot -140")
    assert found["learning.base_model_elo"].verdict == "WARN"  # base_model and two bots are not exploited
    assert found["learning.baseline_elo"].detail == "territorial_bot did best"
    assert found["integrity.rows_per_step"].verdict == "WARN"  # the double-logging bug
    assert found["integrity.rows_per_step"].detail == "114 rows for 57 steps"


@pytest.mark.skipif(not REAL.is_dir(), reason="the real runs are not part of this repository")
@pytest.mark.parametrize(
    ("name", "expected", "findings"),
    [
        (
            "R1-AQA-Omni-asc2sncx", "WARN",
            {"learning.reward_gain": "PASS", "stability.kl_level": "WARN", "stability.grad_norm_peak": "WARN",
             "stability.reward_std_zero": "WARN", "stability.task_reward_alive": "PASS"},
        ),
        (
            "R1-AQA-Omni-y8yqh7cm", "FAIL",
            {"integrity.run_state": "FAIL", "learning.reward_gain": "INCONCLUSIVE", "stability.grad_norm_peak": "WARN",
             "stability.task_reward_alive": "WARN", "stability.reward_dominance": "WARN"},
        ),
        (
            "TRAVEL-7s32j061", "FAIL",
            {"learning.reward_gain": "INCONCLUSIVE", "stability.grad_norm_level": "WARN",
             "stability.kl_level": "NOT_APPLICABLE", "stability.entropy_drop": "PASS"},
        ),
        ("TRAVEL-e1kx6njs", "FAIL", {"learning.reward_gain": "INCONCLUSIVE", "stability.grad_norm_zero": "PASS"}),
        ("TRAVEL-tulzdlam", "INCONCLUSIVE", {"integrity.history_complete": "INCONCLUSIVE"}),
        ("unitree_rl_gym-t9xlsxo0", "FAIL", {"integrity.run_state": "FAIL", "learning.reward_gain": "PASS"}),
        ("Stanford_CS336_25Spring-wq8q6k67", "INCONCLUSIVE", {"integrity.missing_steps": "PASS"}),
        ("morl-baselines-15oiq89w", "INCONCLUSIVE", {"integrity.run_state": "PASS"}),
        ("UnstableBaselines-5goj80vt", "FAIL", {"integrity.run_state": "FAIL"}),
        ("tinker-cookbook-8zwal4ai", "FAIL",
         {"integrity.run_state": "FAIL", "stability.kl_level": "NOT_APPLICABLE"}),
        ("rainbow_extend-wcn6u0b1", "INCONCLUSIVE", {"integrity.run_state": "PASS"}),
        ("rainbow_extend-wcn6u0b1.v417588", "FAIL", {"integrity.run_state": "FAIL"}),
    ],
)  # fmt: skip
def test_real_runs_are_judged_as_a_careful_person_does(name: str, expected: str, findings: dict[str, str]) -> None:
    one = judged(REAL / f"{name}.wandb")
    expected_trainer = {"R1-AQA-Omni": "trl", "TRAVEL-7s32j061": "verl", "TRAVEL-e1kx6njs": "verl",
                        "unitree_rl_gym": "rsl_rl", "morl-baselines": "environment"}  # fmt: skip
    assert one.summary().trainer == next((t for run, t in expected_trainer.items() if name.startswith(run)), "generic")
    found = {judgement.criterion: str(judgement.verdict) for judgement in judgements(one)}
    assert {id_: found[id_] for id_ in findings} == findings
    assert verdict(one).verdict == expected
