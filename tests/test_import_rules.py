from __future__ import annotations

from pathlib import Path

import pytest
from import_rules import ROOT, broken_rules


def test_the_rules_hold() -> None:
    assert broken_rules(ROOT) == []


@pytest.mark.parametrize(
    ("file", "line", "problem"),
    [
        ("trainhealth/a.py", "import pytest", "trainhealth may not import pytest"),
        ("trainhealth/a.py", "def f():\n    from fixtures.options import GATE", "trainhealth may not import fixtures"),
        ("checks/x/test_a.py", "from fixtures.runs import run", "checks may not import fixtures"),
        ("reports/a.py", "import matplotlib.pyplot", "import matplotlib where it is used"),
    ],
)
def test_a_broken_rule_is_found(tmp_path: Path, file: str, line: str, problem: str) -> None:
    path = tmp_path / file
    path.parent.mkdir(parents=True)
    path.write_text(line, encoding="utf-8")
    assert problem in broken_rules(tmp_path)[0]
