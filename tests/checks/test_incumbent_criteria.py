"""The candidate against the incumbent: what the ratings say, who judges whom, and that no unknown name ever passes."""

from __future__ import annotations

import importlib.util
import math
from collections.abc import Mapping
from typing import Any

import numpy as np
import pytest
from synthetic import ROOT, ar1, column, run

from trainhealth.checkpoint import at_checkpoint
from trainhealth.history import Column
from trainhealth.incumbent import BY_RATINGS, Incumbent, find_incumbent
from trainhealth.judge import Judge
from trainhealth.ratings import Checkpoint
from trainhealth.run import Run
from trainhealth.thresholds import load
from trainhealth.verdicts import Inconclusive, Judgement, NotApplicable

CRITERION = load(ROOT / "thresholds.yaml").criteria[BY_RATINGS]
OTHER = "b_adapter_v300"
STEPS = 400
RATED = np.arange(0, STEPS, 5)
TRUE = {"base_model": 1000.0, "chaos_bot": 920.0, "defensive_bot": 950.0}


def league(gain: float = 160.0, changes: Mapping[str, Column | None] = {}, name: str = "demo") -> Run:
    """A run whose checkpoints gain so many Elo in all, rated among bots and a checkpoint of run `b` at 1080.

    Ratings lie around the strengths as those of K = 48 do, but wander less.
    """
    saved = {f"{name}_adapter_v{step}": 1000 + gain * step / 350 for step in range(0, 400, 50)}
    columns = {"_step": column(np.arange(STEPS))}
    for seed, (agent, strength) in enumerate({**TRUE, OTHER: 1080.0, **saved}.items()):
        first = int(agent.rpartition("_v")[2]) if agent in saved else 0
        rows = RATED[first <= RATED]
        columns[f"elo/{agent}"] = column(strength + 20 * ar1(len(rows), 0.5, seed), rows)
    changed = {**columns, **{f"elo/{agent}": one for agent, one in changes.items()}}
    return run({key: one for key, one in changed.items() if one is not None})


def judged(one: Run, incumbent: str, checkpoint: Checkpoint | None = None) -> Judgement:
    spec: Any = importlib.util.spec_from_file_location("checks_incumbent", ROOT / "checks/learning/test_incumbent.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    judge = Judge(CRITERION, "demo")
    try:
        cut = at_checkpoint(one, checkpoint) if checkpoint else one
        module.test_incumbent_gap(cut, Incumbent(incumbent, rated=True), judge)
    except (Inconclusive, NotApplicable) as error:
        return judge.undecided(error)
    assert judge.judgement is not None
    return judge.judgement


@pytest.mark.parametrize(
    ("incumbent", "lead"),
    [(OTHER, 140 - 40), ("base_model", 140), ("demo_adapter_v100", 100), ("chaos_bot", 140 + 80)],
)
def test_a_stronger_candidate_passes_by_about_its_lead(incumbent: str, lead: float) -> None:
    one = league(140.0, {OTHER: column(1040 + 20 * ar1(len(RATED), 0.5, 3), RATED)})
    found, measured = judged(one, incumbent), one.ratings.lead(incumbent)
    assert found.verdict == "PASS", found
    assert [row["agent"] for row in found.table] == ["demo_adapter_v350", incumbent]
    assert measured.interval is not None
    assert measured.interval[0] < lead < measured.interval[1] < lead + 60


@pytest.mark.parametrize("incumbent", [OTHER, "base_model", "demo_adapter_v100"])
def test_a_weaker_candidate_fails_with_its_action(incumbent: str) -> None:
    found = judged(league(-150.0), incumbent)
    assert found.verdict == "FAIL"
    assert found.action
    assert "demo_adapter_v350 over" in found.detail


def test_as_strong_is_not_enough() -> None:
    assert judged(league(80.0), OTHER).verdict == "INCONCLUSIVE"


@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf])
@pytest.mark.parametrize("at", [0, 9, -1, slice(None)], ids=["first", "early", "last", "all"])
def test_ratings_that_are_no_numbers_never_pass(value: float, at: int | slice) -> None:
    values = 1080 + 20 * ar1(len(RATED), 0.5, 3)
    values[at] = value
    assert judged(league(300.0, {OTHER: column(values, RATED)}), OTHER).verdict == "INCONCLUSIVE"


@pytest.mark.parametrize(
    ("values", "rows", "said"),
    [
        ([1080.0], [0], "is rated 1 time"),
        ([1080.0, 1090.0], [0, 395], "is rated 2 time"),
        (np.full(20, 1080.0), RATED[:20], "last logged at step 95"),
    ],
)
def test_an_incumbent_that_is_hardly_rated_decides_nothing(values: Any, rows: Any, said: str) -> None:
    found = judged(league(300.0, {OTHER: column(values, rows)}), OTHER)
    assert found.verdict == "INCONCLUSIVE"
    assert said in found.reason


def test_a_rating_that_never_moves_says_nothing() -> None:
    """The logger repeats it: nobody played."""
    assert judged(league(300.0, {OTHER: column(np.full(len(RATED), 1080.0), RATED)}), OTHER).verdict == "INCONCLUSIVE"
    constant = {name: column(np.full(len(RATED), value), RATED) for name, value in TRUE.items()}
    late = {f"demo_adapter_v{step}": column(np.full(80 - step // 5, 1200.0), RATED[step // 5 :])
            for step in range(0, 400, 50)}  # fmt: skip
    still = league(changes={**constant, **late, OTHER: column(np.full(len(RATED), 1080.0), RATED)})
    assert judged(still, OTHER).verdict == "INCONCLUSIVE"


def test_the_candidate_is_no_incumbent_of_its_own() -> None:
    found = judged(league(), "demo_adapter_v350")
    assert found.verdict == "INCONCLUSIVE"
    assert "is the incumbent itself" in found.reason


def test_checkpoints_of_another_run_are_none_of_this_one() -> None:
    """b_adapter_v300 lies between demo's; as the run's own it would bend the curve of its policy."""
    with_it, without = league(), league(changes={OTHER: None})
    assert [one.name for one in with_it.ratings.others] == [OTHER]
    assert OTHER not in {one.name for one in with_it.ratings.checkpoints()}
    assert with_it.ratings.gain().value == without.ratings.gain().value


def test_runs_that_cannot_be_told_apart_decide_nothing() -> None:
    found = judged(league(300.0, name="a"), OTHER)
    assert found.verdict == "INCONCLUSIVE"
    assert "checkpoints of 2 runs" in found.reason
    assert judged(league(300.0, name="a"), OTHER, Checkpoint("a_adapter_v350", 350)).verdict == "PASS"


def test_a_checkpoint_against_a_later_one_of_its_run() -> None:
    """As the last healthy one is looked for: v300 is in use, and an earlier one should not pass as better."""
    earlier, later = Checkpoint("demo_adapter_v100", 100), "demo_adapter_v300"
    assert judged(league(300.0), later, earlier).verdict == "FAIL"
    assert judged(league(-300.0), later, earlier).verdict == "PASS"
    gone = league(300.0, {"demo_adapter_v100": column(1100 + ar1(10, 0.5, 1), np.arange(100, 150, 5))})
    found = judged(gone, later, earlier)
    assert found.verdict == "INCONCLUSIVE"
    assert "is not rated up to step 145" in found.reason


def test_two_points_are_too_few() -> None:
    short = run({key: type(one)(one.rows[:2], one.values[:2]) for key, one in league().record.history.columns.items()})
    assert judged(short, OTHER).verdict == "INCONCLUSIVE"


RATINGS = ["base_model", "a_adapter_v50", "b_adapter_v50", OTHER]
GAMES = ["base_model", "c_adapter_v7"]


@pytest.mark.parametrize(
    ("given", "name", "by_ratings", "by_games"),
    [
        ("base_model", "base_model", True, True),
        ("b/adapter_v300", OTHER, True, False),
        ("adapter_v300", OTHER, True, False),
        ("7", "", False, False),
        ("adapter_v7", "c_adapter_v7", False, True),
        ("adapter_v50", "", False, False),
        ("nobody", "", False, False),
        ("_", "", False, False),
    ],
)
def test_who_judges_the_incumbent(given: str, name: str, by_ratings: bool, by_games: bool) -> None:
    """Both, one while the other has no bearing, or none: then both are left open."""
    found = find_incumbent(given, RATINGS, GAMES)
    for knows, ask in ((by_ratings, found.in_ratings), (by_games, found.in_games)):
        if knows:
            assert ask() == name
        elif name:
            with pytest.raises(NotApplicable, match=f"{name} is"):
                ask()
        else:
            with pytest.raises(Inconclusive, match=r"may be any of these|neither rated nor in a game"):
                ask()


def test_no_incumbent_no_judgement() -> None:
    for ask in (Incumbent().in_ratings, Incumbent().in_games):
        with pytest.raises(NotApplicable, match="--incumbent"):
            ask()


def test_a_misspelt_name_is_mended() -> None:
    with pytest.raises(Inconclusive, match="did you mean 'b_adapter_v300'"):
        find_incumbent("b_adapter_v30O", RATINGS, ()).in_ratings()
    with pytest.raises(Inconclusive, match=r"rated: none; in games: none \(no events were given"):
        find_incumbent("b_adapter_v300", (), (), "no events were given").in_ratings()
