"""Elo ratings of a league: who is who, and how far each agent has come.

Agents that never change (the base model, scripted bots) are fixed references: when their rating falls, the model
learned. Win rate against a league that also learns says nothing.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from enum import StrEnum
from fnmatch import fnmatchcase
from functools import cached_property
from statistics import NormalDist

import numpy as np

from trainhealth.diagnosis import State, diagnose, expected_gain
from trainhealth.history import Floats
from trainhealth.measurement import Measurement, Trace
from trainhealth.series import Series, first_non_finite
from trainhealth.thresholds import AgentPatterns, Alias
from trainhealth.trajectory import Estimate, Noise, Strengths, Trajectory, strengths
from trainhealth.verdicts import Inconclusive

MIN_POINTS = 3
"""Fewest ratings of an agent that are called a trajectory."""

CONTRADICTED = 2.0
"""Standard errors that the newest checkpoint is rated below the base model by, against a strength above it."""

OUTVOTED = 3.0
"""Standard errors that a checkpoint to be promoted is rated below its strength by, which it owes to its neighbours."""

MOVED = 2
"""Fewest ratings of a checkpoint that say something of it, if others are rated more often."""

SETTLED = 3
"""Ratings whose median says where an agent began or stands: one lucky evaluation is no result."""

DECLINING = 20.0
SLIGHT = 5.0
"""Elo below its peak: more than 20 is declining, 5 to 20 slight, less is near the peak [published guide]."""


Z = NormalDist().inv_cdf(0.975)
"""Standard errors on either side of a 95 % interval."""


class Role(StrEnum):
    BASE = "base model"
    REFERENCE = "reference"
    CHECKPOINT = "checkpoint"


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """A checkpoint as it is rated, and the training step it was saved at."""

    name: str
    step: int

    @property
    def is_named(self) -> bool:
        """Whether more than its step is known."""
        return self.name != f"step {self.step}"

    @property
    def family(self) -> str:
        """What all checkpoints of one run are called but for their step."""
        return re.sub(rf"^(.*)(?<!\d)0*{self.step}(?!\d)", r"\1", self.name)


@dataclass(frozen=True, slots=True, eq=False)
class Agent:
    """One agent's trajectory.

    `checkpoint_step` is the training step a checkpoint was saved at; `sigma` the uncertainty logged beside the rating.
    """

    name: str
    role: Role
    series: Series
    checkpoint_step: int | None = None
    sigma: Series | None = None

    @property
    def initial(self) -> float:
        return float(self.series.values[0])

    @property
    def final(self) -> float:
        return float(self.series.values[-1])

    @property
    def peak(self) -> float:
        return float(np.max(self.series.values))

    @property
    def peak_step(self) -> float:
        """The step at which the peak was first reached."""
        return float(self.series.steps[int(np.argmax(self.series.values))])

    @property
    def change(self) -> float:
        return self.final - self.initial

    @property
    def moves(self) -> int:
        """How often a rating differs from the one before: one that stays as it was is no evaluation."""
        return int(np.count_nonzero(np.diff(self.series.values)))

    @property
    def _settled(self) -> int:
        """How many ratings a median is taken of; the first and the last ones never overlap."""
        return max(1, min(SETTLED, len(self.series) // 2))

    @property
    def standing(self) -> float:
        """Where the agent stands at the end: the median of its last ratings."""
        return _median(self.series.values[-self._settled :])

    @property
    def third(self) -> int:
        """How many ratings a third of the trajectory has."""
        return max(1, len(self.series) // 3)

    @property
    def shift(self) -> float:
        """How far the agent came: from the mean of the first third of its ratings to the mean of the last."""
        values = self.series.values
        with np.errstate(invalid="ignore"):  # NaN for infinite ratings, which pass nothing
            return float(values[-self.third :].mean() - values[: self.third].mean())

    @property
    def drop(self) -> float:
        """Elo that the agent stands below the highest median of as many consecutive ratings; never negative."""
        width = self._settled
        settled = np.median(np.lib.stride_tricks.sliding_window_view(self.series.values, width), axis=1)
        return float(np.max(settled)) - self.standing

    @property
    def doubt(self) -> float:
        """Median sigma (Elo) beside the first third of the ratings; 0 where none is logged."""
        logged = self.sigma.finite[: self.third] if self.sigma is not None else np.zeros(0)
        return _median(logged) if len(logged) else 0.0

    @property
    def trend(self) -> str:
        if self.drop > DECLINING:
            return "declining"
        return "slight decline" if self.drop >= SLIGHT else "near peak"

    @property
    def trajectory(self) -> Trajectory:
        """The ratings as the estimate of strengths takes them; a rating without its sigma is NaN there."""
        sigma = None
        if self.sigma is not None and len(self.sigma):
            beside = dict(zip(self.sigma.steps.tolist(), self.sigma.values.tolist(), strict=True))
            sigma = np.array([beside.get(step, np.nan) for step in self.series.steps.tolist()])
        return Trajectory(self.series.steps, self.series.values, sigma, self.checkpoint_step)

    def row(self) -> dict[str, object]:
        """One line of the Elo table."""
        return {
            "agent": self.name,
            "role": str(self.role),
            "initial": self.initial,
            "peak": self.peak,
            "peak step": self.peak_step,
            "final": self.final,
            "change": self.change,
            "from peak": self.trend,
        }


@dataclass(frozen=True, eq=False)
class Ratings:
    """All rated agents of a run: references apart, checkpoints in the order they were saved.

    `trained` is the training step up to which the run is judged; evaluations beyond it are of what it left behind.
    `others` are rated beside them, checkpoints of other runs or later ones: no criterion asks of them, but where one is
    the incumbent.
    """

    agents: tuple[Agent, ...]
    trained: float = math.inf
    others: tuple[Agent, ...] = ()

    def until(self, step: float) -> Ratings:
        """The ratings up to and including `step`; agents that were not yet rated are left out."""

        def cut(agents: Iterable[Agent]) -> tuple[Agent, ...]:
            found = (
                replace(agent, series=agent.series.until(step), sigma=agent.sigma and agent.sigma.until(step))
                for agent in agents
            )
            return tuple(agent for agent in found if len(agent.series))

        return replace(self, agents=cut(self.agents), others=cut(self.others))

    @cached_property
    def in_training(self) -> Ratings:
        """The ratings while the run trained: later ones of agents that never change tell of what trained on."""
        return self.until(self.trained)

    def base(self) -> Agent:
        """The base model, whose rating may be held fixed as long as that of a bot moves.

        Raises:
            Inconclusive: it is rated too seldom, or no longer when the run ended, or no fixed agent ever moved.
        """
        base = self._rated(self._of(Role.BASE), "the base model")[0]
        base.series.require_fresh()
        if not any(one.moves for one in (base, *self._of(Role.REFERENCE))):
            raise Inconclusive(
                f"no agent that never changes was ever rated anew: {base.series.key} is {base.initial:g} at all "
                f"{len(base.series)} points, the logger's default, and no bot moves"
            )
        return base

    def references(self) -> list[Agent]:
        """The scripted bots, without the base model. Raises Inconclusive as for `base`, and for every one of them."""
        bots = self._of(Role.REFERENCE)
        rated = self._rated(bots, "any baseline bot")
        if len(rated) < len(bots):
            self._rated([bot for bot in bots if bot not in rated], "one of the baseline bots")
        for bot in rated:
            bot.series.require_fresh()
        return rated

    def checkpoints(self) -> list[Agent]:
        """Checkpoints, oldest first. Raises Inconclusive where none is rated often enough, or the newest no longer."""
        saved = self._of(Role.CHECKPOINT)
        self._rated(saved, "any checkpoint")
        rated = [agent for agent in saved if len(agent.series) >= MOVED]
        rated[-1].series.require_fresh()
        return rated

    @cached_property
    def strengths(self) -> Strengths:
        """How strong the checkpoints truly are. Raises Inconclusive where the ratings are too few to say."""
        return self._strengths()

    def _strengths(self, rival: Agent | None = None) -> Strengths:
        """With that of `rival`, one of the bots or others, beside them."""
        bots = [bot for bot in self._of(Role.REFERENCE) if len(bot.series) >= MIN_POINTS and bot is not rival]
        base, checkpoints = self.base().trajectory, [agent.trajectory for agent in self.checkpoints()]
        rivals = [rival.trajectory] if rival is not None else []
        return strengths(base, [bot.trajectory for bot in bots], checkpoints, rivals)

    @cached_property
    def noise(self) -> Noise:
        """How ratings wander, of all agents together."""
        try:
            return self.strengths.noise
        except Inconclusive:  # no base model, or no checkpoint: the others still wander
            often = [agent.trajectory for agent in self.agents if len(agent.series) >= MIN_POINTS]
            return strengths(often[0], often[1:], []).noise

    def diagnosis(self) -> Measurement:
        """Is it learning? A word, with what it rests on in the table.

        Raises:
            Inconclusive: that is not decided, or any rating is not finite.
        """
        for agent in self.agents:
            lost = len(agent.series) - len(agent.series.finite)
            if lost:
                raise Inconclusive(
                    f"{lost} of {len(agent.series)} ratings of {agent.name} are NaN or infinite "
                    f"({first_non_finite(agent.series)})"
                )
        trained = self.in_training
        fixed = [trained.base(), *(trained.references() if self._of(Role.REFERENCE) else [])]
        found = diagnose(self.strengths, self._drift(fixed))
        self._require_agreement(found.gain, self.base())
        return Measurement(
            str(found.state),
            vocabulary=tuple(State),
            points=sum(len(agent.series) for agent in self.agents),
            window="whole run",
            keys=tuple(agent.series.key for agent in self.agents if len(agent.series)),
            detail=" ".join(filter(None, (f"{found}; newest: {self._newest()}.", found.action))),
            table=found.table,
        )

    def _require_agreement(self, gain: Estimate, over: Agent) -> None:
        """A newest checkpoint with few ratings takes its strength from its neighbours; its own may not say otherwise.

        Raises:
            Inconclusive: they do, of its `gain` over another agent.
        """
        newest = self.checkpoints()[-1]
        last = min(SETTLED, len(newest.series), len(over.series))
        rated, against = (float(agent.series.values[-last:].mean()) for agent in (newest, over))
        if gain.low > 0 and rated + CONTRADICTED * math.sqrt(2) * self.noise.of_mean(last) < against:
            called = "the base model" if over.role is Role.BASE else over.name
            raise Inconclusive(
                f"{newest.name} is rated {rated:.0f}, {called} {against:.0f}: against the checkpoints before, "
                f"by which it should be {gain} above; more evaluations of it decide"
            )

    def _newest(self) -> str:
        """The checkpoint that counts as the newest, and those that are too new to count."""
        newest = self.checkpoints()[-1].name
        later = [agent.name for agent in self._of(Role.CHECKPOINT) if len(agent.series) < MOVED]
        return f"{newest} ({', '.join(later)} rated only once)" if later else newest

    def _drift(self, fixed: list[Agent]) -> Estimate:
        """How far agents that never change moved together. What a sigma says of their first ratings widens it."""
        shift, error = float(np.mean([agent.shift for agent in fixed])), self._error(fixed) / len(fixed)
        return Estimate(shift, shift - Z * error, shift + Z * error)

    def _error(self, agents: Iterable[Agent]) -> float:
        """Standard error (Elo) of the sum of how far `agents` came; where they started, their sigma says too."""
        return float(np.sqrt(sum(2 * self.noise.of_mean(agent.third) ** 2 + agent.doubt**2 for agent in agents)))

    def gap(self) -> Measurement:
        """Strength of the probably best checkpoint above the base model's, with the full Elo analysis."""
        found, checkpoints = self.strengths, self.checkpoints()
        lead = Estimate.of(found.policy[:, found.best])
        taken = "; less noise than games leave: smoothed ratings?" if found.smoothed else ""
        detail = f"best checkpoint: {checkpoints[found.best].name}{taken}; {self.signal()}"
        return replace(self.estimated(lead, [self.base(), *checkpoints], detail), table=self.table())

    def gain(self) -> Measurement:
        """Strength of the newest checkpoint above the base model's; its reference is the least usual for its steps."""
        found = self.strengths
        least, most = expected_gain(float(found.saved[-1]))
        detail = f"{least:.0f} to {most:.0f} Elo are usual by step {found.saved[-1]:.0f}"
        gain = Estimate.of(found.policy[:, -1])
        self._require_agreement(gain, self.base())
        measured = self.estimated(gain, [self.base(), *self.checkpoints()], detail)
        return replace(measured, reference=least, reference_name="the least that is usual for as many steps")

    def rating_above_base(self) -> Measurement:
        """Rating of the newest checkpoint above the base model's, the mean over its evaluations.

        Its strength leans on that of the checkpoints before; what is promoted has to be above by itself as well. Above
        0 that need not be sure, as its ratings are few: that the strength is says `diagnosis`.

        Raises:
            Inconclusive: it is rated anew too seldom.
        """
        newest, base, found = self.checkpoints()[-1], self.base(), self.strengths
        if newest.moves + 1 < MIN_POINTS:
            raise Inconclusive(
                f"{newest.name} has {newest.moves + 1} rating(s) that differ, {MIN_POINTS} are needed: one that stays "
                "as it was is no evaluation"
            )
        before = np.searchsorted(base.series.steps, newest.series.steps, side="right") - 1
        with np.errstate(invalid="ignore"):  # NaN for infinite ratings, which pass nothing
            above = float((newest.series.values - base.series.values[np.maximum(before, 0)]).mean())
        error = math.sqrt(2) * self.noise.of_mean(newest.moves + 1)
        strength = Estimate.of(found.policy[:, -1])
        said = f"by the checkpoints around it {newest.name} is {strength} above the base model"
        measured = self.estimated(Estimate(above, above - Z * error, above + Z * error), [base, newest], said)
        if above <= 0:
            return measured
        outvoted = above + OUTVOTED * error < strength.value
        doubt = f"{said}, which the noise of its own {len(newest.series)} ratings does not explain" if outvoted else ""
        return replace(measured, interval=None, doubt=doubt)

    def lead(self, incumbent: str) -> Measurement:
        """Strength of the newest checkpoint above that of `incumbent`, an agent that is rated.

        One of the run's own checkpoints has the strength that the policy had; any other never changes, as a reference.

        Raises:
            Inconclusive: it is the newest checkpoint itself, rated too seldom, or no longer when the run ended.
        """
        checkpoints = self.checkpoints()
        newest, over = checkpoints[-1], self._agent(incumbent)
        if over.name == newest.name:
            raise Inconclusive(
                f"{newest.name} is the incumbent itself; what is to replace it is named with --checkpoint, "
                "or has to be rated more often"
            )
        families = {Checkpoint(one.name, one.checkpoint_step or 0).family for one in checkpoints}
        if len(families) > 1:
            listed = ", ".join(one.name for one in checkpoints[-8:])
            raise Inconclusive(
                f"checkpoints of {len(families)} runs are rated, and none is called after this one: name the one that "
                f"is to replace the incumbent with --checkpoint; the newest are {listed}"
            )
        if len(over.series) < MIN_POINTS:
            raise Inconclusive(f"{over.name} is rated {len(over.series)} time(s), {MIN_POINTS} are needed")
        own = [one.name for one in checkpoints]
        if over.name in own:
            policy = self.strengths.policy
            draws = policy[:, -1] - policy[:, own.index(over.name)]
        elif over.role is Role.BASE:
            draws = self.strengths.policy[:, -1]
        else:
            over.series.require_fresh()
            found = self._strengths(over)
            draws = found.policy[:, -1] - found.rivals[:, 0]
        gain = Estimate.of(draws)
        self._require_agreement(gain, over)
        shown = {one.name: one for one in (self.base(), over, *checkpoints)}
        detail = f"{newest.name} over {over.name}"
        return replace(self.estimated(gain, shown.values(), detail), table=(newest.row(), over.row()))

    def _agent(self, name: str) -> Agent:
        """Raises Inconclusive where it is not rated, or not yet."""
        found = next((one for one in (*self.agents, *self.others) if one.name == name), None)
        if found is None:
            last = max((float(one.series.steps[-1]) for one in self.agents if len(one.series)), default=math.nan)
            raise Inconclusive(f"{name} is not rated up to step {last:.15g}, where what is judged here ends")
        return found

    def newer_over_older(self) -> Estimate:
        """Strength of the newer half of the checkpoints over the older half's.

        Raises:
            Inconclusive: fewer than 2 checkpoints.
        """
        checkpoints, policy = self.checkpoints(), self.strengths.policy
        if len(checkpoints) < 2:
            raise Inconclusive(f"only one checkpoint is rated ({checkpoints[0].name}): there is no older one")
        half = len(checkpoints) // 2
        return Estimate.of(policy[:, -half:].mean(axis=1) - policy[:, :half].mean(axis=1))

    def recent(self) -> Estimate:
        """Strength of the newest checkpoint over the version half-way through its training."""
        return Estimate.of(self.strengths.recent)

    def fall(self) -> Estimate:
        """Strength of the best version before the newest checkpoint over that; negative where the newest is best."""
        return Estimate.of(self.strengths.fall)

    def estimated(self, found: Estimate, agents: Iterable[Agent], detail: str = "") -> Measurement:
        """`found` (Elo) with its interval, and `agents` as its evidence; NaN in any of them rules out a pass."""
        shown = list(agents)
        newest = shown[-1].series
        return Measurement(
            found.value,
            unit="Elo",
            interval=found.interval,
            points=sum(len(agent.series) for agent in shown),
            window="whole run",
            keys=tuple(agent.series.key for agent in shown),
            trace=Trace(newest.steps, newest.values, newest.axis),
            non_finite=sum(len(agent.series) - len(agent.series.finite) for agent in shown),
            where=first_non_finite(*(agent.series for agent in shown)),
            detail=detail,
        )

    def shifted(self, value: float, agents: Iterable[Agent], detail: str = "", *, of: int = 1) -> Measurement:
        """`value`, summed up from how far each of `agents` came, with them as its evidence.

        Its interval has the noise of both thirds of each; `of` candidates whose largest it is widen it.
        """
        shown = list(agents)
        worst = max(shown, key=lambda agent: agent.shift)
        margin = NormalDist().inv_cdf(1 - 0.025 / of) * self._error([worst] if of > 1 else shown)
        return replace(
            self.estimated(Estimate(value, value - margin, value + margin), shown, detail),
            trace=Trace(worst.series.steps, worst.series.values, worst.series.axis),
            table=tuple(agent.row() for agent in shown),
        )

    def table(self) -> tuple[dict[str, object], ...]:
        """The full Elo analysis: references, then checkpoints by step; with strengths where they can be estimated."""
        rows = [agent.row() for agent in self.agents if len(agent.series)]
        found = self.strengths
        for agent, draws in zip(self.checkpoints(), found.policy.T, strict=True):
            row = next(row for row in rows if row["agent"] == agent.name)
            row["above base"] = str(Estimate.of(draws))
        return tuple(rows)

    def signal(self) -> str:
        """What the published script prints: best checkpoint, improvement, exploitation, and its learning signal."""
        base, checkpoints = self.base(), self._of(Role.CHECKPOINT)
        best = max(checkpoints, key=lambda agent: agent.peak)
        lost = sum(min(agent.change, 0.0) for agent in (base, *self._of(Role.REFERENCE)))
        declining = sum(agent.peak - agent.final >= DECLINING for agent in checkpoints)
        word = "positive" if declining > len(checkpoints) / 2 else "moderate" if declining else "weak"
        return (
            f"highest rating: {best.name} at {best.peak:.0f}, {best.peak - base.initial:+.0f} over base_model's first; "
            f"base model and bots lost {-lost:z.0f} Elo together; learning signal of the published script: {word} "
            f"({declining} of {len(checkpoints)} checkpoints declining)"
        )

    def _of(self, role: Role) -> list[Agent]:
        return [agent for agent in self.agents if agent.role is role]

    def _rated(self, agents: list[Agent], what: str) -> list[Agent]:
        often = [agent for agent in agents if len(agent.series) >= MIN_POINTS]
        if not often:
            seen = ", ".join(f"{agent.name} ({len(agent.series)})" for agent in self.agents[:8]) or "none"
            raise Inconclusive(f"{what} is not rated {MIN_POINTS} times or more; agents and their ratings: {seen}")
        return often


def _median(values: Floats) -> float:
    return float(np.median(values))


def agent_name(key: str, patterns: AgentPatterns) -> str | None:
    """The agent that metric `key` rates, or None: ``elo/win_rate`` and its like rate nobody."""
    return next((name for name, _ in _names(key, patterns.rating) if role_of(name, patterns)), None)


def sigma_of(key: str, patterns: AgentPatterns) -> tuple[str, float] | None:
    """(the agent, Elo per unit) where metric `key` is the uncertainty of an agent's rating."""
    found = _names(key, patterns.sigma)
    return next(((name, alias.scale) for name, alias in found if role_of(name, patterns)), None)


def _names(key: str, aliases: Iterable[Alias]) -> Iterator[tuple[str, Alias]]:
    """What stands in the place of ``{agent}`` in `key`."""
    for alias in aliases:
        before, _, after = alias.key.partition("{agent}")
        if match := re.fullmatch(f"{re.escape(before)}([^/]+){re.escape(after)}", key):
            yield match[1], alias


def stranger(key: str, patterns: AgentPatterns) -> str | None:
    """The name in the place of an agent in `key`, if it is neither a known agent nor known to be none."""
    names = [name for name, _ in _names(key, patterns.rating)]
    if any(role_of(name, patterns) or _is_no_agent(name, patterns) for name in names):
        return None
    return next(iter(names), None)


def _is_no_agent(name: str, patterns: AgentPatterns) -> bool:
    return any(fnmatchcase(name, pattern) for pattern in patterns.not_agents)


def role_of(name: str, patterns: AgentPatterns) -> tuple[Role, int | None] | None:
    """(role, step a checkpoint was saved at) of an agent name, or None for a name that is no known agent."""
    if _is_no_agent(name, patterns):
        return None
    if name == patterns.base:
        return Role.BASE, None
    if any(fnmatchcase(name, pattern) for pattern in patterns.references):
        return Role.REFERENCE, None
    for pattern in patterns.checkpoints:
        before, _, after = pattern.partition("{step}")
        glob = [".*".join(map(re.escape, part.split("*"))) for part in (before, after)]
        if match := re.fullmatch(rf"{glob[0]}(\d+){glob[1]}", name):
            return Role.CHECKPOINT, int(match[1])
    return None


def agent_called(name: str) -> str:
    """An agent's name as metrics have it: ``run/adapter_v50`` is ``run_adapter_v50``."""
    return name.strip().replace("/", "_")


def meant(name: str, agents: Iterable[str]) -> list[str]:
    """The `agents` that `name` stands for: the one that is called so, else those whose name ends so."""
    called, known = agent_called(name), list(dict.fromkeys(agents))
    return [one for one in known if one == called] or [one for one in known if called and one.endswith(f"_{called}")]


def ratings(
    series: Mapping[str, Series],
    patterns: AgentPatterns,
    sigmas: Mapping[str, Series],
    run_names: Iterable[str] = (),
) -> Ratings:
    """Sort rating `series` (agent name -> trajectory) into roles; checkpoints by the step in their name.

    `sigmas` (Elo) stand beside those ratings that have them. Where checkpoints are called after the run, the rest are
    those of other runs; so are those of run_v2 for a run that is called run.
    """
    agents = []
    for name, one in series.items():
        known = role_of(name, patterns)
        if known is not None:
            agents.append(Agent(name, known[0], one, known[1], sigmas.get(name)))
    order = {Role.BASE: 0, Role.REFERENCE: 1, Role.CHECKPOINT: 2}
    agents.sort(key=lambda a: (order[a.role], a.checkpoint_step if a.checkpoint_step is not None else -1, a.name))
    called = tuple(f"{agent_called(name)}_" for name in run_names if name)
    families = {
        one.name: Checkpoint(one.name, one.checkpoint_step).family for one in agents if one.checkpoint_step is not None
    }
    own = min((family for name, family in families.items() if name.startswith(called)), key=len, default=None)
    foreign = {name for name, family in families.items() if own is not None and family != own}
    return Ratings(
        tuple(one for one in agents if one.name not in foreign),
        others=tuple(one for one in agents if one.name in foreign),
    )
