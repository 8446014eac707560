"""One run logged in every form at once: the same verdicts, but for what a form cannot know."""

from __future__ import annotations

import csv
import json
import os
import subprocess
import sys
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from synthetic import ROOT, ar1
from tensorboardX import SummaryWriter

STEPS = 160
KNOWS_NOT = {"integrity.run_state", "integrity.history_complete"}
"""Criteria about the end of the run, which most forms do not record."""

PACE = {"integrity.heartbeat", "stability.step_time_drift"}
"""Criteria about times, which some forms do not record."""

Row = dict[str, float]


def healthy() -> list[Row]:
    noise = {key: ar1(STEPS, 0.3, seed) for seed, key in enumerate(("reward", "kl", "grad_norm", "loss", "entropy"))}
    return [
        {
            "train/global_step": step + 1,
            "train/reward": 0.5 + step / STEPS + 0.1 * noise["reward"][step],
            "train/reward_std": 0.3 + 0.01 * noise["loss"][step],
            "train/kl": abs(0.04 + 0.004 * noise["kl"][step]),
            "train/grad_norm": abs(0.8 + 0.1 * noise["grad_norm"][step]),
            "train/loss": 0.02 * noise["loss"][step],
            "train/entropy": 1.5 + 0.05 * noise["entropy"][step],
        }
        for step in range(STEPS)
    ]


def sick() -> list[Row]:
    """The same, until the policy runs away; the gradient norm is NaN at one step and missing at five."""
    rows = healthy()
    for step in range(100, STEPS):
        rows[step]["train/kl"] += (step - 100) / 50
        rows[step]["train/reward"] -= (step - 100) / 40
    rows[120]["train/grad_norm"] = float("nan")
    for step in range(130, 135):
        del rows[step]["train/grad_norm"]
    return rows


def wandb_offline(folder: Path, rows: Iterable[Row]) -> Path:
    """The real client, in a process of its own."""
    (folder / "rows.json").write_text(json.dumps(rows))
    program = (
        "import json, wandb\n"
        "run = wandb.init(project='p', id='same', settings=wandb.Settings(silent=True, console='off'))\n"
        "run.define_metric('train/global_step')\n"
        "for row in json.load(open('rows.json')): run.log(row)\n"
        "run.finish()\n"
    )
    environment = {**os.environ, "WANDB_MODE": "offline", "WANDB_DIR": str(folder), "WANDB_ERROR_REPORTING": "false"}
    subprocess.run([sys.executable, "-c", program], check=True, cwd=folder, env=environment, timeout=120)
    (path,) = folder.glob("wandb/offline-run-*/run-same.wandb")
    return path


def json_lines(folder: Path, rows: Iterable[Row]) -> Path:
    path = folder / "jsonl-log.jsonl"
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return path


def comma_separated(folder: Path, rows: Iterable[Row]) -> Path:
    path = folder / "csv-log.csv"
    rows = list(rows)
    with path.open("w", newline="") as file:
        writer = csv.DictWriter(file, rows[0].keys())
        writer.writeheader()
        writer.writerows(rows)
    return path


def exported(folder: Path, rows: Iterable[Row]) -> Path:
    """What `pd.DataFrame(run.scan_history()).to_csv(...)` gives; it spells a NaN."""
    path = folder / "export.csv"
    spelt = [{key: "NaN" if value != value else value for key, value in row.items()} for row in rows]
    pd.DataFrame([{"_step": n, **row} for n, row in enumerate(spelt)]).to_csv(path)
    return path


def trainer_state(folder: Path, rows: Iterable[Row]) -> Path:
    names = {"train/global_step": "step"}
    history = [{names.get(key, key.removeprefix("train/")): value for key, value in row.items()} for row in rows]
    path = folder / "hf-output" / f"checkpoint-{STEPS}" / "trainer_state.json"
    path.parent.mkdir(parents=True)
    path.write_text(json.dumps({"global_step": STEPS, "max_steps": STEPS, "log_history": history}, indent=2))
    return folder / "hf-output"


def tensorboard(folder: Path, rows: Iterable[Row]) -> Path:
    with SummaryWriter(str(folder / "tb-events")) as writer:
        for row in rows:
            for key, value in row.items():
                if key != "train/global_step":
                    writer.add_scalar(key, value, int(row["train/global_step"]))
    return folder / "tb-events"


FORMS = {
    "same": wandb_offline,
    "jsonl-log": json_lines,
    "csv-log": comma_separated,
    "export": exported,
    "hf-output": trainer_state,
    "tb-events": tensorboard,
}


@pytest.fixture(scope="module", params=[healthy, sick])
def documents(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Mapping[str, Any]:
    """Form -> its verdict.json; all of one session."""
    folder = tmp_path_factory.mktemp(request.param.__name__)
    rows = request.param()
    paths = [str(write(folder, rows)) for write in FORMS.values()]
    runs = [argument for path in paths for argument in ("--run-id", path)]
    command = [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", *runs, "--report-dir", str(folder / "out")]
    done = subprocess.run(command, capture_output=True, text=True, cwd=ROOT, timeout=120)
    assert "Traceback" not in done.stdout + done.stderr
    return {
        form: json.loads((folder / "out" / form / "verdict.json").read_text(encoding="utf-8")) for form in FORMS
    } | {"": request.param.__name__}


def verdicts(document: Mapping[str, Any]) -> dict[str, str]:
    return {
        one["criterion"]: one["verdict"]
        for one in document["judgements"]
        if one["criterion"] not in KNOWS_NOT | PACE | {"integrity.completion"}
    }


def test_every_form_gives_the_same_verdicts(documents: Mapping[str, Any]) -> None:
    expected = verdicts(documents["same"])
    assert len(expected) > 40
    for form in FORMS:
        assert verdicts(documents[form]) == expected, form


def test_values_are_the_same(documents: Mapping[str, Any]) -> None:
    expected = {one["criterion"]: one["value"] for one in documents["same"]["judgements"]}
    for form in FORMS:
        found = {one["criterion"]: one["value"] for one in documents[form]["judgements"]}
        for criterion in ("stability.kl_level", "learning.reward_gain", "stability.grad_norm_level"):
            # TensorBoard keeps 32 bits of a number.
            assert found[criterion] == pytest.approx(expected[criterion], rel=1e-5), (form, criterion)


def test_only_a_form_that_records_the_end_passes(documents: Mapping[str, Any]) -> None:
    found = {form: documents[form]["verdict"] for form in FORMS}
    if documents[""] == "sick":
        assert set(found.values()) == {"FAIL"}
        return
    assert found.pop("same") == found.pop("hf-output") == "PASS"
    assert not {"PASS", "FAIL"} & set(found.values())


def test_what_is_damaged_is_an_error_and_never_a_pass(tmp_path: Path) -> None:
    rows = healthy()
    event_file = next(tensorboard(tmp_path, rows).iterdir())
    flipped = bytearray(event_file.read_bytes())
    flipped[len(flipped) // 2] ^= 1
    event_file.write_bytes(bytes(flipped))
    state = trainer_state(tmp_path, rows) / f"checkpoint-{STEPS}" / "trainer_state.json"
    state.write_bytes(state.read_bytes()[:-100])
    log = json_lines(tmp_path, rows)
    log.write_bytes(log.read_bytes() + b"broken\n" * 9)
    table = comma_separated(tmp_path, rows)
    table.write_bytes(bytes(range(256)) * 40)
    empty = tmp_path / "empty, really.csv"
    empty.write_text("")
    paths = [event_file.parent, state.parent, log, table, empty]
    runs = [argument for path in paths for argument in ("--run-id", str(path))]
    command = [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", *runs, "--report-dir", str(tmp_path / "out")]
    done = subprocess.run(command, capture_output=True, text=True, cwd=ROOT, timeout=120)
    assert done.returncode == 11
    assert "Traceback" not in done.stdout + done.stderr
    assert "INTERNALERROR" not in done.stdout + done.stderr
    found = {
        path.parent.name: json.loads(path.read_text(encoding="utf-8")) for path in tmp_path.glob("out/*/verdict.json")
    }
    assert len(found) == len(paths)
    for document in found.values():
        assert document["verdict"] == "ERROR"
        assert {one["verdict"] for one in document["judgements"]} <= {"ERROR", "NOT_APPLICABLE"}


@pytest.mark.parametrize("write", [json_lines, comma_separated, tensorboard])
def test_half_a_log_does_not_pass(tmp_path: Path, write: Any) -> None:
    """As a crash leaves it: cut within a row."""
    path = write(tmp_path, healthy())
    file = next(path.iterdir()) if path.is_dir() else path
    file.write_bytes(file.read_bytes()[: file.stat().st_size * 3 // 5 + 7])
    reports = ["--report-dir", str(tmp_path / "out")]
    command = [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", "--run-id", str(path), *reports]
    environment = {**os.environ, "COLUMNS": "500"}
    done = subprocess.run(command, capture_output=True, text=True, cwd=ROOT, timeout=120, env=environment)
    (verdict,) = tmp_path.glob("out/*/verdict.json")
    document = json.loads(verdict.read_text(encoding="utf-8"))
    assert document["verdict"] in ("WARN", "INCONCLUSIVE"), done.stdout
    assert "unfinished record" in done.stdout or "ends without a line break" in done.stdout
