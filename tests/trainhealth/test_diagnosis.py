"""The decision tree, on posteriors that leave no doubt and on such that do."""

from __future__ import annotations

import numpy as np
import pytest

from trainhealth.diagnosis import State, diagnose, expected_gain, sure_legs
from trainhealth.trajectory import Estimate, Noise, Strengths
from trainhealth.verdicts import Inconclusive

STILL = Estimate(0.0, -20.0, 20.0)


def strengths(*policy: float, error: float = 5.0, steps: int = 200, bots_lost: float = 0.0) -> Strengths:
    random = np.random.default_rng(0)
    draws = np.array(policy) + error * random.normal(size=(1000, len(policy)))
    saved = np.linspace(0, steps, len(policy))
    return Strengths(draws, saved, bots_lost + error * random.normal(size=1000), Noise(10.0, 0.3), 40)


@pytest.mark.parametrize(
    ("policy", "state"),
    [
        ((0, 25, 50, 75, 100), State.LEARNING),
        ((0, 5, 15, 20, 25), State.SLOW),
        ((0, 60, 100, 100, 100), State.PLATEAU),
        ((0, 60, 100, 60, 10), State.REGRESSION),
        ((0, -20, -50, -70, -90), State.REGRESSION),
        ((0, 100, 0, 100, 0), State.INSTABILITY),
        ((0, -60, -100, -40, 60), State.INSTABILITY),
        ((0, 0, 0, 0, 0), State.NO_LEARNING),
    ],
)
def test_each_word_has_its_trajectory(policy: tuple[float, ...], state: State) -> None:
    assert diagnose(strengths(*policy), STILL).state == state


def test_what_else_happens_when_nobody_gets_better() -> None:
    assert diagnose(strengths(0, 0, 0, bots_lost=80), STILL).state == State.BOTS_ONLY
    assert diagnose(strengths(0, 0, 0), Estimate(60, 40, 80)).state == State.POOL_DRIFT
    assert diagnose(strengths(0, 0, 0), Estimate(-60, -80, -40)).state == State.POOL_DRIFT
    assert diagnose(strengths(0, 60, 120, bots_lost=80), Estimate(60, 40, 80)).state == State.LEARNING


def test_a_pause_in_early_training_is_no_plateau() -> None:
    assert diagnose(strengths(0, 60, 100, 100, 100, steps=50), STILL).state == State.LEARNING


def test_what_is_not_sure_is_not_said() -> None:
    with pytest.raises(Inconclusive, match="neither that it learned nor that it gained less than the 50 Elo"):
        diagnose(strengths(0, 10, 20, 25, 30, error=30), STILL)


def test_every_word_that_is_no_praise_has_an_action() -> None:
    for policy in ((0, 0, 0), (0, 60, 100, 60, 10), (0, 100, 0, 100, 0)):
        found = diagnose(strengths(*policy), STILL)
        assert found.action
        assert "newest checkpoint" in str(found)


def test_expected_gain_is_the_published_one() -> None:
    assert [expected_gain(steps) for steps in (0, 50, 200, 500, 2000)] == [
        (0, 0), (20, 50), (50, 100), (100, 200), (100, 200),
    ]  # fmt: skip
    assert expected_gain(125) == (35, 75)


def test_legs_go_from_extreme_to_extreme() -> None:
    path = strengths(50, 100, 90, 40, 60, 120, error=1.0).path
    legs = sure_legs(path)
    assert [(leg.start, leg.end) for leg in legs] == [(0, 2), (2, 4), (4, 6)]
    assert [round(leg.change) for leg in legs] == [100, -60, 80]
    assert sure_legs(strengths(5, -5, 5, -5, error=1.0).path) == ()


def test_a_newest_checkpoint_of_which_nothing_is_known_is_not_the_best() -> None:
    """Its fall was exactly 0 wherever its mean was the highest, however little was known of it."""
    unknown, known = strengths(0, 10, 20, error=200), strengths(0, 10, 120, error=5)
    assert Estimate.of(unknown.fall).low < -100
    assert Estimate.of(unknown.fall).high > 100
    assert Estimate.of(known.fall).high < -50
