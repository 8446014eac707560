"""Elo ratings of a league: who is who, and how far each agent has come.

Agents that never change (the base model, scripted bots) are fixed references: when their rating falls, the model
learned. Win rate against a league that also learns says nothing.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from enum import StrEnum
from fnmatch import fnmatchcase

import numpy as np

from trainhealth.history import Floats
from trainhealth.measurement import Measurement, Trace
from trainhealth.series import Series
from trainhealth.thresholds import AgentPatterns
from trainhealth.verdicts import Inconclusive

MIN_POINTS = 3
"""Fewest ratings of an agent that are called a trajectory."""

SETTLED = 3
"""Ratings whose median says where an agent began or stands: one lucky evaluation is no result."""

DECLINING = 20.0
SLIGHT = 5.0
"""Elo below its peak: more than 20 is declining, 5 to 20 slight, less is near the peak [published guide]."""


class Role(StrEnum):
    BASE = "base model"
    REFERENCE = "reference"
    CHECKPOINT = "checkpoint"


@dataclass(frozen=True, slots=True, eq=False)
class Agent:
    """One agent's trajectory; `checkpoint_step` is the training step a checkpoint was saved at."""

    name: str
    role: Role
    series: Series
    checkpoint_step: int | None = None

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
    def _settled(self) -> int:
        """How many ratings a median is taken of; the first and the last ones never overlap."""
        return max(1, min(SETTLED, len(self.series) // 2))

    @property
    def standing(self) -> float:
        """Where the agent stands at the end: the median of its last ratings."""
        return _median(self.series.values[-self._settled :])

    @property
    def shift(self) -> float:
        """How far the agent came: from the median of its first ratings to the median of its last."""
        return self.standing - _median(self.series.values[: self._settled])

    @property
    def drop(self) -> float:
        """Elo that the agent stands below the highest median of as many consecutive ratings; never negative."""
        width = self._settled
        settled = np.median(np.lib.stride_tricks.sliding_window_view(self.series.values, width), axis=1)
        return float(np.max(settled)) - self.standing

    @property
    def trend(self) -> str:
        if self.drop > DECLINING:
            return "declining"
        return "slight decline" if self.drop >= SLIGHT else "near peak"

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


@dataclass(frozen=True, slots=True, eq=False)
class Ratings:
    """All rated agents of a run: references apart, checkpoints in the order they were saved."""

    agents: tuple[Agent, ...]

    def until(self, step: float) -> Ratings:
        """The ratings up to and including `step`; agents that were not yet rated are left out."""
        cut = (replace(agent, series=agent.series.until(step)) for agent in self.agents)
        return Ratings(tuple(agent for agent in cut if len(agent.series)))

    def base(self) -> Agent:
        """The base model. Raises Inconclusive where it is rated too seldom, or no longer when the run ended."""
        base = self._rated([a for a in self.agents if a.role is Role.BASE], "the base model")[0]
        base.series.require_fresh()
        return base

    def references(self) -> list[Agent]:
        """The scripted bots, without the base model. Raises Inconclusive as for `base`, and for every one of them."""
        bots = [a for a in self.agents if a.role is Role.REFERENCE]
        rated = self._rated(bots, "any baseline bot")
        if len(rated) < len(bots):
            self._rated([bot for bot in bots if bot not in rated], "one of the baseline bots")
        for bot in rated:
            bot.series.require_fresh()
        return rated

    def checkpoints(self) -> list[Agent]:
        """Checkpoints, oldest first. Raises Inconclusive where none is rated often enough, or the newest no longer."""
        rated = self._rated([a for a in self.agents if a.role is Role.CHECKPOINT], "any checkpoint")
        rated[-1].series.require_fresh()
        return rated

    def older_checkpoints(self) -> list[Agent]:
        """The older half of the checkpoints, never the newest. Raises Inconclusive for fewer than 2 checkpoints."""
        checkpoints = self.checkpoints()
        if len(checkpoints) < 2:
            raise Inconclusive(f"only one checkpoint is rated ({checkpoints[0].name}): there is no older one")
        return checkpoints[: len(checkpoints) // 2]

    def newest_checkpoint(self) -> Agent:
        return self.checkpoints()[-1]

    def gap(self) -> Series:
        """Rating of the best checkpoint above the base model, at each step that rates the base model.

        An agent counts with its latest rating at that step; steps before the first checkpoint are left out.
        """
        base, checkpoints = self.base(), self.checkpoints()
        steps = base.series.steps
        best = np.full(len(steps), -np.inf)
        for agent in checkpoints:
            best = np.maximum(best, _latest(agent.series, steps))
        known = ~np.isneginf(best)
        if known.sum() < MIN_POINTS:
            raise Inconclusive("base_model and a checkpoint are rated together at fewer than 3 steps")
        return Series(
            "elo_gap",
            f"best checkpoint - {base.name}",
            steps[known],
            (best - base.series.values)[known],
            base.series.first_step,
            base.series.last_step,
            base.series.stride,
            base.series.axis,
            "Elo",
        )

    def measurement(self, value: float, agents: Iterable[Agent], detail: str = "") -> Measurement:
        """`value` (Elo) with `agents` as its evidence; NaN in any of their ratings rules out a pass."""
        shown = list(agents)
        worst = max(shown, key=lambda agent: agent.shift)
        return Measurement(
            value,
            unit="Elo",
            points=sum(len(agent.series) for agent in shown),
            window="whole run",
            keys=tuple(agent.series.key for agent in shown),
            trace=Trace(worst.series.steps, worst.series.values, worst.series.axis),
            non_finite=sum(len(agent.series) - len(agent.series.finite) for agent in shown),
            detail=detail,
            table=tuple(agent.row() for agent in shown),
        )

    def _rated(self, agents: list[Agent], what: str) -> list[Agent]:
        often = [agent for agent in agents if len(agent.series) >= MIN_POINTS]
        if not often:
            seen = ", ".join(f"{agent.name} ({len(agent.series)})" for agent in self.agents[:8]) or "none"
            raise Inconclusive(f"{what} is not rated {MIN_POINTS} times or more; agents and their ratings: {seen}")
        return often


def _median(values: Floats) -> float:
    return float(np.median(values))


def _latest(series: Series, at: Floats) -> Floats:
    """The latest value of `series` at or before each step of `at`; NaN for one not finite, -inf before the first."""
    order = np.argsort(series.steps, kind="stable")
    values = np.where(np.isfinite(series.values), series.values, np.nan)[order]
    index = np.searchsorted(series.steps[order], at, side="right") - 1
    return np.where(index >= 0, values[np.maximum(index, 0)], -np.inf)


def agent_name(key: str, patterns: AgentPatterns) -> str | None:
    """The agent that metric `key` rates, or None: ``elo/win_rate`` and its like rate nobody."""
    return next((name for name in _rated_names(key, patterns) if role_of(name, patterns)), None)


def _rated_names(key: str, patterns: AgentPatterns) -> Iterator[str]:
    """What stands in the place of ``{agent}`` in `key`."""
    for alias in patterns.rating:
        before, _, after = alias.key.partition("{agent}")
        if match := re.fullmatch(f"{re.escape(before)}([^/]+){re.escape(after)}", key):
            yield match[1]


def stranger(key: str, patterns: AgentPatterns) -> str | None:
    """The name in the place of an agent in `key`, if it is neither a known agent nor known to be none."""
    names = list(_rated_names(key, patterns))
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


def ratings(series: Mapping[str, Series], patterns: AgentPatterns) -> Ratings:
    """Sort rating `series` (agent name -> trajectory) into roles; checkpoints by the step in their name."""
    agents = []
    for name, one in series.items():
        known = role_of(name, patterns)
        if known is not None:
            agents.append(Agent(name, known[0], one, known[1]))
    order = {Role.BASE: 0, Role.REFERENCE: 1, Role.CHECKPOINT: 2}
    agents.sort(key=lambda a: (order[a.role], a.checkpoint_step if a.checkpoint_step is not None else -1, a.name))
    return Ratings(tuple(agents))
