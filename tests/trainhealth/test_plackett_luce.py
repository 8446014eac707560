"""Ratings against an independent library (choix), against the likelihood written out, and against a known truth."""

from __future__ import annotations

import itertools
import math

import numpy as np
import numpy.typing as npt
import pytest
from tournament import play, tables

from trainhealth.plackett_luce import ANCHOR, ELO, Places, fit

AGENTS = ("base", "a", "b", "c", "d", "e")
TRUTH = dict(zip(AGENTS, (1000.0, 1080.0, 930.0, 1150.0, 1010.0, 990.0), strict=True))


def by_choix(orders: list[list[str]]) -> npt.NDArray[np.float64]:
    choix = pytest.importorskip("choix", reason="choix is in the test extra")
    numbers = [[AGENTS.index(one) for one in order] for order in orders]
    strengths = choix.opt_rankings(len(AGENTS), numbers, alpha=0, tol=1e-8)  # alpha: it shrinks them a little
    return ANCHOR + ELO * np.asarray(strengths - strengths[0], dtype=np.float64)


def ours(orders: list[Places]) -> list[float]:
    found = fit(orders, "base")
    return [found.rating(agent) for agent in AGENTS]


def every_order(places: Places) -> list[list[str]]:
    """All orders in which those that tie may have finished."""
    orders = itertools.product(*(itertools.permutations(tied) for tied in places))
    return [[agent for part in order for agent in part] for order in orders]


@pytest.mark.parametrize("seats", [2, 3, 6])
@pytest.mark.parametrize("seed", [0, 1, 2])
def test_the_ratings_are_those_of_choix(seats: int, seed: int) -> None:
    places = [game.places for game in play(TRUTH, tables(AGENTS, seats, 80, seed), seed)]
    assert ours(places) == pytest.approx(by_choix([order for one in places for order in every_order(one)]), abs=1e-5)


def test_pairs_are_bradley_terry() -> None:
    """With two agents the maximum is in closed form: the logarithm of the odds."""
    found = fit([(("a",), ("base",))] * 30 + [(("base",), ("a",))] * 10, "base")
    assert found.rating("base") == ANCHOR
    assert found.rating("a") - ANCHOR == pytest.approx(400 * math.log10(30 / 10))
    # and so is its error: 1 / (n p q)
    assert found.error("a", "base") == pytest.approx(ELO * math.sqrt(40 / (30 * 10)), rel=0.02)


def test_a_tie_of_two_is_half_a_win_each() -> None:
    won, lost, level = (("a",), ("base",)), (("base",), ("a",)), (("a", "base"),)
    found = fit([won] * 20 + [level] * 10 + [lost] * 10, "base")
    assert found.rating("a") - ANCHOR == pytest.approx(400 * math.log10(25 / 15))
    # a draw has less spread than a win and a loss; the wider of the two errors is kept
    assert found.error("a", "base") == pytest.approx(ELO / math.sqrt(40 * (25 / 40) * (15 / 40)), rel=1e-6)


def test_ties_of_many_are_the_average_over_their_orders() -> None:
    places = [game.places for game in play(TRUTH, tables(AGENTS, 4, 20, 5), 5, ties=3)]
    orders = [every_order(one) for one in places]
    assert {len(one) for one in orders} == {6}
    assert ours(places) == pytest.approx(by_choix([order for one in orders for order in one]), abs=1e-5)


def test_agents_may_hold_several_seats() -> None:
    """Against the likelihood written out order by order, where ours gathers equal terms."""
    optimize = pytest.importorskip("scipy.optimize", reason="comes with choix, which is in the test extra")
    agents = ("base", "a", "b")
    places = [game.places for game in play(TRUTH, tables(agents, 5, 40, 7, again=True), 7, ties=3)]

    def unlikely(free: npt.NDArray[np.float64]) -> float:
        strength = dict(zip(agents, (0.0, *free), strict=True))
        total = 0.0
        for one in places:
            orders = every_order(one)
            for order in orders:
                theta = np.array([strength[agent] for agent in order])
                rest = np.logaddexp.accumulate(theta[::-1])[::-1]
                total -= float((theta - rest).sum()) / len(orders)
        return total

    best = ANCHOR + ELO * optimize.minimize(unlikely, np.zeros(2), tol=1e-12).x
    found = fit(places, "base")
    assert [found.rating("a"), found.rating("b")] == pytest.approx(best, abs=0.01)


def test_intervals_cover_the_truth() -> None:
    """95 % of them, over 300 tournaments of 40 games; 1.3 % is one standard error of that share."""
    hits = 0
    for seed in range(300):
        games = play(TRUTH, tables(AGENTS[:4], 4, 40, seed), 10_000 + seed)
        found = fit([game.places for game in games], "base")
        hits += abs(found.rating("c") - found.rating("base") - 150) < 1.96 * found.error("c", "base")
    assert 0.91 <= hits / 300 <= 0.99


def test_games_that_began_as_one_are_one_piece_of_evidence() -> None:
    """The same games told four times, as four branches of one, say no more than once."""
    games = play(TRUTH, tables(AGENTS, 3, 100, 3), 3)
    places, groups = [game.places for game in games], [game.group for game in games]
    once, branches, apart = fit(places, "base", groups), fit(places * 4, "base", groups * 4), fit(places * 4, "base")
    assert branches.groups == once.groups == 100
    assert branches.elo == pytest.approx(once.elo)
    assert np.sqrt(np.diag(branches.covariance)) == pytest.approx(np.sqrt(np.diag(once.covariance)))
    assert apart.error("a", "base") == pytest.approx(once.error("a", "base") / 2, rel=0.1)


def test_who_won_or_lost_everything_or_met_nobody_has_no_rating() -> None:
    games = play(TRUTH, tables(("base", "a", "b"), 3, 60, 1), 1)
    places: list[Places] = [(("winner",), *game.places, ("loser",)) for game in games]
    places += [(("x",), ("y",)), (("y",), ("x",))]
    found = fit(places, "base")
    assert found.players == ("a", "b", "base")
    assert "always finished above base" in found.outside["winner"]
    assert "always finished below base" in found.outside["loser"]
    assert "never in a game with base" in found.outside["x"]
    # and the others are rated as if they had been alone, which is the limit of the likelihood
    alone = fit([game.places for game in games], "base")
    assert found.elo == pytest.approx(alone.elo)
    assert np.isfinite(found.elo).all()


@pytest.mark.parametrize(
    "places",
    [[], [(("a",), ("b",))], [(("a",), ("base",))] * 50, [(("base", "base"),)] * 9],
    ids=["no games", "without the anchor", "a always wins", "only itself"],
)
def test_no_finite_rating_is_an_error(places: list[Places]) -> None:
    with pytest.raises(ValueError, match="no finite rating exists"):
        fit(places, "base")


def test_extreme_records_converge() -> None:
    """One loss in 2,000, and a chain of such agents."""
    names = ["base", *(f"p{at}" for at in range(5))]
    places: list[Places] = []
    for low, high in itertools.pairwise(names):
        places += [((high,), (low,))] * 1999 + [((low,), (high,))]
    found = fit(places, "base")
    assert found.rating("p4") - ANCHOR == pytest.approx(5 * 400 * math.log10(1999), rel=1e-6)
