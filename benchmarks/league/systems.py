"""Two rating systems, as bglick13/diplomacy-v2 computes them, over many leagues at once.

Arrays are (leagues, agents), or (leagues, games, players) for the players of a game, the winner first.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]
Indices = npt.NDArray[np.intp]

ELO_SCALE = 400 / math.log(10)
K = 48.0

MU = 25.0
SIGMA = MU / 3
BETA = SIGMA / 2
TAU = SIGMA / 100
ELO_PER_MU = 40.0

_T = np.linspace(-12.0, 8.0, 20_001)
_HAZARD = np.array([math.exp(-(t**2) / 2) * math.sqrt(2 / math.pi) / math.erfc(-t / math.sqrt(2)) for t in _T.tolist()])
"""Density of the standard normal at t over its integral up to t."""


@dataclass(slots=True)
class Elo:
    """Multi-player Elo: every pair of a game is a match, K is shared by the pairs of a player; games in turn."""

    ratings: Floats

    @property
    def elo(self) -> Floats:
        return self.ratings

    @property
    def sigma(self) -> Floats | None:
        """Nothing is known of its uncertainty."""
        return None

    @staticmethod
    def luck(rng: np.random.Generator, shape: tuple[int, ...]) -> Floats:
        """In Elo: with it every pair of a ranking follows the Elo formula (a Plackett-Luce ranking)."""
        return ELO_SCALE * rng.gumbel(size=shape)

    def enter(self, agent: int, parent: int, bonus: Floats) -> None:
        """A checkpoint starts with its parent's rating, plus `bonus` (Elo, one a league)."""
        self.ratings[:, agent] = self.ratings[:, parent] + bonus

    def play(self, rankings: Indices) -> None:
        won = np.sign(np.arange(rankings.shape[2]) - np.arange(rankings.shape[2])[:, None]) / 2
        for game in range(rankings.shape[1]):
            seats = rankings[:, game]
            at = np.take_along_axis(self.ratings, seats, axis=1)
            expected = 0.5 * np.tanh((at[:, :, None] - at[:, None, :]) / (2 * ELO_SCALE))  # less 1/2, as `won`
            moves = K / (seats.shape[1] - 1) * (won - expected).sum(axis=2)
            np.put_along_axis(self.ratings, seats, at + moves, axis=1)


@dataclass(slots=True)
class TrueSkill:
    """TrueSkill of a ranking; the games of one evaluation start from the same ratings.

    An agent then moves by the mean of its games' moves and keeps the smallest sigma of them.
    """

    mu: Floats
    deviation: Floats

    @property
    def elo(self) -> Floats:
        return (self.mu - MU) * ELO_PER_MU + 1000

    @property
    def sigma(self) -> Floats | None:
        return self.deviation

    @staticmethod
    def luck(rng: np.random.Generator, shape: tuple[int, ...]) -> Floats:
        return ELO_PER_MU * BETA * rng.normal(size=shape)

    def enter(self, agent: int, parent: int, bonus: Floats) -> None:
        """A checkpoint starts with its parent's mu, plus `bonus` (Elo, one a league), and all to prove."""
        self.mu[:, agent] = self.mu[:, parent] + bonus / ELO_PER_MU
        self.deviation[:, agent] = SIGMA

    def play(self, rankings: Indices) -> None:
        leagues, _, players = rankings.shape
        flat = rankings.reshape(leagues, -1)
        old_mu, old_sigma = (np.take_along_axis(a, flat, axis=1) for a in (self.mu, self.deviation))
        mu, sigma = rate(old_mu.reshape(-1, players), old_sigma.reshape(-1, players))
        moves, counts = np.zeros_like(self.mu), np.zeros_like(self.mu)
        league = np.arange(leagues)[:, None]
        np.add.at(moves, (league, flat), mu.reshape(leagues, -1) - old_mu)
        np.add.at(counts, (league, flat), 1.0)
        self.mu += moves / np.maximum(counts, 1)
        # In the project tau widens sigma first, so a settled agent's smallest sigma may exceed what it was.
        smallest = np.full_like(self.mu, np.inf)
        np.minimum.at(smallest, (league, flat), sigma.reshape(leagues, -1))
        self.deviation = np.where(counts > 0, smallest, self.deviation)


def rate(mu: Floats, sigma: Floats, draw_margin: float = 0.0, sweeps: int = 6) -> tuple[Floats, Floats]:
    """TrueSkill after games without draws: (games, players), the winner first; returns new mu and sigma.

    Expectation propagation along the chain of neighbours in the ranking (Herbrich et al., NIPS 2006). A margin for
    draws that never come spreads the ratings by a third at the usual 10 %; the leagues here expect none.
    """
    variance = sigma**2 + TAU**2
    own_precision = 1 / (variance + BETA**2)  # of a performance
    own_shift = mu * own_precision
    pairs = mu.shape[1] - 1
    up = np.zeros(
        (2, *mu.shape)
    )  # message to each performance from the pair with the one ranked below: precision, shift
    down = np.zeros((2, *mu.shape))  # and from the pair with the one ranked above
    order = [*range(pairs), *reversed(range(pairs - 1))]
    for pair in order * sweeps if pairs > 1 else order:
        precision_a, shift_a = own_precision[:, pair] + down[0, :, pair], own_shift[:, pair] + down[1, :, pair]
        below = pair + 1
        precision_b, shift_b = own_precision[:, below] + up[0, :, below], own_shift[:, below] + up[1, :, below]
        mean_a, mean_b = shift_a / precision_a, shift_b / precision_b
        spread = 1 / precision_a + 1 / precision_b
        mean, root = mean_a - mean_b, np.sqrt(spread)
        t = (mean - draw_margin) / root
        v = np.interp(t, _T, _HAZARD)
        w = np.clip(v * (v + t), 1e-9, 1 - 1e-9)
        new_mean, new_spread = mean + root * v, spread * (1 - w)
        message = 1 / new_spread - 1 / spread
        told = (new_mean / new_spread - mean / spread) / message  # mean of the difference as the result tells it
        precision = 1 / (1 / message + 1 / precision_b)
        up[0, :, pair], up[1, :, pair] = precision, precision * (told + mean_b)
        precision = 1 / (1 / message + 1 / precision_a)
        down[0, :, below], down[1, :, below] = precision, precision * (mean_a - told)
    precision = up[0] + down[0]
    told = (up[1] + down[1]) / precision  # of the performance; its skill has BETA between
    skill = 1 / (1 / precision + BETA**2)
    new = 1 / (1 / variance + skill)
    return new * (mu / variance + skill * told), np.sqrt(new)
