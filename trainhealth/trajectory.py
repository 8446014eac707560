"""True strengths behind rating trajectories, with all that is uncertain about them.

A rated agent never changes, not even a checkpoint once it is saved. Its rating R wanders around its true strength s and
is pulled back to it, evaluation by evaluation:

    R(t + 1) - R(t) = pull * (s - R(t) + offset(t)) + noise

for Elo as for TrueSkill. The offset is the pool's: what moves all ratings together (entrants rated too high or too low,
points that leave with nobody) is taken out, evaluation by evaluation, so that a drift of the pool is never learning.
Pull and noise are those of all agents together. Steps of a rating are not independent evidence: the slower the pull,
the less a trajectory says, and the interval is as much wider. docs/learning.md has the argument and the rates.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np

from trainhealth.history import Floats
from trainhealth.verdicts import Inconclusive

PULLS = np.geomspace(0.03, 2.0, 12)
"""Share of its error that a rating loses in one evaluation; beyond 1 it overshoots (large K, few games)."""
ROUGHNESS = {10.0: 0.35, 100.0: 0.25, 300.0: 0.2, 800.0: 0.15, 2000.0: 0.05}
"""Elo (standard deviation) that the policy may stray over the run from a steady gain: a random walk."""
STEADY, BOT, SHIFT = 300.0, 400.0, 300.0
"""Elo (standard deviation) of the steady gain over the run, of a bot's strength, of what all bots lose on the way."""
UNLIKE = 3.0
"""Elo that two checkpoints saved at the same step may differ by."""
ROUNDING = 0.5
"""Elo: ratings are logged rounded."""
ONE_GAME = 232.0
"""Elo (standard deviation) that one game of seven says of a player, which turns a TrueSkill sigma into a gain."""
MOST_GAMES = 150
"""Games of an agent in one evaluation; ratings that say more of it than so many games were smoothed or made up."""
AT_ITS_WORD = 20.0
"""Elo (standard deviation) of the last of such ratings around the strength [published guide: 20 is a decline]."""
SLOW = 0.25
"""Belief that such ratings are what they seem, far from their strengths and slow: no verdict that this would upset."""
DRAWS = 1000
FREEDOM = 3
"""Fewest degrees of freedom that noise is estimated from."""


@dataclass(frozen=True, slots=True, eq=False)
class Trajectory:
    """Ratings of one agent in Elo at training steps; `sigma` (Elo) beside each, where the run logs it.

    `saved` is the training step of a checkpoint; None for an agent that was there before.
    """

    steps: Floats
    ratings: Floats
    sigma: Floats | None = None
    saved: int | None = None


@dataclass(frozen=True, slots=True)
class Estimate:
    """A difference in Elo with its 95 % interval."""

    value: float
    low: float
    high: float

    @classmethod
    def of(cls, draws: Floats) -> Estimate:
        low, value, high = np.quantile(draws, [0.025, 0.5, 0.975])
        return cls(float(value), float(low), float(high))

    @property
    def interval(self) -> tuple[float, float]:
        return self.low, self.high

    def __str__(self) -> str:
        return f"{self.value:+.0f} Elo [{self.low:+.0f} … {self.high:+.0f}]"


@dataclass(frozen=True, slots=True)
class Noise:
    """How ratings wander: Elo (standard deviation) around the strength; the share of it gone an evaluation later."""

    wander: float
    pull: float

    def of_mean(self, evaluations: int) -> float:
        """Standard error (Elo) of the mean of so many consecutive ratings of an agent."""
        stays = max(1 - self.pull, 0.0)
        return self.wander * math.sqrt(min((1 + stays) / (1 - stays) / evaluations, 1.0))


@dataclass(frozen=True, slots=True, eq=False)
class Strengths:
    """What the trajectories say: draws from the posterior.

    Attributes:
        policy: (draws, checkpoints) Elo above the base model, checkpoints in the order they were saved.
        saved: the training step of each.
        bots_lost: (draws,) Elo that a bot lost against the base model over the run; what was gained on bots alone.
        noise: Elo (standard deviation) of one rating around the agent's strength, and its pull.
        evaluations: how many evaluations the estimate rests on.
        smoothed: whether the ratings have less noise than games leave, and the policy has that of usual games instead.
        rivals: (draws, rivals) Elo above the base model, of fixed agents that are compared with the policy.
    """

    policy: Floats
    saved: Floats
    bots_lost: Floats
    noise: Noise
    evaluations: int
    smoothed: bool = False
    rivals: Floats = field(default_factory=lambda: np.zeros((DRAWS, 0)))

    @property
    def recent(self) -> Floats:
        """(draws,) strength of the newest checkpoint over the version nearest to half of its training."""
        middle = int(np.argmin(np.abs(np.concatenate([[0.0], self.saved]) - self.saved[-1] / 2)))
        return self.path[:, -1] - self.path[:, middle]

    @property
    def fall(self) -> Floats:
        """(draws,) strength of the best version before the newest, base_model among them, over the newest."""
        path = self.path
        return path[:, int(np.argmax(path[:, :-1].mean(axis=0)))] - path[:, -1]

    @property
    def path(self) -> Floats:
        """(draws, 1 + checkpoints): the policy from the base model, which it was at first, to the newest checkpoint."""
        return np.column_stack([np.zeros(len(self.policy)), self.policy])

    @property
    def best(self) -> int:
        """The checkpoint that is probably the strongest: its mean is shrunk to its neighbours', so luck counts less."""
        return int(np.argmax(self.policy.mean(axis=0)))


def strengths(
    base: Trajectory,
    bots: Sequence[Trajectory],
    checkpoints: Sequence[Trajectory],
    rivals: Sequence[Trajectory] = (),
) -> Strengths:
    """Posterior of the strengths; checkpoints in the order they were saved.

    `rivals` are fixed agents as the bots are, of any strength, of which the policy makes no prey.

    A linear model with Gaussian priors at every pull and roughness of a grid; the grid is weighed by its marginal
    likelihood, so what is unknown of both widens the result. The marginal likelihood also undoes the bias that
    fixed effects have in short panels (Lancaster 2002).

    Raises:
        Inconclusive: too few ratings to tell noise from movement.
    """
    agents = [base, *bots, *rivals, *checkpoints]
    fixed = len(bots) + len(rivals)
    moves = _moves(agents)
    data = moves.less_the_pool(len(bots), len(agents) - 1)
    free = len(agents) - 1
    freedom = len(moves.agent) - len(np.unique(moves.at)) - data.design.shape[1] - 1
    if freedom < FREEDOM:
        raise Inconclusive(f"the {len(agents)} agents are rated too seldom to tell a gain from the noise of ratings")

    saved = np.array([one.saved or 0 for one in checkpoints], dtype=np.float64)
    priors = [_prior(len(bots), len(rivals), saved, roughness) for roughness in ROUGHNESS]
    noise = data.noise(freedom)
    posterior = data.posterior(priors, np.full(len(PULLS), noise))
    pull = posterior.mean(PULLS)
    # A move has at least the noise of the games played. Ratings without it are probably somebody's estimates already;
    # then how they move says nothing of how far they have to go, and the last ones are taken as they stand.
    smoothed = noise < (pull * ONE_GAME) ** 2 / MOST_GAMES
    if smoothed:
        data = _last(agents, moves).less_the_pool(len(bots), free)
        posterior = data.posterior(priors, (PULLS * AT_ITS_WORD) ** 2).mixed(posterior, SLOW)
    draws = posterior.draw(freedom)
    pull = min(pull, 1.0)
    return Strengths(
        policy=draws[:, fixed:free],
        saved=saved,
        bots_lost=draws[:, -1] if bots else np.zeros(len(draws)),
        noise=Noise(math.sqrt(noise / (pull * (2 - pull))), pull),
        evaluations=len(np.unique(moves.at)),
        smoothed=bool(smoothed),
        rivals=draws[:, len(bots) : fixed],
    )


@dataclass(frozen=True, slots=True, eq=False)
class _Moves:
    """From one rating of an agent to its next. All of one length.

    `agent`: index. `at`: evaluation it ends in. `level`, `change`: Elo. `progress`: of the run, 0 to 1.
    """

    agent: np.ndarray[tuple[int], np.dtype[np.intp]]
    at: np.ndarray[tuple[int], np.dtype[np.intp]]
    level: Floats
    change: Floats
    progress: Floats

    def less_the_pool(self, bots: int, count: int) -> _Data:
        """What is left of the agents (the base model, bots, `count` with all others) less their evaluation's mean."""
        design = np.zeros((len(self.agent), count + bool(bots)))
        rated = self.agent > 0
        design[np.flatnonzero(rated), self.agent[rated] - 1] = 1.0
        if bots:
            of_bots = rated & (self.agent <= bots)
            design[of_bots, -1] = -self.progress[of_bots]
        return _Data(*(self._within(values) for values in (design, self.change, self.level)))

    def _within(self, values: Floats) -> Floats:
        counts = np.bincount(self.at)
        sums = np.zeros((len(counts), *values.shape[1:]))
        np.add.at(sums, self.at, values)
        means = sums / np.maximum(counts, 1).reshape(-1, *(1 for _ in values.shape[1:]))
        return values - means[self.at]


def _moves(agents: Sequence[Trajectory]) -> _Moves:
    """The moves of all agents. One that did not play does not move: an unchanged rating is no evaluation."""
    evaluated = np.unique(np.concatenate([one.steps for one in agents]))
    found: list[tuple[Floats, ...]] = []
    for index, one in enumerate(agents):
        # Of several rows of a step the last counts.
        steps, last = np.unique(one.steps[::-1], return_index=True)
        order = len(one.steps) - 1 - last
        ratings = one.ratings[order]
        gain = np.ones(len(steps))
        if one.sigma is not None and bool((one.sigma > 0).any()):
            sigma = np.where(one.sigma[order] > 0, one.sigma[order], np.nan)  # 0 is a logger's default
            gain = sigma**2 / (sigma**2 + ONE_GAME**2)
        seen = np.isfinite(ratings) & np.isfinite(gain)
        steps, ratings, gain = steps[seen], ratings[seen], gain[seen]
        change = np.diff(ratings)
        keep = change != 0
        at = np.searchsorted(evaluated, steps[1:])[keep].astype(np.float64)
        who = np.full(len(at), float(index))
        found.append((who, at, ratings[:-1][keep], (change / gain[:-1])[keep], gain[:-1][keep]))
    agent, at, level, change, gain = (np.concatenate(parts) for parts in zip(*found, strict=True))
    if len(gain):
        change = change * float(np.median(gain))  # back to Elo for one evaluation of a settled agent
    where = at.astype(np.intp)
    progress = np.linspace(0, 1, len(evaluated))[where]
    return _Moves(agent.astype(np.intp), where, level, change, progress)


def _last(agents: Sequence[Trajectory], moves: _Moves) -> _Moves:
    """The last ratings of those agents that moved, as if they were one evaluation in which nobody moves."""
    moved = np.unique(moves.agent)
    ratings = np.array([agents[one].ratings[np.isfinite(agents[one].ratings)][-1] for one in moved])
    return _Moves(moved, np.zeros_like(moved), ratings, np.zeros(len(moved)), np.ones(len(moved)))


@dataclass(frozen=True, slots=True, eq=False)
class _Data:
    """Moves less the pool's: (moves, columns) who moved, and (moves,) by how much and from where."""

    design: Floats
    change: Floats
    level: Floats

    def noise(self, freedom: int) -> float:
        """Variance of a move that neither pull nor strength explains, Elo squared."""
        both = np.column_stack([self.level, self.design])
        fitted = np.linalg.lstsq(both, self.change, rcond=None)[0]
        rest = self.change - both @ fitted
        return max(float(rest @ rest) / freedom, ROUNDING**2)

    def posterior(self, priors: Sequence[Floats], noise: Floats) -> _Posterior:
        """At every pull, with its `noise`, and every roughness, with its prior."""
        design, change, level = self.design, self.change, self.level
        pulls, scale = PULLS[:, None], noise[:, None]
        informed = (pulls**2 / scale)[:, :, None] * (design.T @ design)
        towards = pulls * (design.T @ change + pulls * (design.T @ level)) / scale
        left = (change @ change + 2 * PULLS * (change @ level) + PULLS**2 * (level @ level)) / noise
        weights, means, roots = [], [], []
        for prior, belief in zip(priors, ROUGHNESS.values(), strict=True):
            root = np.linalg.cholesky(informed + np.linalg.inv(prior))
            half = np.linalg.solve(root, towards[:, :, None])
            means.append(np.linalg.solve(np.swapaxes(root, 1, 2), half)[:, :, 0])
            roots.append(root)
            doubt = np.log(np.diagonal(root, axis1=1, axis2=2)).sum(axis=1) + np.linalg.slogdet(prior)[1] / 2
            weights.append((half[:, :, 0] ** 2).sum(axis=1) / 2 - left / 2 - doubt + math.log(belief))
        log_weights = np.concatenate(weights)
        share = np.exp(log_weights - log_weights.max())
        return _Posterior(share / share.sum(), np.concatenate(means), np.concatenate(roots))


@dataclass(frozen=True, slots=True, eq=False)
class _Posterior:
    """A mixture of Gaussians, one for each roughness and, within that, each pull.

    `share`: (parts,). `means`: (parts, columns). `roots`: (parts, columns, columns), of the precisions.
    """

    share: Floats
    means: Floats
    roots: Floats

    def mean(self, of_pulls: Floats) -> float:
        """Of a figure that each pull has."""
        return float(self.share @ np.tile(of_pulls, len(ROUGHNESS)))

    def mixed(self, other: _Posterior, share: float) -> _Posterior:
        """This one, and `other` with the given share."""
        shares = np.concatenate([(1 - share) * self.share, share * other.share])
        return _Posterior(shares, np.concatenate([self.means, other.means]), np.concatenate([self.roots, other.roots]))

    def draw(self, freedom: int) -> Floats:
        """(draws, columns), with Student tails for noise that is itself estimated. The same every time."""
        random = np.random.default_rng(0)
        edges = np.round(np.concatenate([[0.0], np.cumsum(self.share)]) * DRAWS).astype(int)
        parts = []
        for one, count in enumerate(np.diff(edges)):
            if count:
                spread = np.sqrt(freedom / random.chisquare(freedom, count))
                normal = random.normal(size=(self.means.shape[1], count)) * spread
                parts.append((self.means[one][:, None] + np.linalg.solve(self.roots[one].T, normal)).T)
        return np.concatenate(parts)


def _prior(bots: int, rivals: int, saved: Floats, roughness: float) -> Floats:
    """Covariance of what is estimated: bots, rivals, checkpoints, and what the bots lose (where there are bots)."""
    fixed = bots + rivals
    count = fixed + len(saved)
    prior = np.zeros((count + bool(bots), count + bool(bots)))
    prior[range(fixed), range(fixed)] = BOT**2
    trained = (saved + 1) / (saved[-1] + 1) if len(saved) else saved
    low, high = np.minimum.outer(trained, trained), np.maximum.outer(trained, trained)
    policy = STEADY**2 * np.outer(trained, trained) + roughness**2 * low**2 * (3 * high - low) / 2
    prior[fixed:count, fixed:count] = policy + UNLIKE**2 * np.eye(len(saved))
    if bots:
        prior[-1, -1] = SHIFT**2
    return prior
