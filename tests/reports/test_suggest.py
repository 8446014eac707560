"""``--suggest`` in whole sessions."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
from synthetic import ROOT

from trainhealth.thresholds import load

RECORD = next((ROOT / "examples").rglob("run-demo-healthy.wandb"))


def session(cwd: Path, *arguments: str) -> tuple[str, int]:
    """What a session said, and its status."""
    command = [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", "-c", str(ROOT / "pyproject.toml"),
               str(ROOT / "checks"), *arguments, "--report-dir", str(cwd / "out")]  # fmt: skip
    environment = {**os.environ, "COLUMNS": "500"}
    done = subprocess.run(command, capture_output=True, text=True, cwd=cwd, env=environment, timeout=120)
    assert "Traceback" not in done.stdout + done.stderr
    return done.stdout + done.stderr, done.returncode


def copies(folder: Path, names: str) -> list[str]:
    """`--run-id` of as many copies of the healthy run."""
    runs = [folder / name / RECORD.name for name in names]
    for run in runs:
        run.parent.mkdir()
        run.write_bytes(RECORD.read_bytes())
    return [argument for run in runs for argument in ("--run-id", str(run))]


def test_limits_are_written_once_and_can_be_used(tmp_path: Path) -> None:
    chosen = copies(tmp_path, "abc")
    said, status = session(tmp_path, *chosen, "--suggest", "learned.yaml")
    assert "suggested limits: learned.yaml" in said
    assert status == 0
    learned = load(tmp_path / "learned.yaml", default=ROOT / "thresholds.yaml")
    assert "learned: demo-healthy" in learned.criteria["stability.kl_level"].source
    said, status = session(tmp_path, *chosen, "--suggest", "learned.yaml")
    assert "--suggest learned.yaml: there is such a file already" in said
    assert status == 4


def test_one_run_is_too_few_before_it_is_judged(tmp_path: Path) -> None:
    said, status = session(tmp_path, "--run-id", str(RECORD), "--suggest", "learned.yaml")
    assert "limits are learned from 3 or more runs that pass or warn; there is 1 to be judged" in said
    assert status == 4
    assert not (tmp_path / "learned.yaml").exists()


@pytest.mark.parametrize(
    ("third", "status"), [(["--run-id"], 1), (["--compare-anyway", "--compare"], 10)], ids=["judged", "baseline"]
)
def test_too_few_good_runs_are_no_success(tmp_path: Path, third: list[str], status: int) -> None:
    """A FAIL stays one; where the gate itself lets all pass, the session still did not do what it was asked."""
    said, found = session(tmp_path, *copies(tmp_path, "ab"), *third, "demo-collapsed", "--suggest", "learned.yaml")
    assert "--suggest learned.yaml: was not written: limits are learned from 3 or more runs" in said
    assert "there are 2 that do (demo-collapsed FAIL)" in said
    assert found == status
    assert not (tmp_path / "learned.yaml").exists()
