"""The leagues whose truth is known: ratings against published figures, and the verdict on a few of them."""

from __future__ import annotations

import math
import sys

import numpy as np
import pytest
from synthetic import ROOT

sys.path.insert(0, str(ROOT / "benchmarks"))

import leagues
from league.play import SCENARIOS, checkpoint_steps, first_against_last, hand_rule, play
from league.systems import SIGMA, Elo, rate

from trainhealth.thresholds import load

THRESHOLDS = load(ROOT / "thresholds.yaml")
BY_NAME = {scenario.name: scenario for scenario in SCENARIOS}
TEN_PERCENT_DRAWS = 0.12566134685507416 * math.sqrt(2) * SIGMA / 2


def test_trueskill_is_the_published_one() -> None:
    """Figures of the documentation of the `trueskill` package: 1 vs 1, and a free-for-all of four."""
    mu, sigma = rate(np.array([[25.0, 25.0]]), np.full((1, 2), SIGMA), TEN_PERCENT_DRAWS)
    assert mu[0] == pytest.approx([29.396, 20.604], abs=1e-3)
    assert sigma[0] == pytest.approx([7.171, 7.171], abs=1e-3)
    mu, sigma = rate(np.full((1, 4), 25.0), np.full((1, 4), SIGMA), TEN_PERCENT_DRAWS)
    assert mu[0] == pytest.approx([33.207, 27.401, 22.599, 16.793], abs=1e-3)
    assert sigma[0] == pytest.approx([6.348, 5.787, 5.787, 6.348], abs=1e-3)


def test_elo_of_a_game_is_the_project_s() -> None:
    """Two equal players: K/2 each way. Seven: the winner beats six, half of them expected, of K/6 each."""
    two = Elo(np.array([[1000.0, 1000.0]]))
    two.play(np.array([[[1, 0]]]))
    assert two.ratings[0].tolist() == [976.0, 1024.0]
    seven = Elo(np.full((1, 7), 1000.0))
    seven.play(np.arange(7).reshape(1, 1, 7))
    assert seven.ratings[0].tolist() == [1024, 1016, 1008, 1000, 992, 984, 976]


def test_a_season_is_what_the_trainer_logs() -> None:
    assert checkpoint_steps(100) == [0, 5, 10, 15, 20, 25, 30, 35, 40, 45, 50, 60, 70, 80, 90]
    season = play(BY_NAME["learning fast"], 50, 3, np.random.default_rng(0), trueskill=True)
    assert season.elo.shape == (3, 10, 16)
    record = next(season.records())
    assert record.history.columns["elo/adapter_v45"].rows.tolist() == [45]
    assert record.history.counts["trueskill/base_model_sigma"] == 10


@pytest.mark.parametrize(
    ("name", "expected"),
    [("learning slowly", {"PASS", "WARN"}), ("regression", {"FAIL"}), ("no learning", {"FAIL", "INCONCLUSIVE"})],
)
def test_the_verdict_is_right_where_the_hand_made_rules_are_not(name: str, expected: set[str]) -> None:
    """Ten leagues: the rates proper take minutes (docs/learning.md). One wrong is allowed."""
    season = play(BY_NAME[name], 200, 10, np.random.default_rng(5))
    found = leagues.cell(BY_NAME[name], season, THRESHOLDS)
    assert sum(found.verdicts[verdict] for verdict in expected) >= 9, str(found)
    assert np.mean(hand_rule(season)) > 0.9  # calls all of them learning
    assert 0 < np.mean(first_against_last(season)) < 1


def test_the_command_prints_a_table(capsys: pytest.CaptureFixture[str]) -> None:
    leagues.main(["--leagues", "2", "--steps", "50", "--system", "elo", "--seed", "3"])
    first = capsys.readouterr().out.splitlines()
    assert sum(line.startswith(tuple(BY_NAME)) for line in first) == len(SCENARIOS)
    leagues.main(["--leagues", "2", "--steps", "50", "--system", "elo", "--seed", "3"])
    assert capsys.readouterr().out.splitlines()[:-1] == first[:-1]  # all but the time it took
