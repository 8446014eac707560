"""Strengths of players from the orders they finish in: the Plackett-Luce model, which for two players is Bradley-Terry.

The chance that a player takes the best place left is its share of the strengths still to be placed (Luce 1959,
Plackett 1975). The log-likelihood is concave in the log-strengths and is maximised by Newton's method. It has a finite
maximum exactly where every player finished above every other, directly or through others (Ford 1957; Hunter, "MM
algorithms for generalized Bradley-Terry models", Annals of Statistics 2004): only such players are rated.

Seats that tie count as the average, over the orders they may have finished in, of the log-likelihoods: for two players
half a win each, which is what Elo means by a draw. That makes it a composite likelihood, whose variance is Godambe's
(Varin, Reid, Firth, Statistica Sinica 2011), with one score per independent group of games.
"""

from __future__ import annotations

import math
from collections.abc import Hashable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import product

import numpy as np

from trainhealth.measurement import Floats

ELO = 400 / math.log(10)
"""Elo for one unit of log-strength."""

ANCHOR = 1000.0
"""Elo of the player that the others are rated against."""

MAX_ITERATIONS = 100
TOLERANCE = 1e-6
"""Largest Newton step, in log-strength, after which the fit has converged: the next would be about its square."""

Places = tuple[tuple[str, ...], ...]
"""Who finished where, the best first; seats that tie stand together, and a player may hold several seats."""


@dataclass(frozen=True, slots=True, eq=False)
class Fit:
    """Ratings in Elo.

    Attributes:
        players: those that are rated, n of them.
        elo: n ratings; the anchor's is `ANCHOR`.
        covariance, information: n x n, in Elo squared; Godambe's, and the inverse of the observed information.
        outside: player -> why it has no rating.
        groups: independent groups of games that the ratings rest on.
    """

    players: tuple[str, ...]
    elo: Floats
    covariance: Floats
    information: Floats
    outside: Mapping[str, str]
    groups: int

    def rating(self, player: str) -> float:
        return float(self.elo[self.players.index(player)])

    def error(self, player: str, other: str) -> float:
        """Standard error of the difference of two ratings: the larger one of the two estimates."""
        contrast = np.zeros(len(self.players))
        contrast[self.players.index(player)] += 1
        contrast[self.players.index(other)] -= 1
        return math.sqrt(max(float(contrast @ one @ contrast) for one in (self.covariance, self.information)))


def fit(orders: Sequence[Places], anchor: str, groups: Sequence[Hashable] | None = None) -> Fit:
    """Rate all players that can be compared with `anchor` both ways.

    Args:
        orders: one for each game.
        anchor: the player whose rating is set.
        groups: what game is dependent on what other, one for each game; by default none is.

    Raises:
        ValueError: nobody can be compared with the anchor.
    """
    above = _above(orders)
    better, worse = _reached(above, anchor), _reached(_reversed(above), anchor)
    rated = sorted(better & worse)
    outside = {name: _why(name, anchor, above, better, worse) for name in sorted(above.keys() - rated)}
    if len(rated) < 2:
        named = "; ".join(f"{name} {why}" for name, why in list(outside.items())[:3])
        raise ValueError(f"no finite rating exists: {named or f'{anchor} met nobody'}")
    index = {name: at for at, name in enumerate(rated)}
    likelihood = _Likelihood(index)
    for at, places in enumerate(orders):
        likelihood.add(
            [[index[name] for name in tied if name in index] for tied in places], groups[at] if groups else at
        )
    return likelihood.maximised(anchor, outside)


class _Likelihood:
    """The sum, over games, of the strengths' logarithms minus weighted logarithms of sums of strengths."""

    def __init__(self, index: Mapping[str, int]) -> None:
        self.index = index
        self.group_of: dict[Hashable, int] = {}
        self.wins: list[tuple[int, int]] = []  # (group, player), one for each seat
        self.term_of: dict[tuple[tuple[int, int], ...], int] = {}  # ((player, seats), ...) -> term
        self.weights: list[tuple[int, int, float]] = []  # (group, term, weight)

    def add(self, places: Iterable[Sequence[int]], group: Hashable) -> None:
        """Add a game: seats by player number, the best first."""
        tied = [seats for seats in places if seats]
        if len({player for seats in tied for player in seats}) < 2:
            return
        at = self.group_of.setdefault(group, len(self.group_of))
        rest: dict[int, int] = {}
        for seats in reversed(tied):
            self.wins += [(at, player) for player in seats]
            held = {player: seats.count(player) for player in dict.fromkeys(seats)}
            for taken in product(*(range(count + 1) for count in held.values())):
                size = sum(taken)
                if not size:
                    continue
                ways = math.prod(math.comb(count, part) for count, part in zip(held.values(), taken, strict=True))
                left = dict(rest)
                for player, part in zip(held, taken, strict=True):
                    left[player] = left.get(player, 0) + part
                key = tuple(sorted((player, count) for player, count in left.items() if count))
                term = self.term_of.setdefault(key, len(self.term_of))
                self.weights.append((at, term, ways / math.comb(len(seats), size)))
            for player, count in held.items():
                rest[player] = rest.get(player, 0) + count

    def maximised(self, anchor: str, outside: Mapping[str, str]) -> Fit:
        players = tuple(self.index)
        group, term = np.array([(at, one) for at, one, _ in self.weights]).T
        weight = np.array([one for *_, one in self.weights])
        terms = _Terms(list(self.term_of), np.bincount(term, weight).astype(np.float64), len(players))
        won = np.zeros((len(self.group_of), len(players)))
        np.add.at(won, tuple(np.array(self.wins).T), 1.0)
        wins = won.sum(axis=0)

        free = np.array([name != anchor for name in players])
        theta = np.zeros(len(players))
        value = -terms.logarithms(theta)
        for _ in range(MAX_ITERATIONS):
            share = terms.shares(theta)
            step = np.zeros(len(players))
            step[free] = np.linalg.solve(
                terms.information(share)[np.ix_(free, free)], (wins - terms.expected(share))[free]
            )
            while (new := wins @ (theta + step) - terms.logarithms(theta + step)) < value:
                if np.abs(step).max() <= TOLERANCE:
                    break
                step /= 2
            theta, value = theta + step, new
            if np.abs(step).max() <= TOLERANCE:
                break
        else:
            raise ValueError("the ratings did not converge")

        share = terms.shares(theta)
        at = group[:, None] * len(players) + terms.players[term]
        taken = np.bincount(at.ravel(), (weight[:, None] * share[term]).ravel(), won.size)
        scores = won - taken.reshape(won.shape)
        inverse = np.zeros((len(players), len(players)))
        inverse[np.ix_(free, free)] = np.linalg.inv(terms.information(share)[np.ix_(free, free)])
        groups = len(scores)
        covariance = inverse @ (scores.T @ scores * (groups / max(groups - 1, 1))) @ inverse
        return Fit(players, ANCHOR + ELO * theta, ELO**2 * covariance, ELO**2 * inverse, outside, groups)


class _Terms:
    """Sums of strengths: m of them, of at most s players each.

    Attributes:
        players, seats: m x s; who is in a sum, and with how many seats (0 where a sum has fewer players).
        weight: m; how often a sum occurs.
        number: of players in all, n.
    """

    def __init__(self, sums: Sequence[Sequence[tuple[int, int]]], weight: Floats, number: int) -> None:
        self.weight, self.number = weight, number
        self.players = np.zeros((len(sums), max(map(len, sums))), dtype=np.intp)
        self.seats = np.zeros(self.players.shape)
        for at, held in enumerate(sums):
            for place, (player, count) in enumerate(held):
                self.players[at, place], self.seats[at, place] = player, count

    def shares(self, theta: Floats) -> Floats:
        """m x s: chance of each to take the next place."""
        strength = self.seats * np.exp(theta)[self.players]
        shares: Floats = strength / strength.sum(axis=1, keepdims=True)
        return shares

    def logarithms(self, theta: Floats) -> float:
        """The sum of the weighted logarithms."""
        return float(self.weight @ np.log((self.seats * np.exp(theta)[self.players]).sum(axis=1)))

    def expected(self, share: Floats) -> Floats:
        """n: places that each player is expected to take."""
        places = np.bincount(self.players.ravel(), (self.weight[:, None] * share).ravel(), self.number)
        return places.astype(np.float64)

    def information(self, share: Floats) -> Floats:
        """n x n: the observed information."""
        both = np.zeros(self.number**2)
        for player, chance in zip(self.players.T, share.T, strict=True):
            pair = player[:, None] * self.number + self.players
            both += np.bincount(pair.ravel(), ((self.weight * chance)[:, None] * share).ravel(), self.number**2)
        return np.diag(self.expected(share)) - both.reshape(self.number, self.number)


def _above(orders: Iterable[Places]) -> dict[str, set[str]]:
    """Player -> those that it finished above, or level with, in some game; every player has an entry."""
    above: dict[str, set[str]] = {}
    for places in orders:
        below: set[str] = set()
        for tied in reversed(places):
            below |= set(tied)
            for player in tied:
                above.setdefault(player, set()).update(below - {player})
    return above


def _reversed(graph: Mapping[str, set[str]]) -> dict[str, set[str]]:
    turned: dict[str, set[str]] = {name: set() for name in graph}
    for name, others in graph.items():
        for other in others:
            turned[other].add(name)
    return turned


def _reached(graph: Mapping[str, set[str]], start: str) -> set[str]:
    """Everything that can be reached from `start`, itself included if it is in the graph."""
    found, waiting = set(), [start] if start in graph else []
    while waiting:
        one = waiting.pop()
        if one not in found:
            found.add(one)
            waiting += graph[one] - found
    return found


def _why(name: str, anchor: str, above: Mapping[str, set[str]], better: set[str], worse: set[str]) -> str:
    """Why a player has no rating; `better` are below the anchor in some game or chain, `worse` above it."""
    if anchor not in above:
        return f"was in no game with {anchor}, which plays in none"
    if name in better:
        return f"always finished below {anchor} and all who are rated with it"
    if name in worse:
        return f"always finished above {anchor} and all who are rated with it"
    return f"was never in a game with {anchor}, nor with anyone rated with it"
