"""A sweep as its users judge it: a process of its own, runs by the real client, one comparison."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import jsonschema
import pytest
from session import SoundSession
from synthetic import ROOT

from reports.sweep_json import SCHEMA, schema

RUNS, STEPS = 4, 60


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """lr-000 to lr-003, each learning more than the one before; lr-002 broke off at step 44."""
    out = tmp_path_factory.mktemp("sweep")
    program = ROOT / "examples" / "make_runs.py"
    command = [sys.executable, str(program), "--sweep", str(RUNS), "--steps", str(STEPS), "--out", str(out)]
    subprocess.run(command, check=True, capture_output=True, timeout=300)
    return out


class Session(SoundSession):
    def sweep(self, name: str) -> dict[str, Any]:
        document: dict[str, Any] = json.loads((self.reports / name / "sweep.json").read_text(encoding="utf-8"))
        return document

    def of(self, name: str) -> dict[str, str]:
        return {one["criterion"]: one["verdict"] for one in self.sweep(name)["judgements"]}


@pytest.fixture(scope="module")
def session(folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Session:
    return Session(tmp_path_factory.mktemp("reports"), "--sweep", "lr-", "--wandb-dir", str(folder))


def test_a_sweep_has_one_comparison(session: Session) -> None:
    found = session.sweep("lr-")
    jsonschema.Draft202012Validator(json.loads(schema())).validate(found)
    compared = found["comparison"]
    assert compared["axis"] == "benchmark/step"
    assert compared["step"] == 59
    assert {row["run"] for row in compared["rows"]} == {"lr000", "lr001", "lr002", "lr003"}
    steps = {row["run"]: (row["standing"]["step"], row["apart"][:28]) for row in compared["rows"]}
    assert steps == {
        "lr000": (59, ""),
        "lr001": (59, ""),
        "lr002": (44, "failed at step 44 of 59; at "),
        "lr003": (59, ""),
    }
    assert compared["differing"]["kl_beta"] == {"lr000": 0.04, "lr001": 0.05, "lr002": 0.06, "lr003": 0.04}
    assert "learning_rate" not in compared["differing"]
    gaps = dict(compared["rankings"][0]["runs"])
    assert compared["race"]["winner"] == max(gaps, key=lambda run: gaps[run])
    assert session.of("lr-")["sweep.complete_runs"] == "WARN"
    assert session.of("lr-")["sweep.stable_runs"] == "PASS"
    assert found["call"] in session.output
    assert "lr-002 is set apart: failed at step 44 of 59; at step 44 it was number" in session.output
    page = (session.reports / "report.html").read_text(encoding="utf-8")
    assert '<section class="dossier' in page
    assert "Sweep lr-" in page
    assert not (session.reports / "lr-" / "verdict.json").exists()
    for run in gaps:
        verdict = json.loads((session.reports / run / "verdict.json").read_text(encoding="utf-8"))
        assert not any(one["criterion"].startswith("sweep.") for one in verdict["judgements"])
        assert "not all criteria" not in verdict["reason"]


def test_xdist_changes_nothing(session: Session, folder: Path, tmp_path: Path) -> None:
    """The runs are read on other processes than the one that compares them."""
    both = Session(tmp_path, "--sweep", "lr-", "--wandb-dir", str(folder), "-n", "2")
    assert session.status == both.status
    documents = [one.sweep("lr-") for one in (session, both)]
    for document in documents:
        del document["judged_at"]
    assert documents[0] == documents[1]
    ends = [one.output.splitlines()[-1].split(" in ")[0].strip("= ") for one in (session, both)]
    assert ends[0] == ends[1]


def test_one_run_is_no_sweep(folder: Path, tmp_path: Path) -> None:
    session = Session(tmp_path, "--sweep", "lr-003", "--wandb-dir", str(folder))
    assert "sweep.clear_winner" not in session.output
    assert "one run only" in session.output
    assert "not all criteria" not in session.output
    assert not (tmp_path / "lr-003").exists()


def test_runs_named_one_by_one_are_compared_too(tmp_path: Path) -> None:
    session = Session(tmp_path, "--run-id", "demo-healthy,demo-collapsed", "-n", "2")
    found = session.sweep("runs")
    assert found["comparison"]["race"]["winner"] == "demo-healthy"
    assert found["call"].startswith("Clear winner: grpo-demo-healthy leads grpo-demo-collapsed")
    assert [row["run"] for row in found["comparison"]["rows"] if row["unstable"]] == ["demo-collapsed"]
    assert session.status == 1


def test_the_sweep_can_be_switched_off(tmp_path: Path) -> None:
    session = Session(tmp_path, "--run-id", "demo-healthy,demo-collapsed", "--set", "off=[sweep.*]")
    assert "Clear winner" not in session.output
    assert not (tmp_path / "runs").exists()


def test_a_part_of_the_checks_compares_nothing(tmp_path: Path) -> None:
    session = Session(tmp_path, "--run-id", "demo-healthy,demo-collapsed", "checks/integrity")
    assert session.sweep("runs")["call"] == "The runs were not compared."
    assert session.sweep("runs")["verdict"] == "INCONCLUSIVE"


def test_a_part_of_the_checks_of_a_sweep_is_run(tmp_path: Path) -> None:
    selected = Session(tmp_path, "--run-id", "demo-healthy,demo-collapsed", "-k", "kl_level or clear", "-n", "2")
    assert selected.of("runs") == {"sweep.clear_winner": "PASS"}
    assert "not all criteria were judged: sweep.stable_runs, sweep.complete_runs" in selected.sweep("runs")["reason"]


def test_a_run_that_cannot_be_read_is_missing_from_the_comparison(folder: Path, tmp_path: Path) -> None:
    runs = tmp_path / "runs"
    for number in (0, 1, 3):
        (record,) = folder.glob(f"wandb/*/run-lr{number:03}.wandb")
        copy = runs / record.parent.name / record.name
        copy.parent.mkdir(parents=True)
        data = bytearray(record.read_bytes())
        data[len(data) // 2] ^= 0x10 * (number == 0)
        copy.write_bytes(data)
    session = Session(tmp_path / "reports", "--sweep", "lr-", "--wandb-dir", str(runs))
    found = session.sweep("lr-")
    assert found["comparison"]["unread"] == ["lr000"]
    assert session.of("lr-")["sweep.complete_runs"] == "ERROR"
    assert session.of("lr-")["sweep.stable_runs"] == "INCONCLUSIVE"
    assert session.status == 11 or "FAIL" in session.output


def test_an_old_comparison_is_taken_away(tmp_path: Path) -> None:
    old = tmp_path / "runs" / "sweep.json"
    old.parent.mkdir()
    old.write_text("{}", encoding="utf-8")
    session = Session(tmp_path, "--run-id", "demo-healthy,demo-collapsed", "-k", "nothing")
    assert session.status == 5
    assert session.sweep("runs")["comparison"] is None


def test_the_shipped_schema_is_current() -> None:
    assert SCHEMA.read_text(encoding="utf-8") == schema(), "run: python -m reports.sweep_json"
    jsonschema.Draft202012Validator.check_schema(json.loads(schema()))


def test_the_criteria_of_sweeps_are_listed() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "--collect-only", "-q", "-p", "no:cacheprovider"],
        capture_output=True, text=True, cwd=ROOT, timeout=120,
    )  # fmt: skip
    assert "checks/sweep/test_comparison.py::test_clear_winner" in done.stdout
