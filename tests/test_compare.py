"""pytest --run-id NEW --compare OLD, as it is started: what got worse, and a baseline that is refused."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from session import SoundSession
from synthetic import ROOT


class Session(SoundSession):
    def compared(self, run: str) -> dict[str, dict[str, Any]]:
        judged = self.verdict(run)["judgements"]
        return {one["criterion"]: one["compared"] for one in judged if one["compared"] is not None}

    def heads(self) -> list[str]:
        """``name  VERDICT`` of the runs, in the order of the terminal."""
        lines = [line for line in self.output.splitlines() if line.startswith(("grpo-demo", "baseline"))]
        return ["  ".join(line.split("  ")[:2]) for line in lines]


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
    assert ">grpo-demo-collapsed: FAIL</title>" in page  # one run is judged
    assert "baseline grpo-demo-healthy" in page
    assert session.heads() == ["grpo-demo-collapsed  FAIL", "baseline grpo-demo-healthy  PASS"]
    notes = {run: " ".join(session.verdict(run)["summary"]["notes"]) for run in ("demo-collapsed", "demo-healthy")}
    assert "compared with the baseline demo-healthy up to the last step of both" in notes["demo-collapsed"]
    assert "this is the baseline" in notes["demo-healthy"]
    assert "compared with the" not in notes["demo-healthy"]


def test_a_baseline_that_did_not_pass_is_refused(tmp_path: Path) -> None:
    session = Session(tmp_path, "--run-id", "demo-healthy", "--compare", "demo-collapsed")
    assert session.status == 10  # no second attempt would find it better
    assert session.verdict("demo-healthy")["verdict"] == "INCONCLUSIVE"
    assert "choose another, or give --compare-anyway" in session.verdict("demo-healthy")["reason"]
    why = "the baseline demo-collapsed did not pass itself (FAIL: integrity.run_state, "
    assert why in session.verdict("demo-healthy")["reason"]
    (note,) = (one for one in session.verdict("demo-healthy")["summary"]["notes"] if "compared" in one)
    assert note.startswith(f"not compared: {why}")
    assert session.compared("demo-healthy") == {}
    assert session.heads() == ["grpo-demo-healthy  INCONCLUSIVE", "baseline grpo-demo-collapsed  FAIL"]


def test_unless_told_otherwise(tmp_path: Path) -> None:
    """Also under xdist, where the baseline is judged elsewhere."""
    arguments = ("--run-id", "demo-healthy", "--compare", "demo-collapsed", "--compare-anyway")
    alone, both = Session(tmp_path / "alone", *arguments), Session(tmp_path / "both", *arguments, "-n", "2")
    assert (alone.status, both.status) == (0, 0)
    assert "gate: PASS (exit 0)" in alone.output
    assert alone.compared("demo-healthy") == both.compared("demo-healthy")
    assert alone.compared("demo-healthy")["learning.elo_gap"]["change"] == "better"
    notes = " ".join(alone.verdict("demo-healthy")["summary"]["notes"])
    assert "up to the last step of both, though it did not pass itself (FAIL: " in notes


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
    assert "did not pass itself (ERROR" in session.verdict("demo-healthy")["reason"]
    told = Session(tmp_path / "reports", "--run-id", "demo-healthy", "--compare", str(file), "--compare-anyway")
    assert told.status == 0
    assert told.compared("demo-healthy") == {}
