"""No test lies where `pytest tests` does not look."""

from __future__ import annotations

from fnmatch import fnmatch
from pathlib import Path

import pytest


def test_every_folder_of_tests_is_looked_into(pytestconfig: pytest.Config) -> None:
    folders = {file.parent for file in Path(__file__).parent.rglob("test_*.py")}
    assert {"docs", "examples"} <= {folder.name for folder in folders}
    passed_over = pytestconfig.getini("norecursedirs")
    assert [str(folder) for folder in folders if any(fnmatch(folder.name, pattern) for pattern in passed_over)] == []
