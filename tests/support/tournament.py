"""Games with a known truth: agents finish in an order drawn from the Plackett-Luce model of their Elo."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from trainhealth.games import Game, Seat
from trainhealth.plackett_luce import ELO


def play(elo: Mapping[str, float], tables: Sequence[Sequence[str]], seed: int, ties: int = 0) -> list[Game]:
    """One game for each table (the agents at it, one or several times), the last `ties` seats level at 0."""
    random = np.random.default_rng(seed)
    games = []
    for number, table in enumerate(tables):
        luck = np.array([elo[agent] for agent in table]) / ELO + random.gumbel(size=len(table))
        score = np.maximum(np.argsort(np.argsort(luck)) - max(ties - 1, 0), 0)
        seats = tuple(Seat(agent, float(points)) for agent, points in zip(table, score, strict=True))
        games.append(Game(f"g{number}", f"g{number}", seats))
    return games


def tables(agents: Sequence[str], seats: int, number: int, seed: int, again: bool = False) -> list[list[str]]:
    """Tables drawn at random; `again`: an agent may hold several seats."""
    random = np.random.default_rng(seed)
    return [[str(name) for name in random.choice(agents, seats, replace=again)] for _ in range(number)]
