"""The checkpoint of --checkpoint: what its own ratings say, whatever those of its neighbours do."""

from __future__ import annotations

import importlib.util
import math
from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest
from synthetic import ROOT, ar1, column, run

from trainhealth.checkpoint import at_checkpoint
from trainhealth.judge import Judge
from trainhealth.ratings import Checkpoint
from trainhealth.run import Run
from trainhealth.thresholds import load
from trainhealth.verdicts import Inconclusive, Judgement, NotApplicable

CRITERION = load(ROOT / "thresholds.yaml").criteria["learning.checkpoint_rating"]
STEPS = 200
RATED = np.arange(0, STEPS, 5)
TRUE = {"base_model": 1000.0, "chaos_bot": 920.0, "defensive_bot": 950.0}
NEWEST = Checkpoint("demo_adapter_v180", 180)


def league(newest: Sequence[float] = (), pinned: Sequence[str] = ()) -> Run:
    """Checkpoints that gain 1 Elo a step; v180 is rated `newest` above 1000; `pinned` are at 1000 all the time."""
    saved = {f"demo_adapter_v{step}": 1000.0 + step for step in range(0, STEPS, 10)}
    columns = {"_step": column(np.arange(STEPS))}
    for seed, (agent, strength) in enumerate({**TRUE, **saved}.items()):
        rows = RATED[(int(agent.rpartition("_v")[2]) if agent in saved else 0) <= RATED]
        values = np.full(len(rows), 1000.0) if agent in pinned else strength + 20 * ar1(len(rows), 0.5, seed)
        columns[f"elo/{agent}"] = column(values, rows)
    if newest:
        columns[f"elo/{NEWEST.name}"] = column(1000 + np.array(newest), RATED[-4:])
    return run(columns)


def judged(one: Run) -> Judgement:
    spec: Any = importlib.util.spec_from_file_location("checks_elo", ROOT / "checks/learning/test_elo.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    judge = Judge(CRITERION, "demo")
    try:
        module.test_checkpoint_rating(one, judge)
    except (Inconclusive, NotApplicable) as error:
        return judge.undecided(error)
    assert judge.judgement is not None
    return judge.judgement


def rated(*newest: float) -> Judgement:
    return judged(at_checkpoint(league(newest), NEWEST))


@pytest.mark.parametrize("step", [50, 100, 150, 180])
def test_a_healthy_checkpoint_passes_by_about_its_lead(step: int) -> None:
    found = judged(at_checkpoint(league(), Checkpoint(f"demo_adapter_v{step}", step)))
    assert found.verdict == "PASS"
    assert found.value == pytest.approx(step, abs=30)


def test_without_a_checkpoint_it_does_not_apply() -> None:
    assert judged(league()).verdict == "NOT_APPLICABLE"


def test_ratings_below_the_base_model_never_pass() -> None:
    """Its neighbours are 170 above, so that the other criteria find a gain."""
    cut = at_checkpoint(league([-10, 4, -12, -6]), NEWEST)
    assert cut.ratings.diagnosis().value == "learning"
    assert judged(cut).verdict == "INCONCLUSIVE"
    assert rated(-200, -190, -210, -195).verdict == "FAIL"


def test_ratings_far_below_what_the_neighbours_say_are_not_explained_away() -> None:
    found = rated(25, 32, 20, 28)
    assert found.verdict == "INCONCLUSIVE"
    assert "does not explain" in found.reason
    assert rated(140, 155, 148, 160).verdict == "PASS"


@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf])
@pytest.mark.parametrize("at", [0, 1, -1])
def test_a_non_finite_rating_never_passes(value: float, at: int) -> None:
    values = [170.0, 190.0, 185.0, 178.0]
    values[at] = value
    assert rated(*values).verdict in ("INCONCLUSIVE", "FAIL")


def test_a_rating_that_stays_where_it_began_is_no_evaluation() -> None:
    found = rated(170, 170, 170, 182)
    assert found.verdict == "INCONCLUSIVE"
    assert "2 rating(s) that differ, 3 are needed" in found.reason


def test_references_that_were_never_measured_pass_nothing() -> None:
    """A base model that is held fixed is an anchor as long as bots move."""
    unmeasured = at_checkpoint(league(pinned=tuple(TRUE)), NEWEST).ratings
    for ask in (unmeasured.diagnosis, unmeasured.gap, unmeasured.gain, unmeasured.rating_above_base):
        with pytest.raises(Inconclusive, match=r"is 1000 at all (37|40) points, the logger.s default"):
            ask()
    assert at_checkpoint(league(pinned=["base_model"]), NEWEST).ratings.diagnosis().value == "learning"
    assert at_checkpoint(league(pinned=["chaos_bot"]), NEWEST).ratings.diagnosis().value == "learning"
