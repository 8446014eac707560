"""``--tracker``: whole sessions that write what they found into an experiment tracker."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]

TRACKER = """# Experiment Tracker

## Exp 3: Warm-up \u2014 \u03b2

**Status**: `running`
- run name: grpo-demo-healthy

**Results**: _pending_

**Follow-up**: \u2192 Exp 4
"""


def judge(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [
            sys.executable, "-m", "pytest", "-p", "no:cacheprovider", "--report-dir", str(folder / "out"),
            "--tracker", str(folder / "tracker.md"), *arguments,
        ],
        cwd=ROOT, capture_output=True, text=True, timeout=300, check=False,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
    )  # fmt: skip


@pytest.mark.parametrize("newline", ["\n", "\r\n"])
def test_results_go_into_the_runs_entry_and_nothing_else_changes(tmp_path: Path, newline: str) -> None:
    file = tmp_path / "tracker.md"
    file.write_bytes(TRACKER.replace("\n", newline).encode())
    file.chmod(0o640)
    events = str(ROOT / "examples" / "events" / "demo-healthy.ndjson.gz")
    session = judge(tmp_path, "--run-id", "demo-healthy", "--events", events)
    assert session.returncode == 0, session.stdout
    text = file.read_bytes().decode()
    begin, end = (f"<!-- {mark}trainhealth: demo-healthy -->{newline}" for mark in ("", "/"))
    results = text[text.index(begin) : text.index(end) + len(end)]
    hand_written = text.replace(results, "").replace(f"**Results**:{newline}", f"**Results**: _pending_{newline}")
    assert hand_written == TRACKER.replace("\n", newline)
    assert file.stat().st_mode & 0o777 == 0o640
    lines = results.split(newline)
    assert "- **Verdict**: PASS" in results
    assert any(line.startswith("- **Learning signal**: learning. ") for line in lines)
    assert any(line.startswith("- **Baseline exploitation**: ") and "chaos_bot -" in line for line in lines)
    assert any(line.startswith("  - benchmark/reward_mean: 11.") and line.endswith(" → 16.36") for line in lines)
    assert "- **Issues found**: none" in lines
    assert "- **Status found**: `completed` at step 199" in lines
    before = file.read_bytes()
    judge(tmp_path, "--run-id", "demo-healthy", "--events", events)
    assert file.read_bytes() == before


def test_runs_without_an_entry_are_added(tmp_path: Path) -> None:
    session = judge(tmp_path, "--run-id", "demo-healthy,demo-collapsed", "-n", "2")
    assert session.returncode == 1, session.stdout
    text = (tmp_path / "tracker.md").read_text(encoding="utf-8")
    assert text.startswith("# Experiment Tracker\n\n## grpo-demo-collapsed\n\n- run name: grpo-demo-collapsed\n")
    assert "- **Learning signal**: regression. " in text
    assert "  - FAIL stability.kl_level: 0.9 against &gt; 0.2 (thresholds.yaml:" in text
    assert "  - FAIL integrity.run_state: failed: not acceptable" in text
    assert "\n## grpo-demo-healthy\n" in text
    assert "sweep" not in text


def test_of_a_sweep_the_comparison_is_written(tmp_path: Path) -> None:
    make = [sys.executable, str(ROOT / "examples" / "make_runs.py"), "--sweep", "2", "--steps", "60", "--out"]
    subprocess.run([*make, str(tmp_path)], cwd=ROOT, check=True, capture_output=True, timeout=300)
    tracker = "## Exp 4: KL\n\n**Status**: `completed`\n- Run names: `lr-{000,001}`\n\n**Results**: _pending_\n"
    (tmp_path / "tracker.md").write_text(tracker)
    runs = next(path for path in (tmp_path, tmp_path / "wandb") if list(path.glob("*run-*")))
    session = judge(tmp_path, "--sweep", "lr-", "--wandb-dir", str(runs))
    text = (tmp_path / "tracker.md").read_text(encoding="utf-8")
    assert text.startswith(tracker.replace(" _pending_\n", "\n<!-- trainhealth: sweep/lr- -->\n")), session.stdout
    assert "| run | step | base |" in text
    assert "| lr-000 | 59 | " in text
    assert text.count("## ") == 1


@pytest.mark.parametrize(
    ("content", "said", "status"),
    [
        (b"\xff\xfe", "this is no UTF-8 text (byte 0)", 4),
        (b"```\nopen", "tracker.md: the code block that begins in line 1 has no end", 4),
        (b"## grpo-demo-healthy\n" * 2, "tracker.md was not written: several entries are about", 10),
    ],
)
def test_a_file_that_is_no_tracker_stays_as_it_is(tmp_path: Path, content: bytes, said: str, status: int) -> None:
    (tmp_path / "tracker.md").write_bytes(content)
    session = judge(tmp_path, "--run-id", "demo-healthy")
    assert said in " ".join((session.stdout + session.stderr).split())
    assert session.returncode == status
    assert (tmp_path / "tracker.md").read_bytes() == content


@pytest.mark.parametrize("through_a_link", [False, True])
@pytest.mark.parametrize("make", [Path.mkdir, os.mkfifo])
def test_what_is_no_file_is_refused_before_anything_is_judged(
    tmp_path: Path, make: Callable[[Path], None], through_a_link: bool
) -> None:
    file = tmp_path / ("real" if through_a_link else "tracker.md")
    make(file)
    if through_a_link:
        (tmp_path / "tracker.md").symlink_to(file)
    kind = file.stat().st_mode
    session = judge(tmp_path, "--run-id", "demo-healthy")
    assert session.returncode == 4
    assert "this is no regular file" in " ".join((session.stdout + session.stderr).split())
    assert file.stat().st_mode == kind
    assert not list(tmp_path.rglob("verdict.json"))
