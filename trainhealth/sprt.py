"""Is one agent better than another? A sequential test that may stop, or go on, after every game.

Wald's sequential probability ratio test with bounds in Elo, in the generalised form of chess engine testing (Van den
Bergh, "A practical introduction to the GSPRT"; Leela Zero and fishtest gate by it): scores need not be 0 or 1, so
draws, and games in which several seats meet, count with the spread they have.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from enum import StrEnum

import numpy as np

from trainhealth.measurement import Floats

PRIOR = 1e-3
"""Games lost, and as many won, that are taken for seen, as fishtest does: no outcome is ruled out by being unseen."""

FIRST = 256
"""Games that are looked at first; then twice as many, and so on."""

BISECTIONS = 20
"""The likelihood is flat where it is highest: an error of 1e-6 in the place is one of 1e-12 per game in its value."""


class Decision(StrEnum):
    BETTER = "better"
    NOT_BETTER = "not_better"
    UNDECIDED = "undecided"


@dataclass(frozen=True, slots=True)
class Design:
    """What is tested, and how often it may be wrong.

    Attributes:
        elo0, elo1: NOT_BETTER is meant for a lead of `elo0` or less, BETTER for one of `elo1` or more.
        alpha: chance of BETTER at `elo0`.
        beta: chance of NOT_BETTER at `elo1`.
    """

    elo0: float = 0.0
    elo1: float = 35.0
    alpha: float = 0.05
    beta: float = 0.05

    @property
    def lower(self) -> float:
        return math.log(self.beta / (1 - self.alpha))

    @property
    def upper(self) -> float:
        return math.log((1 - self.beta) / self.alpha)

    def __str__(self) -> str:
        return (
            f"SPRT of {self.elo0:g} against {self.elo1:g} Elo, error rates {self.alpha * 100:g} % and "
            f"{self.beta * 100:g} %"
        )


GATE = Design()
"""Leela Zero's bounds for a new network, [0, 35] Elo: a win rate of 50 % against 55 %."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """Where a sequential test stands.

    Attributes:
        games: how many it saw until it was decided, or until now.
        ratio: the logarithm of the likelihood ratio then; positive speaks for BETTER.
        more: about how many more games it needs if they go on like these; 0 once decided.
    """

    decision: Decision
    games: int
    ratio: float
    more: float


def expected_score(elo: float) -> float:
    """Points per game, 0 to 1, that a lead of `elo` is worth."""
    return 1 / (1 + 10 ** (-elo / 400))


def sprt(scores: Floats, design: Design = GATE) -> Outcome:
    """Run the test over `scores` (0 to 1, one for each independent game, in the order played) up to its decision."""
    ratio, seen = 0.0, 0
    while seen < len(scores):
        seen = min(max(2 * seen, FIRST), len(scores))  # most tests end long before their games do
        ratios = log_likelihood_ratios(scores[:seen], design)
        crossed = np.flatnonzero((ratios <= design.lower) | (ratios >= design.upper))
        if len(crossed):
            at = int(crossed[0])
            decision = Decision.BETTER if ratios[at] > 0 else Decision.NOT_BETTER
            return Outcome(decision, at + 1, float(ratios[at]), 0.0)
        ratio = float(ratios[-1])
    more = _games_to_go(scores, ratio, design) if seen else math.inf
    return Outcome(Decision.UNDECIDED, seen, ratio, more)


def log_likelihood_ratios(scores: Floats, design: Design = GATE) -> Floats:
    """After each game: how much more likely all of them are at best under `elo1` than under `elo0`, as a logarithm."""
    values = np.unique(np.concatenate([scores, [0.0, 1.0]]))
    counts = np.cumsum(scores[:, None] == values, axis=0, dtype=np.float64)
    counts[:, [0, -1]] += PRIOR
    one, none = (_likelihood(counts, values, expected_score(elo)) for elo in (design.elo1, design.elo0))
    return one - none


def _likelihood(counts: Floats, values: Floats, mean: float) -> Floats:
    """For each row of `counts`: the highest log-likelihood that frequencies of `values` with this mean reach.

    They are ``p = q / (1 + t (value - mean))`` with q the observed ones (Owen, "Empirical Likelihood", 2001), and t
    the zero of a falling function between the two values at which a frequency would be infinite.
    """
    off = values - mean
    share = counts / counts.sum(axis=1, keepdims=True)
    low, high = np.full(len(counts), -1 / off[-1]), np.full(len(counts), -1 / off[0])
    for _ in range(BISECTIONS):
        middle = (low + high) / 2
        falling = (share * off / (1 + middle[:, None] * off)).sum(axis=1) > 0
        low, high = np.where(falling, middle, low), np.where(falling, high, middle)
    result: Floats = -(counts * np.log1p(((low + high) / 2)[:, None] * off)).sum(axis=1)
    return result


def _games_to_go(scores: Floats, ratio: float, design: Design) -> float:
    """Mean time in which a random walk with the drift and spread so far leaves the bounds (Cox and Miller 1965)."""
    spread = float(np.var(np.concatenate([scores, [0.0, 1.0]])))
    jump = expected_score(design.elo1) - expected_score(design.elo0)
    variance, drift = jump**2 / spread, ratio / len(scores)
    width, at = design.upper - design.lower, ratio - design.lower
    if drift < 0:
        drift, at = -drift, width - at
    if drift * width < 1e-6 * variance:
        return at * (width - at) / variance
    up = math.expm1(-2 * drift * at / variance) / math.expm1(-2 * drift * width / variance)
    return (width * up - at) / drift
