"""What makes a session stricter or laxer stands at the top of every report; ``--quiet-report`` says hardly more than
the end of it."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
from synthetic import ROOT

RULES = """\
schema: 1
extends: default
criteria:
  stability.kl_level: {warn: '> 0.01', fail: '> 0.02'}
off: [performance.*]
waivers:
  - {criterion: stability.kl_level, run: demo-*, until: 2999-12-31, reason: on purpose}
  - {criterion: 'stability.grad*', run: demo-healthy, until: 2999-12-31, reason: no need}
"""


def judge(tmp_path: Path, *arguments: str, **environment: str) -> tuple[int, str]:
    command = [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", *arguments]
    inherited = {name: value for name, value in os.environ.items() if not name.startswith(("PYTEST_XDIST", "GITHUB_"))}
    done = subprocess.run(
        [*command, "--report-dir", str(tmp_path / "reports")],
        capture_output=True, text=True, cwd=ROOT, timeout=300, env={**inherited, "COLUMNS": "300", **environment},
    )  # fmt: skip
    assert "Traceback (most recent" not in done.stdout + done.stderr
    return done.returncode, done.stdout


def test_waivers_off_and_strict_lead_every_report(tmp_path: Path) -> None:
    own, summary = tmp_path / "own.yaml", tmp_path / "summary.md"
    own.write_text(RULES, encoding="utf-8")
    status, output = judge(
        tmp_path, "--run-id", "demo-healthy", "--thresholds", str(own), "--strict",
        "--set", "stability.grad_norm_level.warn=> 1e-9", GITHUB_STEP_SUMMARY=str(summary),
    )  # fmt: skip
    assert status == 1, output
    assert "gate: WARN (exit 1: a warning, and --strict)" in output
    notes = json.loads((tmp_path / "reports" / "demo-healthy" / "verdict.json").read_text("utf-8"))["summary"]["notes"]
    expected = [
        r"stability\.kl_level failed and is waived until 2999-12-31: on purpose \(.*own\.yaml:7\)",
        r"unused: stability\.grad\* is waived until 2999-12-31: no need \(.*own\.yaml:8\).*",
        r"strict: a warning blocks promotion \(--strict\)",
        r"off: performance\.\* \(.*own\.yaml:5\): \d+ criteria are not judged",
    ]
    for note, pattern in zip(notes[:4], expected, strict=True):
        assert re.fullmatch(pattern, note), note
    lines = output.splitlines()
    first = next(place for place, line in enumerate(lines) if line.startswith("grpo-demo-healthy  WARN"))
    for line, note in zip(lines[first + 2 :], notes[:4], strict=False):
        assert line == f"  note: {note}"
    page = (tmp_path / "reports" / "demo-healthy" / "report.html").read_text("utf-8")
    dossier = page[page.index('class="dossier') :]
    assert dossier.index("kl_level failed and is waived") < dossier.index("strict: a warning") < dossier.index("<ul>")
    markdown = summary.read_text("utf-8")
    assert (
        markdown.index("failed and is waived until") < markdown.index("strict: a warning") < markdown.index("| verdict")
    )


@pytest.mark.parametrize("workers", [[], ["-n", "2"]], ids=["alone", "xdist"])
def test_a_quiet_report_is_a_line_for_each_run_and_the_gate(tmp_path: Path, workers: list[str]) -> None:
    status, output = judge(tmp_path, "--run-id", "demo-healthy", "--quiet-report", *workers)
    assert status == 0
    run, gate = output.splitlines()
    assert run.startswith("grpo-demo-healthy  PASS  ")
    assert gate.startswith("gate: PASS (exit 0)  ")
    assert (tmp_path / "reports" / "demo-healthy" / "verdict.json").is_file()


def test_a_quiet_report_keeps_what_makes_the_session_laxer_or_stricter(tmp_path: Path) -> None:
    own = tmp_path / "own.yaml"
    own.write_text(RULES, encoding="utf-8")
    _, output = judge(tmp_path, "--run-id", "demo-healthy", "--thresholds", str(own), "--strict", "--quiet-report")
    notes = [line.split("note: ")[1] for line in output.splitlines() if "note: " in line]
    expected = ["strict: a warning", "off: performance.*", "stability.kl_level failed and is", "unused: stability.gr"]
    assert len(notes) == len(expected)
    assert all(note.startswith(begin) for note, begin in zip(notes, expected, strict=True))


def test_a_quiet_report_keeps_annotations_and_does_not_hide_what_went_wrong(tmp_path: Path) -> None:
    status, output = judge(
        tmp_path, "--run-id", "demo-collapsed", "--quiet-report", COLUMNS="40", GITHUB_ACTIONS="true"
    )
    assert status == 1
    run, gate, *annotations = output.splitlines()
    assert run.startswith("grpo-demo-collapsed  FAIL  ")
    assert gate.startswith("gate: FAIL (exit 1)")
    assert annotations
    assert all(line.startswith("::error ") for line in annotations)
    status, output = judge(tmp_path, "--run-id", "demo-healthy", "--quiet-report", "-k", "no_such_check")
    assert status == 5
    assert "deselected" in output
    assert "gate: INCONCLUSIVE (exit 5: nothing collected)" in output
