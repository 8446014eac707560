"""The gate in CI: action.yml against the documented form of composite actions, and its steps run as a runner would."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import yaml
from synthetic import ROOT

GATE = ROOT / "examples" / "ci" / "gate.sh"
ACTION: dict[str, Any] = yaml.safe_load((ROOT / "action.yml").read_text(encoding="utf-8"))
STEPS: list[dict[str, Any]] = ACTION["runs"]["steps"]
STEP_KEYS = {"name", "id", "if", "env", "run", "shell", "working-directory", "uses", "with", "continue-on-error"}
EXPRESSION = re.compile(r"\$\{\{\s*(.*?)\s*\}\}")
HOSTILE = ["$(touch pwned)", "`touch pwned`", '"; touch pwned; "', "x\nverdict=promote", "--help"]


# Its form -----------------------------------------------------------------------------------------------------------


def test_the_action_has_the_form_of_a_composite_action() -> None:
    assert set(ACTION) <= {"name", "author", "description", "branding", "inputs", "outputs", "runs"}
    assert set(ACTION["runs"]) == {"using", "steps"}
    assert ACTION["runs"]["using"] == "composite"
    for one in ACTION["inputs"].values():
        assert set(one) <= {"description", "required", "default", "deprecationMessage"}
        assert one["description"]
        assert one["required"] is True or isinstance(one["default"], str)
    for one in ACTION["outputs"].values():
        assert set(one) == {"description", "value"}
    for step in STEPS:
        assert set(step) <= STEP_KEYS
        assert ("run" in step) != ("uses" in step)
        assert ("shell" in step) == ("run" in step)
        assert "uses" not in step or re.fullmatch(r"[\w-]+/[\w-]+@v\d+", step["uses"])


def test_no_script_holds_an_expression() -> None:
    assert not [step["run"] for step in STEPS if "run" in step and "${{" in step["run"]]


def test_what_expressions_name_is_there_and_every_input_is_used() -> None:
    ids = {step["id"] for step in STEPS if "id" in step}
    assert len(ids) == sum("id" in step for step in STEPS)
    named = EXPRESSION.findall((ROOT / "action.yml").read_text(encoding="utf-8"))
    inputs = {name for text in named for name in re.findall(r"inputs\.([\w-]+)", text)}
    assert inputs == set(ACTION["inputs"])
    outputs = [reference for text in named for reference in re.findall(r"steps\.([\w-]+)\.outputs\.([\w-]+)", text)]
    assert {id_ for id_, _ in outputs} <= ids
    written = re.search(r"'%s=%s\\n' (.*) >>", GATE.read_text(encoding="utf-8"))
    assert written is not None
    assert {name for _, name in outputs} == set(ACTION["outputs"]) == set(written[1].split()[::2])


def test_the_script_is_sound() -> None:
    subprocess.run(["bash", "-n", str(GATE)], check=True)
    assert os.access(GATE, os.X_OK)
    if shutil.which("shellcheck"):
        subprocess.run(["shellcheck", str(GATE)], check=True)


# Its steps, as a runner takes them -----------------------------------------------------------------------------------


@dataclass(frozen=True)
class Done:
    status: int
    output: str
    outputs: Mapping[str, str]
    workspace: Path


def _outputs(text: str) -> dict[str, str]:
    return dict(line.split("=", 1) for line in text.splitlines())


Run = Callable[..., Done]


@pytest.fixture
def action(tmp_path: Path) -> Run:
    """Runs the action's scripts in their order, in a workspace that is not this checkout, until one fails.

    Only pip is not what it is on a runner: here it says what it was to install.
    """
    workspace, tools = tmp_path / "work space", tmp_path / "bin"
    workspace.mkdir()
    tools.mkdir()
    for folder in ("fixtures", "reports", "trainhealth"):  # what a workspace holds is not taken for the suite's
        (workspace / folder).mkdir()
        (workspace / folder / "__init__.py").write_text("raise SystemExit('imported from the workspace')")
    python = tools / "python"
    python.write_text(
        '#!/usr/bin/env bash\nif [ "$2" = pip ]; then printf "pip %s\\n" "${@: -1}"; exit; fi\n'
        f'exec "{sys.executable}" "$@"\n'
    )
    python.chmod(0o755)

    def run(**inputs: str) -> Done:
        given = {name: one.get("default", "") for name, one in ACTION["inputs"].items()}
        given |= {name.replace("_", "-"): value for name, value in inputs.items()}
        told, script = tmp_path / "outputs", tmp_path / "script.sh"
        told.write_text("")
        base = {name: value for name, value in os.environ.items() if not name.startswith(("GITHUB_", "PYTEST_"))}
        base |= {
            "PATH": f"{tools}{os.pathsep}{os.environ['PATH']}",
            "GITHUB_ACTION_PATH": str(ROOT),
            "GITHUB_OUTPUT": str(told),
            "GITHUB_STEP_SUMMARY": str(tmp_path / "summary.md"),
            "GITHUB_ACTIONS": "true",
            "PYTHONPATH": "",
        }
        status, output = 0, ""
        for step in STEPS:
            if "run" not in step or status:
                continue
            environment = {
                name: EXPRESSION.sub(lambda match: given[match[1].removeprefix("inputs.")], text)
                for name, text in step.get("env", {}).items()
            }
            script.write_text(step["run"])
            done = subprocess.run(
                ["bash", "--noprofile", "--norc", "-e", "-o", "pipefail", str(script)],
                capture_output=True, text=True, cwd=workspace, env=base | environment, timeout=300,
            )  # fmt: skip
            status, output = done.returncode, output + done.stdout + done.stderr
        return Done(status, output, _outputs(told.read_text()), workspace)

    return run


def test_a_healthy_run_is_promoted(action: Run, tmp_path: Path) -> None:
    (tmp_path / "work space" / "events.ndjson.gz").write_bytes(
        (ROOT / "examples/events/demo-healthy.ndjson.gz").read_bytes()
    )
    done = action(run_id="demo-healthy", events="events.ndjson.gz", arguments="--quiet-report")
    assert done.status == 0, done.output
    assert done.outputs == {"verdict": "promote", "exit-status": "0", "report-dir": "training-health"}
    assert f"pip {ROOT}" in done.output
    assert (done.workspace / "training-health" / "demo-healthy" / "report.html").is_file()
    assert "PASS" in (tmp_path / "summary.md").read_text("utf-8")


def test_a_collapsed_run_is_rejected_with_annotations(action: Run, tmp_path: Path) -> None:
    own = tmp_path / "work space" / "own.yaml"
    own.write_text("schema: 1\nextends: default\nprofiles: {mine: {off: [integrity.*]}}\n")
    done = action(run_id="demo-collapsed", thresholds="own.yaml", profile="mine", report_dir="out/a b")
    assert done.status == 1, done.output
    assert done.outputs == {"verdict": "reject", "exit-status": "1", "report-dir": "out/a b"}
    assert "::error title=" in done.output
    assert "off: integrity.*" in done.output
    assert (done.workspace / "out" / "a b" / "demo-collapsed" / "verdict.json").is_file()


def test_what_cannot_be_judged_is_tried_again_so_often(action: Run, tmp_path: Path) -> None:
    (tmp_path / "work space" / "run-broken.wandb").write_bytes(b"")
    done = action(run_id="run-broken.wandb", attempts="2", wait="0", arguments="--quiet-report")
    assert done.status == 11
    assert done.outputs["verdict"] == "retry"
    assert done.output.count("gate: ERROR (exit 11)") == 2


def test_a_checkpoint_is_decided_on(action: Run) -> None:
    done = action(run_id="demo-healthy", checkpoint="adapter_v190", incumbent="base_model", arguments="--quiet-report")
    assert done.status == 0, done.output
    assert done.outputs["verdict"] == "promote"
    document = json.loads((done.workspace / "training-health/demo-healthy/verdict.json").read_text("utf-8"))
    assert document["candidate"]["name"] == "grpo-demo-healthy_adapter_v190"
    judged = {one["criterion"]: one["verdict"] for one in document["judgements"]}
    assert judged["learning.incumbent_gap"] == "PASS"


@pytest.mark.parametrize("name", ["-delete", "(", "!"])
def test_a_folder_for_reports_is_no_expression_of_find(action: Run, tmp_path: Path, name: str) -> None:
    kept = tmp_path / "work space" / "kept.txt"
    kept.write_text("mine")
    done = action(run_id="demo-healthy", arguments="--quiet-report", report_dir=name)
    assert kept.read_text() == "mine"
    assert done.status == 0, done.output
    assert done.outputs == {"verdict": "promote", "exit-status": "0", "report-dir": f"./{name}"}
    assert (done.workspace / name / "demo-healthy" / "verdict.json").is_file()


@pytest.mark.parametrize("arguments", ["--collect-only", "--version", "--fixtures"])
def test_what_judges_nothing_promotes_nothing(action: Run, arguments: str) -> None:
    done = action(run_id="demo-collapsed", arguments=arguments)
    assert done.status == 5
    assert done.outputs["verdict"] == "none"


@pytest.mark.parametrize("text", HOSTILE)
def test_an_input_is_no_command(action: Run, text: str) -> None:
    inputs = dict.fromkeys(("thresholds", "profile", "events", "checkpoint", "incumbent"), text)
    done = action(run_id=text, **inputs, arguments="--quiet-report\n$(touch pwned)\n`touch pwned`")
    assert done.status == 4
    assert done.outputs["verdict"] == "none"
    assert list(done.workspace.glob("**/pwned")) == []


@pytest.mark.parametrize(
    "inputs",
    [{"run_id": ""}, {"attempts": "0"}, {"attempts": "$(id)"}, {"wait": "-1"}, {"report_dir": "a\nverdict=promote"}],
)
def test_inputs_that_make_no_sense_are_refused(action: Run, inputs: dict[str, str]) -> None:
    done = action(**({"run_id": "demo-healthy"} | inputs))
    assert done.status == 4
    assert "gate.sh: " in done.output
    assert done.outputs == {}


# The script alone, in any shell --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("statuses", "attempts", "ends", "calls"),
    [
        ([0], 3, (0, "promote"), 1),
        ([1, 0], 3, (1, "reject"), 1),
        ([10, 0], 3, (10, "hold"), 1),
        ([11, 0], 3, (0, "promote"), 2),
        ([11, 11, 1], 3, (1, "reject"), 3),
        ([11, 11, 0], 2, (11, "retry"), 2),
        ([4, 0], 3, (4, "none"), 1),
        ([2, 0], 3, (2, "none"), 1),
    ],
)
def test_only_11_is_tried_again(
    tmp_path: Path, statuses: list[int], attempts: int, ends: tuple[int, str], calls: int
) -> None:
    python, log = tmp_path / "python", tmp_path / "calls"
    log.write_text("")
    verdict = "mkdir -p training-health/r\necho '\"exit_status\": 0,' >training-health/r/verdict.json\n"
    python.write_text(f'#!/usr/bin/env bash\necho "$@" >>"{log}"\n{verdict}statuses=({" ".join(map(str, statuses))})\n'
                      f'exit "${{statuses[$(wc -l <"{log}") - 1]}}"\n')  # fmt: skip
    python.chmod(0o755)
    environment = {"PATH": os.environ["PATH"], "PYTHON": str(python), "TRAINHEALTH_RUN_ID": "r",
                   "TRAINHEALTH_ATTEMPTS": str(attempts), "TRAINHEALTH_WAIT": "0"}  # fmt: skip
    done = subprocess.run([str(GATE)], capture_output=True, text=True, env=environment, cwd=tmp_path, timeout=60)
    assert (done.returncode, len(log.read_text().splitlines())) == (ends[0], calls)
    assert f"gate.sh: {ends[1]} (exit status {ends[0]} after attempt {calls})" in done.stdout
