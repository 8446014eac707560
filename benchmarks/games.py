"""How good are the verdicts on games? Rating fits beside choix's, and the sequential test's errors beside its design.

    python benchmarks/games.py             # a minute or two; --seed N for other luck, --tests N for more of it

Everything is drawn from known strengths; the same seed prints the same numbers.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt

ROOT = Path(__file__).resolve().parents[1]
sys.path[:0] = [str(ROOT), str(ROOT / "tests" / "support")]

from tournament import play, tables  # noqa: E402

from trainhealth.games import MIN_GAMES  # noqa: E402
from trainhealth.plackett_luce import ANCHOR, ELO, fit  # noqa: E402
from trainhealth.sprt import GATE, Decision, expected_score, sprt  # noqa: E402

AGENTS = ("base", "a", "b", "c", "d", "e", "f", "g")
TOURNAMENTS = 10
MOST_GAMES = 5000


def ratings(seed: int) -> None:
    """Largest difference from choix over random tournaments, and how often a 95 % interval holds the truth."""
    import choix

    print(f"{'seats':>5} {'games':>6} {'from choix, Elo':>16} {'intervals that hold the truth':>31}")
    for seats, number in ((2, 200), (3, 100), (7, 50)):
        apart, held, intervals = 0.0, 0, 0
        for at in range(TOURNAMENTS * 5):
            random = np.random.default_rng((seed, seats, at))
            truth = dict(zip(AGENTS, np.append(ANCHOR, random.normal(ANCHOR, 80, len(AGENTS) - 1)), strict=True))
            played = play(truth, tables(AGENTS, seats, number, at), int(random.integers(2**32)))
            places = [game.places for game in played]
            found = fit(places, "base")
            for agent in set(found.players) - {"base"}:
                intervals += 1
                held += abs(found.rating(agent) - truth[agent]) < 1.96 * found.error(agent, "base")
            if at < TOURNAMENTS and not found.outside:
                orders = [tuple(AGENTS.index(agent) for (agent,) in one) for one in places]
                theirs = choix.opt_rankings(len(AGENTS), orders, alpha=0, tol=1e-10)
                ours = [found.rating(agent) for agent in AGENTS]
                apart = max(apart, float(np.abs(ANCHOR + ELO * (theirs - theirs[0]) - ours).max()))
        print(f"{seats:5} {number:6} {apart:16.1e} {held / intervals:31.1%}")


def scores(kind: str, elo: float, random: np.random.Generator) -> npt.NDArray[np.float64]:
    """What games between two agents, one `elo` better, are worth to it."""
    mean = expected_score(elo)
    if kind == "pairs":
        return (random.random(MOST_GAMES) < mean).astype(float)
    if kind == "pairs, 40 % drawn":
        return random.choice([0.0, 0.5, 1.0], MOST_GAMES, p=[0.8 - mean, 0.4, mean - 0.2])
    # one seat against six: its place among seven, by the same model
    luck = random.gumbel(size=(MOST_GAMES, 7))
    luck[:, 0] += elo / ELO
    beaten: npt.NDArray[np.float64] = (luck[:, :1] > luck[:, 1:]).mean(axis=1)
    return beaten


def sequential(seed: int, tests: int) -> None:
    print(f"\n{GATE}; {tests} tests each")
    print(f"{'games':>20} {'true Elo':>8} {'better':>7} {'not better':>10} {'mean':>6} {'p95':>6}")
    for kind in ("pairs", "pairs, 40 % drawn", "1 seat against 6"):
        for elo in (GATE.elo0, (GATE.elo0 + GATE.elo1) / 2, GATE.elo1):
            random = np.random.default_rng((seed, int(elo)))
            outcomes = [sprt(scores(kind, elo, random)) for _ in range(tests)]
            games = [one.games for one in outcomes]
            better, not_better = (
                sum(one.decision is decision for one in outcomes) / tests
                for decision in (Decision.BETTER, Decision.NOT_BETTER)
            )
            said = f"{better:7.1%} {not_better:10.1%} {np.mean(games):6.0f} {np.quantile(games, 0.95):6.0f}"
            print(f"{kind:>20} {elo:8g} {said}")


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--tests", type=int, default=1000)
    given = parser.parse_args(arguments)
    print(f"agents with fewer than {MIN_GAMES} games are not judged\n")
    ratings(given.seed)
    sequential(given.seed, given.tests)


if __name__ == "__main__":
    main()
