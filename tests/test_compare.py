"""pytest --run-id NEW --compare OLD, as it is started: what got worse, and a baseline that is refused."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from synthetic import ROOT


class Session:
    def __init__(self, reports: Path, *arguments: str) -> None:
        self.reports = reports
        command = [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", "--report-dir", str(reports), *arguments]
        environment = {**os.environ, "COLUMNS": "250"}
        done = subprocess.run(command, capture_output=True, text=True, cwd=ROOT, env=environment, timeout=300)
        self.status, self.output = done.returncode, done.stdout + done.stderr
        assert "Traceback" not in self.output
        assert "INTERNALERROR" not in self.output

    def verdict(self, run: str) -> dict[str, Any]:
        document: dict[str, Any] = json.loads((self.reports / run / "verdict.json").read_text(encoding="utf-8"))
        return document

    def compared(self, run: str) -> dict[str, dict[str, Any]]:
        judged = self.verdict(run)["judgements"]
        return {one["criterion"]: one["compared"] for one in judged if one["compared"] is not None}


def test_what_got_worse(tmp_path: Path) -> None:
    session = Session(tmp_path, "--run-id", "demo-collapsed", "--compare", "demo-healthy")
    found = session.compared("demo-collapsed")
    assert found["learning.elo_gap"]["change"] == "worse"
    assert found["learning.elo_gap"]["extent"] == "up to step 163"
    assert found["learning.reward_trend"]["interval"][1] < 0
    assert found["integrity.run_state"]["value"] == "failed"
    assert found["integrity.run_state"]["extent"] == "whole runs"
    assert found["integrity.rows_per_step"]["change"] == "alike"
    assert "performance.rollout_p95" not in found
    assert session.status == 1  # by its own limits
    assert "worse learning.elo_gap" in session.output
    assert session.compared("demo-healthy") == {}
    assert session.verdict("demo-healthy")["verdict"] == "PASS"
    assert not (tmp_path / "runs").exists()  # a baseline makes no sweep
    page = (tmp_path / "report.html").read_text(encoding="utf-8")
    assert "Against demo-healthy: " in page


def test_a_baseline_that_did_not_pass_is_refused(tmp_path: Path) -> None:
    session = Session(tmp_path, "--run-id", "demo-healthy", "--compare", "demo-collapsed")
    assert session.status == 11
    assert session.verdict("demo-healthy")["verdict"] == "ERROR"
    assert "the baseline demo-collapsed did not pass itself (FAIL)" in session.verdict("demo-healthy")["reason"]
    assert session.compared("demo-healthy") == {}


def test_unless_told_otherwise(tmp_path: Path) -> None:
    """Also under xdist, where the baseline is judged elsewhere."""
    arguments = ("--run-id", "demo-healthy", "--compare", "demo-collapsed", "--compare-anyway")
    alone, both = Session(tmp_path / "alone", *arguments), Session(tmp_path / "both", *arguments, "-n", "2")
    assert (alone.status, both.status) == (0, 0)
    assert "gate: PASS (exit 0)" in alone.output
    assert alone.compared("demo-healthy") == both.compared("demo-healthy")
    assert alone.compared("demo-healthy")["learning.elo_gap"]["change"] == "better"


@pytest.mark.parametrize("baseline", ["demo-healthy", "no-such-run"])
def test_a_baseline_has_to_be_another_run(tmp_path: Path, baseline: str) -> None:
    session = Session(tmp_path, "--run-id", "demo-healthy", "--compare", baseline)
    assert session.status == 4
    assert ("is the run to be judged itself" in session.output) == (baseline == "demo-healthy")


def test_a_baseline_that_cannot_be_read_is_an_error(tmp_path: Path) -> None:
    (record,) = ROOT.glob("examples/wandb/*demo-collapsed/*.wandb")
    data = bytearray(record.read_bytes())
    data[len(data) // 2] ^= 0x10
    file = tmp_path / "old" / "run-old.wandb"
    file.parent.mkdir()
    file.write_bytes(data)
    session = Session(tmp_path / "reports", "--run-id", "demo-healthy", "--compare", str(file))
    assert session.status == 11
    assert "did not pass itself (ERROR)" in session.verdict("demo-healthy")["reason"]
    told = Session(tmp_path / "reports", "--run-id", "demo-healthy", "--compare", str(file), "--compare-anyway")
    assert told.status == 0
    assert told.compared("demo-healthy") == {}
