"""A tiny suite that says what it is told to, judged by the real reports in a real pytest session."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest

from trainhealth.verdicts import Judgement, RunSummary

ROOT = Path(__file__).resolve().parents[2]

CONFTEST = """
import json
import pathlib

pytest_plugins = ["reports.collect", "reports.terminal", "reports.html", "reports.verdict_json", "reports.github"]


def pytest_addoption(parser):
    parser.addoption("--run-id", dest="run_id", action="append", default=[])
    parser.addoption("--strict-gate", dest="strict_gate", action="store_true")
    parser.addoption("--report-dir", dest="report_dir")


def pytest_cmdline_main(config):
    told = {file.parent.name: json.loads(file.read_text()) for file in pathlib.Path("checks").glob("*/said.json")}
    config.option.gate_criteria = sorted(
        {f"{area}.{name}" for area, said in told.items() for of_run in said["judgements"].values() for name in of_run}
    )
"""

CHECKS = """
import json
import os
import pathlib

import pytest

SAID = json.loads(pathlib.Path(__file__).with_name("said.json").read_text())
summaries = set()


def pytest_generate_tests(metafunc):
    runs = metafunc.config.getoption("run_id") or ["none"]
    metafunc.parametrize("run", runs, ids=[run if run.isprintable() else "odd" for run in runs])


def tell(request, run, name):
    said = SAID["judgements"].get(run, SAID["judgements"].get("*", {{}})).get(name)
    if said is None:
        return
    properties = request.node.user_properties
    if run not in summaries and run in SAID["runs"]:
        summaries.add(run)
        properties.append(("run", json.dumps(SAID["runs"][run])))
    judgement = dict(said, run=run, criterion=f"{area}.{{name}}")
    crash = judgement.pop("crash", False)
    properties.append(("judgement", json.dumps(judgement)))
    if crash:
        os._exit(3)
    if judgement["verdict"] in ("FAIL", "INCONCLUSIVE", "ERROR"):
        pytest.fail(judgement["reason"], pytrace=False)
    if judgement["verdict"] == "NOT_APPLICABLE":
        pytest.skip(judgement["reason"])
    if judgement["verdict"] == "WAIVED":
        pytest.xfail(judgement["reason"])
"""

Suite = Callable[..., pytest.RunResult]


@pytest.fixture
def suite(pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch) -> Suite:
    """``suite("--run-id", "r", learning={"reward": "PASS"})`` runs one check for each verdict.

    A verdict is a word, a mapping of Judgement fields, or ``run -> that`` under the name ``by_run``; `code` is more
    test code for the area ``stability``.
    """
    monkeypatch.syspath_prepend(str(ROOT))
    monkeypatch.setenv("PYTHONPATH", str(ROOT))
    monkeypatch.setenv("COLUMNS", "100")
    pytester.makeconftest(CONFTEST)

    def run(
        *arguments: str,
        code: str = "",
        process: bool = False,
        by_run: Mapping[str, Mapping[str, Mapping[str, Any]]] | None = None,
        runs: tuple[RunSummary, ...] = (),
        **areas: Mapping[str, Any],
    ) -> pytest.RunResult:
        told: Mapping[str, Mapping[str, Mapping[str, Any]]] = by_run or {"*": areas}
        names = {area: list(said) for of_run in told.values() for area, said in of_run.items()}
        if code:
            names.setdefault("stability", [])
        for area, checks in names.items():
            folder = pytester.path / "checks" / area
            folder.mkdir(parents=True, exist_ok=True)
            tests = "".join(
                f"\n\ndef test_{name}(request, run):\n    tell(request, run, {name!r})\n" for name in checks
            )
            more = code if area == "stability" else ""
            (folder / f"test_{area}.py").write_text(CHECKS.format(area=area) + tests + "\n\n" + more)
            said = {
                of: {name: _fields(area, name, what) for name, what in by_area.get(area, {}).items()}
                for of, by_area in told.items()
            }
            summaries = {summary.run: json.loads(summary.model_dump_json()) for summary in runs}
            (folder / "said.json").write_text(json.dumps({"judgements": said, "runs": summaries}))
        # xdist's workers are processes: sessions that have some are processes of their own, which can be ended.
        if process or "-n" in arguments:
            return pytester.runpytest_subprocess("checks", *arguments, timeout=300)
        return pytester.runpytest_inprocess("checks", *arguments)

    return run


def _fields(area: str, name: str, said: str | Mapping[str, Any]) -> dict[str, Any]:
    fields = {"verdict": said} if isinstance(said, str) else dict(said)
    crash = {"crash": True} if fields.pop("crash", False) else {}
    fields.setdefault("reason", f"why {name}")
    whole = Judgement(run="", criterion=f"{area}.{name}", **fields)
    return {**json.loads(whole.model_dump_json()), **crash}
