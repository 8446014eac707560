"""verdict.json and its schema."""

from __future__ import annotations

import json
from datetime import datetime
from pathlib import Path
from typing import Any

import jsonschema
import pytest

from reports.verdict_json import SCHEMA, schema
from trainhealth.verdicts import RunSummary

NAN = float("nan")
ODD = {
    "verdict": "PASS",
    "value": NAN,
    "worst_at": float("-inf"),
    "table": [{"x": float("inf"), "y": "ü<"}],
    "points": 3,
}


def test_the_shipped_schema_is_current() -> None:
    assert SCHEMA.read_text(encoding="utf-8") == schema(), "run: python -m reports.verdict_json"
    jsonschema.Draft202012Validator.check_schema(json.loads(schema()))


def _no_constants(name: str) -> float:
    raise AssertionError(f"{name} is not JSON")


def test_a_written_verdict_is_valid(suite: Any, pytester: pytest.Pytester) -> None:
    summary = RunSummary(run="r", rows=3, last_step=NAN)
    assert suite("--run-id", "r", learning={"reward": ODD}, stability={"kl": "WARN"}, runs=(summary,)).ret == 0
    path = pytester.path / "reports/out/r/verdict.json"
    written = json.loads(path.read_text(encoding="utf-8"), parse_constant=_no_constants)
    validator = jsonschema.Draft202012Validator(json.loads(schema()))
    validator.validate(written)
    assert (written["schema"], written["verdict"], written["exit_status"]) == (1, "WARN", 0)
    assert datetime.fromisoformat(written["judged_at"]).tzinfo is not None
    odd = next(j for j in written["judgements"] if j["criterion"] == "learning.reward")
    assert (odd["value"], odd["worst_at"], odd["table"]) == ("NaN", "-Infinity", [{"x": "Infinity", "y": "ü<"}])
    assert "ü<" in path.read_text(encoding="utf-8")
    for change in ({"verdict": "FINE"}, {"schema": 2}, {"surprise": 1}, {"exit_status": "0"}):
        assert not validator.is_valid({**written, **change})


def test_two_sessions_say_the_same(suite: Any, pytester: pytest.Pytester) -> None:
    texts = []
    for workers in ((), ("-n", "2")):
        suite("--run-id", "r", *workers, learning={"reward": ODD}, stability={"a": "WARN", "b": "PASS", "c": "FAIL"})
        lines = (pytester.path / "reports/out/r/verdict.json").read_text(encoding="utf-8").splitlines()
        texts.append([line for line in lines if '"judged_at"' not in line])
    assert texts[0] == texts[1]


def test_an_old_verdict_does_not_outlive_a_killed_session(suite: Any, pytester: pytest.Pytester) -> None:
    path = pytester.path / "reports/out/r/verdict.json"
    suite("--run-id", "r", learning={"reward": "PASS"})
    assert path.exists()
    code = "def test_it(run):\n    assert not pathlib.Path('reports/out/r/verdict.json').exists()\n    {}['gone']\n"
    suite("--run-id", "r", code=code, learning={"reward": "PASS"})
    assert "KeyError" in path.read_text(encoding="utf-8")


@pytest.mark.parametrize("what", ["folder", "verdict.json", "report.html", "loop"])
def test_links_are_not_followed_out_of_the_report_folder(suite: Any, pytester: pytest.Pytester, what: str) -> None:
    outside = pytester.mkdir("outside")
    precious = outside / "verdict.json"
    precious.write_text("precious")
    (outside / "report.html").write_text("precious")
    folder = pytester.path / "reports/out/r"
    folder.parent.mkdir(parents=True)
    if what == "folder":
        folder.symlink_to(outside)
    elif what == "loop":
        folder.symlink_to(folder)
    else:
        folder.mkdir()
        (folder / what).symlink_to(outside / what)
    result = suite("--run-id", "r", learning={"reward": "PASS"})
    assert {path.name: path.read_text() for path in outside.iterdir()} == dict.fromkeys(
        ("verdict.json", "report.html"), "precious"
    )
    result.stdout.fnmatch_lines(["*was not written: *"])
    assert result.ret == 0


def test_an_unusable_report_folder_is_told(suite: Any, pytester: pytest.Pytester) -> None:
    (pytester.path / "file").write_text("")
    result = suite("--run-id", "r", "--report-dir", "file", learning={"reward": "FAIL"})
    assert result.ret == 1
    assert "choose another folder with --report-dir" in " ".join(result.stdout.str().split())
    assert "Traceback" not in result.stdout.str()


def test_nothing_is_left_half_written(suite: Any, pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "400")
    (pytester.path / "reports/out/r/verdict.json").mkdir(parents=True)
    result = suite("--run-id", "r", learning={"reward": "PASS"})
    assert result.ret == 0
    result.stdout.fnmatch_lines(["*verdict.json was not*"])
    left: set[Path] = set((pytester.path / "reports/out/r").iterdir())
    assert {path.name for path in left} == {"verdict.json", "report.html"}
