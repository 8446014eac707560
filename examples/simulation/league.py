"""A league of seven-player games: agents of hidden strength, rated by what they win.

Ratings follow Weng and Lin's Bayesian approximation for many players (JMLR 12, 2011, algorithm 1, Bradley-Terry
full pair), on the TrueSkill scale: a new agent has mu 25, sigma 25/3. Elo = (mu - 25) * 40 + 1000.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np

from simulation.scenario import Scenario

MU, SIGMA = 25.0, 25.0 / 3
BETA = SIGMA / 2
DRIFT = 0.05
SETTLED_SIGMA, NEW_SIGMA = 0.8, 1.2
PLAYERS = 7
GAMES_PER_EVALUATION = 48
EVALUATE_EVERY = 5
CHECKPOINT_EVERY = 10

# Hidden strength on the same scale. The bots come with the ratings of earlier leagues, near their strength.
BASELINES: Mapping[str, float] = {
    "base_model": 25.0,
    "chaos_bot": 23.0,
    "defensive_bot": 23.6,
    "territorial_bot": 24.0,
    "coordinated_bot": 24.8,
    "random_bot": 22.4,
}


@dataclass(slots=True)
class Agent:
    """A player: what it can do, and what the league believes."""

    name: str
    strength: float
    mu: float = MU
    sigma: float = SIGMA

    @property
    def elo(self) -> float:
        return (self.mu - MU) * 40 + 1000


@dataclass(frozen=True, slots=True)
class Evaluation:
    """The league after one round of games."""

    step: int
    ratings: Mapping[str, tuple[float, float]]
    """Agent -> mu, sigma."""
    challenger: str
    games: int
    wins: int
    bot_wins: int
    bot_games: int

    def row(self) -> dict[str, float]:
        """What the evaluator logs: ratings of all agents, and things that share their prefix but are no agents."""
        row: dict[str, float] = {
            "benchmark/step": self.step,
            "elo/step": self.step,
            "elo/win_rate": round(self.wins / self.games, 4),
            "elo/games_played": self.games,
            "elo/vs_bot_win_rate": round(self.bot_wins / self.bot_games, 4) if self.bot_games else 0.0,
        }
        for name, (mu, sigma) in self.ratings.items():
            row[f"trueskill/{name}_mu"] = round(mu, 4)
            row[f"trueskill/{name}_sigma"] = round(sigma, 4)
            row[f"trueskill/{name}_rating"] = round(mu - 3 * sigma, 4)
            row[f"elo/{name}"] = round((mu - MU) * 40 + 1000, 2)
        row["elo/challenger"] = row[f"elo/{self.challenger}"]
        return row


@dataclass(slots=True)
class League:
    """Agents, and a generator that decides the games."""

    rng: np.random.Generator
    agents: list[Agent] = field(default_factory=list)

    def play(self, challenger: Agent) -> list[Agent]:
        """One game of the challenger and six others; updates the ratings and returns the players, winner first."""
        others = [agent for agent in self.agents if agent is not challenger]
        seats = [challenger, *(others[i] for i in self.rng.choice(len(others), PLAYERS - 1, replace=False))]
        # Gumbel luck of this scale makes every pair of the ranking follow the Bradley-Terry model.
        luck = self.rng.gumbel(scale=np.sqrt(2) * BETA, size=PLAYERS)
        ranking = [
            agent for _, agent in sorted(zip(luck, seats, strict=True), key=lambda pair: -pair[0] - pair[1].strength)
        ]
        _rate(ranking)
        return ranking

    def evaluate(self, step: int) -> Evaluation:
        """One round: the newest checkpoint plays in every second game, a random agent challenges in the others."""
        newest = self.agents[-1]
        wins = bot_wins = bot_games = games = 0
        for game in range(GAMES_PER_EVALUATION):
            challenger = newest if game % 2 == 0 else self.agents[int(self.rng.integers(len(self.agents)))]
            ranking = self.play(challenger)
            if newest not in ranking:
                continue
            games += 1
            wins += ranking[0] is newest
            place = ranking.index(newest)
            for other, agent in enumerate(ranking):
                if agent.name.endswith("_bot"):
                    bot_games += 1
                    bot_wins += place < other
        ratings = {agent.name: (agent.mu, agent.sigma) for agent in self.agents}
        return Evaluation(step, ratings, newest.name, games, wins, bot_wins, bot_games)


def _rate(ranking: list[Agent]) -> None:
    """Move every player's mu and sigma by the result against each of the others."""
    moves = []
    for place, agent in enumerate(ranking):
        variance = agent.sigma**2 + DRIFT**2
        gain = shrink = 0.0
        for other_place, other in enumerate(ranking):
            if other is agent:
                continue
            c = np.sqrt(variance + other.sigma**2 + 2 * BETA**2)
            expected = 1 / (1 + np.exp((other.mu - agent.mu) / c))
            won = 1.0 if place < other_place else 0.0
            gain += variance / c * (won - expected)
            shrink += np.sqrt(variance) / c * variance / c**2 * expected * (1 - expected)
        moves.append((agent.mu + gain, np.sqrt(variance * max(1 - shrink, 1e-4))))
    for agent, (mu, sigma) in zip(ranking, moves, strict=True):
        agent.mu, agent.sigma = float(mu), float(sigma)


def strength_at(scenario: Scenario, step: int) -> float:
    """Hidden strength of the policy after `step` steps."""
    strength = BASELINES["base_model"] + scenario.skill_gain * (1 - np.exp(-step / 90))
    if scenario.collapse is not None:
        strength -= 11.0 * (1 - np.exp(-max(0, step - scenario.collapse.onset + 5) / 8))
    return float(strength)


def season(scenario: Scenario) -> list[Evaluation]:
    """All evaluations of a run. A checkpoint enters with its parent's mu, and much to prove."""
    league = League(np.random.default_rng([scenario.seed, 2]))
    league.agents = [Agent(name, strength, mu=strength, sigma=SETTLED_SIGMA) for name, strength in BASELINES.items()]
    evaluations = []
    for step in range(scenario.steps):
        if step % CHECKPOINT_EVERY == 0:
            name = f"{scenario.name}_adapter_v{step}"
            league.agents.append(Agent(name, strength_at(scenario, step), sigma=NEW_SIGMA))
        if step % EVALUATE_EVERY == 0 or step == scenario.steps - 1:
            evaluations.append(league.evaluate(step))
    return evaluations
