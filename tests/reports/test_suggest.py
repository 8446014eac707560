"""``--suggest`` in whole sessions."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

from synthetic import ROOT

from trainhealth.thresholds import load

RECORD = next((ROOT / "examples").rglob("run-demo-healthy.wandb"))


def session(cwd: Path, *arguments: str) -> str:
    command = [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", "-c", str(ROOT / "pyproject.toml"),
               str(ROOT / "checks"), *arguments, "--report-dir", str(cwd / "out")]  # fmt: skip
    environment = {**os.environ, "COLUMNS": "500"}
    done = subprocess.run(command, capture_output=True, text=True, cwd=cwd, env=environment, timeout=120)
    assert "Traceback" not in done.stdout + done.stderr
    return done.stdout + done.stderr


def test_limits_are_written_once_and_can_be_used(tmp_path: Path) -> None:
    runs = []
    for name in "abc":
        runs.append(tmp_path / name / RECORD.name)
        runs[-1].parent.mkdir()
        runs[-1].write_bytes(RECORD.read_bytes())
    chosen = [argument for run in runs for argument in ("--run-id", str(run))]
    assert "suggested limits: learned.yaml" in session(tmp_path, *chosen, "--suggest", "learned.yaml")
    learned = load(tmp_path / "learned.yaml", default=ROOT / "thresholds.yaml")
    assert "learned: demo-healthy" in learned.criteria["stability.kl_level"].source
    assert "--suggest learned.yaml: there is such a file already" in session(
        tmp_path, *chosen, "--suggest", "learned.yaml"
    )


def test_one_run_is_too_few(tmp_path: Path) -> None:
    said = session(tmp_path, "--run-id", str(RECORD), "--suggest", "learned.yaml")
    assert "limits are learned from 3 or more runs that pass or warn; there are 1" in said
    assert not (tmp_path / "learned.yaml").exists()
