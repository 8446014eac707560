"""Several processes that write into one tracker at the same time; nothing is lost, nothing is left lying about."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
from synthetic import ROOT

from reports.file_lock import alone_with
from reports.tracker import record
from reports.tracker_file import Subject

PROCESSES, ENTRIES = 4, 15

WRITER = f"""
import sys
from pathlib import Path
from reports.tracker import record
from reports.tracker_file import Subject
print("ready", flush=True)
sys.stdin.readline()
for number in range({ENTRIES}):
    name = f"run-{{sys.argv[2]}}-{{number:02}}"
    record(Path(sys.argv[1]), [(Subject(name, name, (name,)), [f"- **Verdict**: PASS of {{name}}"])])
"""


def start(code: str, *arguments: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-c", code, *arguments],
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
    )  # fmt: skip


def say(writer: subprocess.Popen[str], word: str) -> None:
    assert writer.stdin is not None
    writer.stdin.write(f"{word}\n")
    writer.stdin.flush()


def hear(writer: subprocess.Popen[str]) -> str:
    assert writer.stdout is not None
    return writer.stdout.readline().strip()


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no flock: one gate at a time writes there")
def test_no_entry_is_lost(tmp_path: Path) -> None:
    tracker = tmp_path / "tracker.md"
    tracker.write_text("# Experiments\n\nby hand\n", encoding="utf-8")
    tracker.chmod(0o640)
    writers = [start(WRITER, str(tracker), str(number)) for number in range(PROCESSES)]
    assert [hear(writer) for writer in writers] == ["ready"] * PROCESSES
    for writer in writers:
        say(writer, "go")
    assert [writer.communicate(timeout=120) and writer.returncode for writer in writers] == [0] * PROCESSES
    text = tracker.read_text(encoding="utf-8")
    assert text.startswith("# Experiments\n\nby hand\n")
    for name in (f"run-{process}-{number:02}" for process in range(PROCESSES) for number in range(ENTRIES)):
        assert text.count(f"<!-- trainhealth: {name} -->\n- **Verdict**: PASS of {name}\n") == 1
    assert tracker.stat().st_mode & 0o777 == 0o640
    assert list(tmp_path.iterdir()) == [tracker]


HOLDER = """
import sys
from pathlib import Path
from reports.file_lock import alone_with
with alone_with(Path(sys.argv[1])):
    print("held", flush=True)
    sys.stdin.readline()
"""


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no flock: one gate at a time writes there")
def test_who_has_it_for_too_long_is_named_and_who_dies_with_it_lets_go(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    tracker = tmp_path / "tracker.md"
    holder = start(HOLDER, str(tracker))
    assert hear(holder) == "held"
    with monkeypatch.context() as impatient:
        impatient.setattr("reports.file_lock.PATIENCE_S", 0.1)
        with pytest.raises(TimeoutError, match="another process"):
            record(tracker, [(Subject("x", "x", ("x",)), ["- no"])])
    assert not tracker.exists()
    holder.kill()
    holder.communicate(timeout=60)
    with alone_with(tracker):
        pass


def test_what_fails_halfway_changes_nothing(tmp_path: Path) -> None:
    tracker = tmp_path / "tracker.md"
    tracker.write_text("# by hand\n", encoding="utf-8")
    with pytest.raises(UnicodeEncodeError):
        record(tracker, [(Subject("x", "x", ("x",)), ["- fine", "- \ud800 cannot be written"])])
    assert list(tmp_path.iterdir()) == [tracker]
    assert tracker.read_text(encoding="utf-8") == "# by hand\n"


def test_without_locks_it_writes_all_the_same(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("reports.file_lock.fcntl", None)
    record(tmp_path / "tracker.md", [(Subject("x", "x", ("x",)), ["- fine"])])
    assert "- fine" in (tmp_path / "tracker.md").read_text(encoding="utf-8")
