"""Strengths behind rating trajectories: truth that was put in must come out, and no surer than it is."""

from __future__ import annotations

import numpy as np
import pytest

from trainhealth.history import Floats
from trainhealth.trajectory import Estimate, Strengths, Trajectory, strengths
from trainhealth.verdicts import Inconclusive

SAVED = (0, 20, 40, 60, 80)
BOTS = (-100.0, -50.0, 0.0)


def league(policy: list[float], seed: int, *, pool: float = 0.0, rounds: int = 40, noise: float = 15.0) -> Strengths:
    """The estimate from ratings that are pulled to their truth by a third each round; `pool` drifts by so much a round.

    A checkpoint starts with its parent's rating.
    """
    random = np.random.default_rng(seed)
    steps = np.arange(rounds) * 100.0 / rounds
    truth = [0.0, *BOTS, *policy]
    entered = [0.0] * (1 + len(BOTS)) + [float(step) for step in SAVED]
    found: list[Floats] = []
    for agent, strength in enumerate(truth):
        rating = 1000.0 + strength if agent <= len(BOTS) else found[0 if agent == len(BOTS) + 1 else -1][0] * 0 + 1000.0
        values = np.full(rounds, np.nan)
        for at in range(rounds):
            if steps[at] >= entered[agent]:
                values[at] = rating + pool * at
                rating += (1000 + strength - rating) / 3 + noise * random.normal()
        found.append(values)
    known = [np.isfinite(values) for values in found]
    agents = [
        Trajectory(steps[seen], values[seen], saved=None if agent <= len(BOTS) else SAVED[agent - len(BOTS) - 1])
        for agent, (values, seen) in enumerate(zip(found, known, strict=True))
    ]
    return strengths(agents[0], agents[1 : 1 + len(BOTS)], agents[1 + len(BOTS) :])


def newest(found: Strengths) -> Estimate:
    return Estimate.of(found.policy[:, -1])


def test_intervals_hold_the_truth_as_often_as_they_say() -> None:
    """Nominal 95 %; 60 leagues leave room for chance (and the prior makes intervals somewhat wide)."""
    inside = 0
    for seed in range(60):
        one = newest(league([0, 30, 60, 90, 120], seed))
        inside += one.low <= 120 <= one.high
    assert inside >= 53


def test_no_gain_is_seldom_called_one() -> None:
    sure = sum(newest(league([0, 0, 0, 0, 0], seed)).low > 0 for seed in range(60))
    assert sure <= 5


def test_what_the_whole_pool_does_changes_nothing() -> None:
    still, drifting = (newest(league([0, 30, 60, 90, 120], 3, pool=pool)) for pool in (0.0, 5.0))
    assert drifting.value == pytest.approx(still.value, abs=15)


def test_more_evaluations_decide_more() -> None:
    widths = [newest(one).high - newest(one).low for one in (league([0] * 5, 1, rounds=n) for n in (15, 40, 200))]
    assert widths[0] > widths[1] > widths[2]


def test_rows_logged_twice_are_not_two_evaluations() -> None:
    random = np.random.default_rng(0)
    agents = [Trajectory(np.arange(20.0), 1000 + 20 * random.normal(size=20), saved=k or None) for k in range(4)]
    twice = [
        Trajectory(np.repeat(a.steps, 2) + np.tile([0, 0.5], 20), np.repeat(a.ratings, 2), saved=a.saved)
        for a in agents
    ]
    once, again = (strengths(all_[0], [], all_[1:]) for all_ in (agents, twice))
    assert again.evaluations == once.evaluations == 19
    assert newest(again) == newest(once)


def test_a_settled_sigma_is_a_slow_pull() -> None:
    """A rating with a large sigma moves far for a game: its moves count for less than its last, settled ones."""
    random = np.random.default_rng(0)
    steps, sigma = np.arange(30.0), np.geomspace(300, 30, 30)
    agents = [
        Trajectory(steps, 1000 + np.cumsum(random.normal(size=30)) * sigma / 10, sigma, k or None) for k in range(5)
    ]
    assert np.isfinite(strengths(agents[0], [], agents[1:]).policy).all()


def test_the_same_data_say_the_same() -> None:
    assert np.array_equal(league([0] * 5, 1).policy, league([0] * 5, 1).policy)


@pytest.mark.parametrize("points", [0, 1, 2])
def test_too_few_ratings(points: int) -> None:
    few = [Trajectory(np.arange(float(points)), 1000 + np.arange(float(points)), saved=k or None) for k in range(4)]
    with pytest.raises(Inconclusive, match="rated too seldom"):
        strengths(few[0], [], few[1:])


def test_a_rating_that_is_not_finite_is_left_out() -> None:
    random = np.random.default_rng(0)
    ratings = 1000 + 20 * random.normal(size=(4, 20))
    ratings[1, 5] = np.nan
    agents = [Trajectory(np.arange(20.0), one, saved=k or None) for k, one in enumerate(ratings)]
    assert np.isfinite(strengths(agents[0], [], agents[1:]).policy).all()


def moving(noise: float, *, evaluations: int = 11, seed: int = 0) -> Strengths:
    """Ratings that move on a straight line: base_model 1000 to 900, its bot 900 to 700, a checkpoint 1000 to 1100."""
    random = np.random.default_rng(seed)
    steps = np.linspace(0, 100, evaluations)

    def line(first: float, last: float, saved: int | None = None) -> Trajectory:
        return Trajectory(
            steps, np.linspace(first, last, evaluations) + noise * random.normal(size=evaluations), saved=saved
        )

    return strengths(line(1000, 900), [line(900, 700)], [line(1010, 1010, 0), line(1000, 1100, 50)])


@pytest.mark.parametrize("evaluations", [7, 11, 40])
def test_ratings_without_noise_are_taken_as_they_stand(evaluations: int) -> None:
    """Such a line could be a strength far away and a slow pull, +757 +-16 Elo; nobody's games are that quiet."""
    found = moving(0.0, evaluations=evaluations)
    one = newest(found)
    assert found.smoothed
    assert one.value == pytest.approx(200, abs=30)  # 1100 - 900
    assert one.low > 100
    assert one.high - one.low > 100


def test_a_line_that_goes_on_keeps_what_it_says_in_doubt() -> None:
    """It ends 75 above base_model and falls on: above or below is not sure."""
    steps = np.arange(20.0)
    falling = Trajectory(steps, np.linspace(1200, 1005, 20), saved=100)
    found = strengths(Trajectory(steps, np.linspace(1000, 930, 20)), [], [falling])
    assert found.smoothed
    assert newest(found).low < 0 < newest(found).value


def test_ratings_from_games_are_not_called_smoothed() -> None:
    assert not any(league([0, 30, 60, 90, 120], seed).smoothed for seed in range(20))
    assert not moving(10.0).smoothed
