"""Safe folder names, and files that are replaced whole."""

from __future__ import annotations

import hashlib
import os
import re
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reports.paths import replace, safe_folder


@pytest.mark.parametrize("run", ["3fk2x9", "demo-healthy", "a.b_c-1", "x" * 80, "console", "com10"])
def test_harmless_names_stay(run: str) -> None:
    assert safe_folder(run) == run


@pytest.mark.parametrize(
    ("run", "stem"),
    [
        ("..", "_"),
        (".", "_"),
        (".hidden", "_.hidden"),
        ("", "run"),
        ("a/b\\c", "a_b_c"),
        ("../../etc/passwd", "_.._.._etc_passwd"),
        ("con", "_con"),
        ("LPT1.txt", "_LPT1.txt"),
        ("trailing.", "trailing"),
        ("über", "_ber"),
        ("$HOME ~", "_HOME__"),
        ("x" * 81, "x" * 71),
    ],
)
def test_changed_names_carry_the_hash_of_the_original(run: str, stem: str) -> None:
    assert safe_folder(run) == f"{stem}-{hashlib.sha256(run.encode()).hexdigest()[:8]}"


@given(st.text())
def test_any_text_becomes_a_safe_name(run: str) -> None:
    name = safe_folder(run)
    assert re.fullmatch(r"[A-Za-z0-9_-][A-Za-z0-9._-]{0,79}", name)
    assert not name.endswith(".")
    assert safe_folder(name) == name


@given(st.text(), st.text())
def test_different_runs_have_different_folders(one: str, other: str) -> None:
    assert (safe_folder(one) == safe_folder(other)) is (one == other)


def test_only_a_file_or_a_link_is_replaced(tmp_path: Path) -> None:
    pipe, link = tmp_path / "pipe", tmp_path / "link"
    os.mkfifo(pipe)
    link.symlink_to(pipe)
    with pytest.raises(OSError, match="no regular file"):
        replace(pipe, "text")
    assert pipe.is_fifo()
    replace(link, "text")
    assert link.read_text() == "text"
    assert sorted(one.name for one in tmp_path.iterdir()) == ["link", "pipe"]
    assert pipe.is_fifo()
