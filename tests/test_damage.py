"""No damage to a run's file ever gives it a pass that it did not have."""

from __future__ import annotations

from functools import cache
from pathlib import Path

import pytest
from bench import verdict
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from synthetic import ROOT

from fixtures.sources.wandb_directory import find_runs, read_run
from trainhealth.errors import DataError
from trainhealth.run import Run, wanted_keys
from trainhealth.thresholds import load
from trainhealth.verdicts import RunVerdict, Verdict

THRESHOLDS = load(ROOT / "thresholds.yaml")
HEALTHY, COLLAPSED = (next(ROOT.glob(f"examples/wandb/*{name}/*.wandb")) for name in ("healthy", "collapsed"))
SETTINGS = settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])


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
