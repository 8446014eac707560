"""Leagues of seven-player games in which a policy learns, or does not; the truth is known.

A policy is saved as a checkpoint now and then and plays on as that; base_model and five bots never change. Strengths
are in Elo above base_model.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np

from league.systems import ELO_PER_MU, MU, SIGMA, Elo, Floats, Indices, TrueSkill
from trainhealth.history import Column, History, RunRecord

PLAYERS = 7
EVALUATE_EVERY = 5
GAMES = 48
"""Games of one evaluation (the project's document says 50); the newest checkpoint plays in every second one."""

REFERENCES = ("base_model", "chaos_bot", "defensive_bot", "territorial_bot", "coordinated_bot", "dumb_bot")
START = np.array([1000.0, 900.0, 950.0, 950.0, 1000.0, 850.0])
"""The ratings that the project starts its references with."""
MISJUDGED = 40.0
"""Standard deviation of a bot's true strength around the rating that it starts with."""

Curve = Callable[[Floats], Floats]


def _nothing(done: Floats) -> Floats:
    return np.zeros_like(done)


@dataclass(frozen=True, slots=True)
class Scenario:
    """What is true. Curves are of the share of the run that is done, 0 to 1.

    Attributes:
        strength: of the policy, in Elo above base_model.
        exploits: Elo that a bot loses in a game all of whose other players are this policy; its peers gain nothing.
        bonus: Elo that a new checkpoint gets on top of its parent's rating, undeserved.
        learns: whether a gate may call it learning.
    """

    name: str
    strength: Curve
    learns: bool
    right: tuple[str, ...]
    """Diagnoses that are right."""
    exploits: Curve = _nothing
    bonus: float = 0.0


def _interpolated(*points: tuple[float, float]) -> Curve:
    at, values = zip(*points, strict=True)
    return lambda done: np.interp(done, at, values)


SCENARIOS = (
    Scenario("no learning", _nothing, False, ("no_learning",)),
    Scenario("learning fast", lambda done: 250 * (1 - np.exp(-3 * done)), True, ("learning", "plateau")),
    Scenario("learning slowly", lambda done: 100 * done, True, ("learning", "slow")),
    Scenario("plateau", _interpolated((0, 0), (0.3, 120), (1, 120)), True, ("plateau", "learning")),
    Scenario("regression", _interpolated((0, 0), (0.5, 150), (1, 10)), False, ("regression",)),
    Scenario(
        "instability",
        _interpolated((0, 0), (0.2, 150), (0.4, 0), (0.6, 150), (0.8, 0), (1, 150)),
        False,
        ("instability",),
    ),
    Scenario("pool inflates", _nothing, False, ("no_learning", "pool_drift"), bonus=40.0),
    Scenario("pool deflates", _nothing, False, ("no_learning", "pool_drift"), bonus=-40.0),
    Scenario(
        "bots exploited only", _nothing, False, ("bots_only",), exploits=_interpolated((0, 0), (0.5, 250), (1, 300))
    ),
)


def checkpoint_steps(steps: int) -> list[int]:
    """When the project saves a checkpoint to its league: every 5 steps before 50, 10 before 200, then 20."""
    return [at for at in range(steps) if at % (5 if at < 50 else 10 if at < 200 else 20) == 0]


@dataclass(frozen=True, slots=True)
class Season:
    """What a batch of leagues logged: (leagues, evaluations, agents), NaN before an agent entered."""

    agents: tuple[str, ...]
    steps: int
    evaluated: tuple[int, ...]
    elo: Floats
    sigma: Floats | None

    def records(self) -> Iterator[RunRecord]:
        """Each league as a run that logged it."""
        rows = np.arange(self.steps, dtype=np.uint32)
        axis = {key: Column(rows, rows.astype(np.float64)) for key in ("_step", "benchmark/step")}
        for league in range(len(self.elo)):
            columns = dict(axis)
            for agent, name in enumerate(self.agents):
                values = self.elo[league, :, agent]
                seen = np.isfinite(values)
                at = np.array(self.evaluated, dtype=np.uint32)[seen]
                columns[f"elo/{name}"] = Column(at, values[seen])
                if self.sigma is not None:
                    columns[f"trueskill/{name}_sigma"] = Column(at, self.sigma[league, :, agent][seen])
            counts = {key: len(column.rows) for key, column in columns.items()}
            history = History(self.steps, columns, counts)
            yield RunRecord(f"league-{league}", history, "simulated", state="finished", exit_code=0)


def play(
    scenario: Scenario,
    steps: int,
    leagues: int,
    rng: np.random.Generator,
    *,
    games: int = GAMES,
    trueskill: bool = False,
) -> Season:
    """Seasons of `leagues` leagues of `scenario`, each `steps` training steps long."""
    saved = checkpoint_steps(steps)
    names = (*REFERENCES, *(f"adapter_v{step}" for step in saved))
    fixed, count = len(REFERENCES), len(names)
    done = np.array(saved) / steps
    strength = np.zeros((leagues, count))
    strength[:, 1:fixed] = START[1:] - START[0] + MISJUDGED * rng.normal(size=(leagues, fixed - 1))
    strength[:, fixed:] = scenario.strength(done)
    exploits = np.concatenate([np.zeros(fixed), scenario.exploits(done)])

    table: Elo | TrueSkill
    start = np.concatenate([START, np.full(count - fixed, np.nan)])
    if trueskill:
        mu = np.tile((start - START[0]) / ELO_PER_MU + MU, (leagues, 1))
        table = TrueSkill(mu, np.full((leagues, count), SIGMA))
    else:
        table = Elo(np.tile(start, (leagues, 1)))

    # The first evaluation is of the ratings that the league starts with.
    evaluated = list(range(0, steps, EVALUATE_EVERY))
    elo, sigma = [], []
    present = fixed
    for at in evaluated:
        while present < count and saved[present - fixed] <= at:
            table.enter(present, present - 1 if present > fixed else 0, np.full(leagues, scenario.bonus))
            present += 1
        if at:
            table.play(_rankings(rng, strength[:, :present], exploits[:present], table, games))
        known = np.where(np.arange(count) < present, table.elo, np.nan)
        elo.append(known)
        if table.sigma is not None:
            sigma.append(table.sigma.copy())
    return Season(names, steps, tuple(evaluated), np.stack(elo, axis=1), np.stack(sigma, axis=1) if sigma else None)


def _rankings(
    rng: np.random.Generator, strength: Floats, exploits: Floats, table: Elo | TrueSkill, games: int
) -> Indices:
    """Players of an evaluation's games, the winner first: (leagues, games, players)."""
    leagues, present = strength.shape
    draw = rng.random((leagues, games, present))
    draw[:, ::2, -1] = -1.0  # the newest plays
    seats = (
        np.argpartition(draw, PLAYERS - 1, axis=2)[:, :, :PLAYERS] if present > PLAYERS else np.argsort(draw, axis=2)
    )
    form = np.take_along_axis(strength[:, None, :], seats, axis=2) + table.luck(rng, seats.shape)
    pressure = exploits[seats]
    bots = (seats > 0) & (seats < len(REFERENCES))
    form -= bots * (pressure.sum(axis=2, keepdims=True) / (seats.shape[2] - 1))
    return np.take_along_axis(seats, np.argsort(-form, axis=2), axis=2)


def hand_rule(season: Season) -> list[bool]:
    """The hand-made rule: the majority of checkpoints lies more than 20 Elo below its peak."""
    checkpoints = season.elo[:, :, len(REFERENCES) :]
    below = np.nanmax(checkpoints, axis=1) - checkpoints[:, -1] > 20
    return [bool(majority) for majority in below.mean(axis=1) > 0.5]


def first_against_last(season: Season) -> list[bool]:
    """Base_model ends lower than it started, and the newest checkpoint ends above it."""
    base = season.elo[:, :, 0]
    return [bool(one) for one in (base[:, -1] < base[:, 0]) & (season.elo[:, -1, -1] > base[:, -1])]


__all__ = ["SCENARIOS", "Scenario", "Season", "first_against_last", "hand_rule", "play"]
