"""No damage to a run's file ever gives it a pass that it did not have."""

from __future__ import annotations

import os
import subprocess
import sys
from functools import cache
from itertools import product
from pathlib import Path

import pytest
from bench import verdict
from hypothesis import given, settings
from hypothesis import strategies as st
from synthetic import ROOT
from wandb_bytes import BLOCK, framed, unframed

from fixtures.sources.wandb_directory import find_runs, read_run
from trainhealth.errors import DataError
from trainhealth.run import Run, wanted_keys
from trainhealth.thresholds import load
from trainhealth.verdicts import RunVerdict, Verdict

THRESHOLDS = load(ROOT / "thresholds.yaml")
HEALTHY, COLLAPSED = (next(ROOT.glob(f"examples/wandb/*{name}/*.wandb")) for name in ("healthy", "collapsed"))
SETTINGS = settings(max_examples=40)


def judged(path: Path) -> RunVerdict | None:
    """The verdict on a file; None where it is an ERROR."""
    try:
        record = read_run(find_runs(str(path), [])[0], wanted_keys(THRESHOLDS))
    except DataError:
        return None
    return verdict(Run("demo", record, THRESHOLDS))


@cache
def undamaged(path: Path) -> dict[str, str]:
    found = judged(path)
    assert found is not None
    return {one.criterion: one.reason for one in found.judgements}


@pytest.mark.parametrize("demo", [HEALTHY, COLLAPSED], ids=["healthy", "collapsed"])
@SETTINGS
@given(where=st.floats(0, 1, exclude_max=True), mask=st.integers(1, 255))
def test_one_changed_byte(tmp_path: Path, demo: Path, where: float, mask: int) -> None:
    data = bytearray(demo.read_bytes())
    data[int(where * len(data))] ^= mask
    file = tmp_path / "run-x.wandb"
    file.write_bytes(data)
    found = judged(file)
    if found is not None and found.verdict in (Verdict.PASS, Verdict.WARN):
        assert demo == HEALTHY
        assert {one.criterion: one.reason for one in found.judgements} == undamaged(demo)


@pytest.mark.parametrize("demo", [HEALTHY, COLLAPSED], ids=["healthy", "collapsed"])
@SETTINGS
@given(where=st.floats(0, 1, exclude_max=True))
def test_a_file_cut_anywhere(tmp_path: Path, demo: Path, where: float) -> None:
    data = demo.read_bytes()
    file = tmp_path / "run-x.wandb"
    file.write_bytes(data[: int(where * len(data))])
    found = judged(file)
    assert found is None or found.verdict in (Verdict.FAIL, Verdict.INCONCLUSIVE)


CLIENT = """
import sys, wandb

for name, code in ("passing", 0), ("failing", 1):
    quiet = wandb.Settings(silent=True, console="off", x_disable_stats=True, x_disable_meta=True, disable_git=True)
    run = wandb.init(mode="offline", id=name, project="p", dir=sys.argv[1], settings=quiet)
    for k in range(40):
        run.log({"training/global_step": k, "actor/pg_loss": 1 / (k + 1), "critic/score/mean": k / 40})
    run.finish(exit_code=code)
wandb.teardown()
"""


@pytest.fixture(scope="module")
def fresh(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """Runs that the real client wrote just now, so that what is left of them may seem to be still going on."""
    folder = tmp_path_factory.mktemp("fresh")
    environment = {**os.environ, "WANDB_MODE": "offline", "WANDB_SILENT": "true", "WANDB_ERROR_REPORTING": "false"}
    command = [sys.executable, "-c", CLIENT, str(folder)]
    subprocess.run(command, cwd=folder, env=environment, capture_output=True, check=True)
    return {name: next(folder.glob(f"wandb/*{name}/*.wandb")) for name in ("passing", "failing")}


@pytest.mark.parametrize("name", ["passing", "failing"])
def test_damage_to_the_end_of_a_fresh_file(fresh: dict[str, Path], tmp_path: Path, name: str) -> None:
    data = fresh[name].read_bytes()
    assert len(data) < BLOCK
    truth = judged(fresh[name])
    assert truth is not None
    assert (truth.verdict == Verdict.FAIL) == (name == "failing")
    file = tmp_path / "run-x.wandb"
    last = range(len(data) - 200, len(data))
    for at, mask in product(last, (0x01, 0xFF)):
        file.write_bytes(data[:at] + bytes([data[at] ^ mask]) + data[at + 1 :])
        assert judged(file) is None
    # Between two records the file is what a live run leaves there, byte by byte: it writes them every 15 seconds.
    bounds = {len(framed(unframed(data[:size]))) for size in last}
    for size in last:
        file.write_bytes(data[:size])
        found = judged(file)
        assert found is None if size not in bounds else found is not None and found.verdict != Verdict.PASS
