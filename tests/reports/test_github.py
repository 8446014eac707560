"""What a GitHub workflow is told: the summary of the job and its annotations."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from reports.github import commands, summary
from trainhealth.verdicts import Judgement, RunSummary, RunVerdict, Verdict, judge_run

HOSTILE = "a,b:c\n::set-output name=x::y|<img src=x>%"


def _run(name: str, *judgements: Judgement) -> RunVerdict:
    return judge_run(RunSummary(run=name, name=name, notes=("seen once",)), judgements)


def _failed(criterion: str, run: str = "r", reason: str = "too high") -> Judgement:
    return Judgement(
        run=run, criterion=criterion, verdict=Verdict.FAIL, reason=reason, value=0.31, value_text="0.31", limit="> 0.2",
        limit_origin="thresholds.yaml:14", action="Raise kl_beta",
    )  # fmt: skip


def test_a_summary_says_what_is_wrong_and_what_to_do() -> None:
    passed = Judgement(run="r", criterion="learning.elo", verdict=Verdict.PASS, reason="fine", value=1.0)
    lines = list(summary([_run("r", _failed("stability.kl_level"), passed)]))
    assert lines[0] == "## ❌ r: FAIL"
    assert "- seen once" in lines
    assert "| FAIL | stability.kl_level | 0.31 | &gt; 0.2 (thresholds.yaml:14) | Raise kl_beta |" in lines
    assert not any("learning.elo" in line for line in lines)


def test_what_was_not_evaluated_is_told_with_its_reason() -> None:
    undecided = Judgement(
        run="r", criterion="learning.fall", verdict=Verdict.INCONCLUSIVE, reason="12 Elo [2 … 22] does not decide",
        value=12.0, value_text="12 Elo [2 … 22]", limit="> 20", limit_origin="thresholds.yaml:14",
    )  # fmt: skip
    (line,) = (line for line in summary([_run("r", undecided)]) if "learning.fall" in line)
    assert line == (
        r"| INCONCLUSIVE | learning.fall | 12 Elo \[2 … 22\] does not decide | &gt; 20 (thresholds.yaml:14) |  |"
    )


def test_a_pass_says_what_the_gate_decides(suite: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = tmp_path / "summary.md"
    monkeypatch.setenv("GITHUB_STEP_SUMMARY", str(file))
    result = suite("--run-id", "r", learning={"elo": "PASS"})
    assert file.read_text().startswith("**gate: PASS (exit 0): promote**\n")
    assert any(line.startswith("gate: PASS (exit 0)  promote;") for line in result.outlines)


def test_a_baseline_is_called_one_and_has_no_mark() -> None:
    runs = [_run("new", _failed("stability.kl_level")), _run("old", _failed("stability.kl_level", "old"))]
    heads = [line for line in summary(runs, baseline="old") if line.startswith("## ")]
    assert heads == ["## ❌ new: FAIL", "## baseline old: FAIL"]


def test_many_runs_and_findings_are_cut_and_counted() -> None:
    many = [_run(f"r{i}", *(_failed(f"stability.c{j}", f"r{i}") for j in range(45))) for i in range(101)]
    lines = list(summary(many))
    assert sum(line.startswith("## ") for line in lines) == 100
    assert "\n… and 5 more" in lines
    assert lines[-1] == "… and 1 more runs"
    assert sum(map(len, lines)) < 2**20


def test_an_annotation_is_one_command_whatever_a_run_is_called() -> None:
    (line,) = commands([_run(HOSTILE, _failed("stability.kl", HOSTILE, HOSTILE))])
    command, _, rest = line.removeprefix("::error title=").partition("::")
    assert line.startswith("::error title=")
    assert "," not in command
    assert ":" not in command
    assert "\n" not in line
    assert "%0A" not in rest  # told in one line
    assert rest.startswith("a,b:c ::set-output name=x::y|<img src=x>%25. Raise kl_beta")


def test_ten_annotations_and_only_of_what_blocks() -> None:
    undecided = Judgement(run="r", criterion="x.y", verdict=Verdict.INCONCLUSIVE, reason="few", required=False)
    assert len(list(commands([_run("r", undecided, *(_failed(f"s.c{i}") for i in range(12)))]))) == 10


def test_a_session_in_a_workflow(suite: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = tmp_path / "summary.md"
    file.write_text("before\n")
    monkeypatch.setenv("GITHUB_STEP_SUMMARY", str(file))
    monkeypatch.setenv("GITHUB_ACTIONS", "true")
    said = {"verdict": "FAIL", "reason": "too high", "value": 0.31, "value_text": "0.31", "limit": "> 0.2"}
    result = suite("--run-id", "r", stability={"kl": said})
    assert file.read_text().startswith("before\n**gate: FAIL (exit 1): reject**\n\n## ❌ r: FAIL\n")
    assert "::error title=r%3A stability.kl FAIL::too high." in result.outlines


def test_outside_a_workflow_nothing_is_said(suite: Any) -> None:
    said = {"verdict": "FAIL", "reason": "too high"}
    result = suite("--run-id", "r", stability={"kl": said})
    assert not [line for line in result.outlines if line.startswith("::")]
