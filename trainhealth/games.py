"""Games between agents, and what they say of a run's newest checkpoint.

Ratings that a league logs carry no uncertainty, and drift with the pool. Games carry their own: who met whom, and who
scored more. Only the order of the scores in a game counts, and games that began as one are one piece of evidence.
"""

from __future__ import annotations

import difflib
import math
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from statistics import NormalDist
from typing import Any

import numpy as np

from trainhealth.measurement import Measurement
from trainhealth.plackett_luce import ELO, Fit, Places, fit
from trainhealth.ratings import Checkpoint, Role, agent_called, role_of
from trainhealth.sprt import GATE, Decision, Design, sprt
from trainhealth.thresholds import AgentPatterns
from trainhealth.verdicts import Inconclusive, NotApplicable

MIN_GAMES = 20
"""Fewest independent games of an agent, or of a pair, that are judged: with fewer no interval is to be trusted."""

MAX_UNUSABLE = 0.05
"""Largest share of games that cannot be used; beyond it the rest may not speak for all."""

SIDE = 0.025
"""Chance of error at either end of a 95 % interval."""

HALF = 0.5
"""Of a win and of a loss that are added to every score against a reference (Anscombe, Biometrika 1956), so that one of
0 or 1 is worth a finite rating with a wide interval."""


@dataclass(frozen=True, slots=True)
class Seat:
    """One place at the board: who held it, and what it scored; more is better."""

    agent: str
    score: float


@dataclass(frozen=True, slots=True)
class Game:
    """A finished game of 2 to 7 seats, with finite scores; an agent may hold several.

    ``group`` names the games that began as one: they depend on each other.
    """

    id: str
    group: str
    seats: tuple[Seat, ...]

    @property
    def places(self) -> Places:
        """Agents by their score, the best first; equal scores share a place."""
        scores = sorted({seat.score for seat in self.seats}, reverse=True)
        return tuple(tuple(seat.agent for seat in self.seats if seat.score == score) for score in scores)

    def score(self, agent: str, other: str) -> float | None:
        """Points per meeting of `agent`'s seats with `other`'s: 1 above, 0.5 level, 0 below; None if they did not meet.

        By the model of the ratings its mean is the expected score of Elo, however many seats each of them holds.
        """
        own, theirs = ([seat.score for seat in self.seats if seat.agent == name] for name in (agent, other))
        if not own or not theirs:
            return None
        return sum((a > b) + (a == b) / 2 for a in own for b in theirs) / (len(own) * len(theirs))


@dataclass(frozen=True, slots=True)
class Flaws:
    """What a source holds beside the games that are rated.

    Attributes:
        problems: why games cannot be rated -> how many.
        non_finite: games with NaN, infinite or null scores.
        duplicates: games that were told again.
        others: events on games of other runs; `other` is one of them.
        outside: events that name no run, from outside the run's lifetime.
        undated: events that name no run and have no time.
        assumed: such events that are taken all the same.
    """

    problems: Mapping[str, int]
    non_finite: int = 0
    duplicates: int = 0
    others: int = 0
    other: str = ""
    outside: int = 0
    undated: int = 0
    assumed: int = 0

    @property
    def unusable(self) -> int:
        return sum(self.problems.values())

    def __str__(self) -> str:
        """In short, for the end of a message; nothing where there is nothing to say."""
        games = {
            **{f"with {problem}": number for problem, number in self.problems.items()},
            "with NaN, infinite or null scores": self.non_finite,
            "told again": self.duplicates,
        }
        events = {
            f"of other runs (e.g. '{self.other}')": self.others,
            "from outside the run's lifetime": self.outside,
            "with neither a run's name nor a time": self.undated,
        }
        taken = f"{self.assumed:,} events without a run's name or a time were taken for this run's"
        said = [
            f"{what} left out: {', '.join(listed)}"
            for what, found in (("games", games), ("events on games", events))
            if (listed := [f"{number:,} {kind}" for kind, number in found.items() if number])
        ]
        return "; ".join([*said, taken] if self.assumed else said)


@dataclass(frozen=True, eq=False)
class Games:
    """All games of a run, in the order played.

    Attributes:
        source: where they come from, for people.
        patterns: who is who.
        run_names: what the run is called.
        incumbent: the agent that the newest checkpoint is to replace; empty where none was named.
        checkpoint: the one that counts as the newest, where one was named; those after it are left out.
    """

    source: str
    games: tuple[Game, ...]
    patterns: AgentPatterns
    flaws: Flaws
    run_names: tuple[str, ...] = ()
    incumbent: str = ""
    checkpoint: Checkpoint | None = None

    @cached_property
    def played(self) -> Counter[str]:
        """Agent -> independent games that it took part in."""
        groups = {(seat.agent, game.group) for game in self.games for seat in game.seats}
        return Counter(agent for agent, _ in groups)

    @cached_property
    def candidate(self) -> str:
        """The newest checkpoint of the run, or the one that was named.

        Raises Inconclusive where there is none, or two runs' cannot be told.
        """
        checkpoints, named = self._checkpoints, self.checkpoint
        if named is not None and named.name in checkpoints:
            return named.name
        if named is not None:
            checkpoints = {name: step for name, step in checkpoints.items() if step == named.step}
        if named is not None and (named.is_named or not checkpoints):
            raise Inconclusive(f"{named.name} is in no game; {self._agents}")
        if not checkpoints:
            raise Inconclusive(f"no checkpoint is in the games of {self.source}; {self._agents}")
        families = {name.removesuffix(str(step)) for name, step in checkpoints.items()}
        if len(families) > 1:
            raise Inconclusive(
                f"checkpoints of several runs are in the games, and none is called after this one: "
                f"{', '.join(sorted(checkpoints)[:8])}"
            )
        return max(checkpoints, key=lambda name: checkpoints[name])

    @cached_property
    def named_incumbent(self) -> str:
        """Raises NotApplicable where none was named, Inconclusive where it is in no game."""
        if not self.incumbent:
            raise NotApplicable("no incumbent was named (--incumbent AGENT)")
        if self.incumbent not in self.played:
            near = difflib.get_close_matches(self.incumbent, self.played, n=1)
            hint = f"; did you mean '{near[0]}'?" if near else ""
            raise Inconclusive(f"the incumbent {self.incumbent} is in no game{hint}; {self._agents}")
        return self.incumbent

    @cached_property
    def predecessor(self) -> str:
        """The incumbent if one was named, else the checkpoint before the newest."""
        if self.incumbent:
            return self.named_incumbent
        older = {name: step for name, step in self._checkpoints.items() if name != self.candidate}
        if not older:
            raise NotApplicable(
                f"{self.candidate} is the only checkpoint in the games, and no incumbent was named (--incumbent AGENT)"
            )
        return max(older, key=lambda name: older[name])

    @cached_property
    def ratings(self) -> Fit:
        """Ratings of all agents that can be compared with the base model; see plackett_luce.

        Raises:
            Inconclusive: there are none.
        """
        base = self.patterns.base
        if base is None or base not in self.played:
            raise Inconclusive(f"{base or 'a base model'}, to rate against, is in no game; {self._agents}")
        try:
            return fit([game.places for game in self.games], base, [game.group for game in self.games])
        except ValueError as error:
            raise Inconclusive(str(error)) from None

    def gap(self) -> Measurement:
        """Rating of the newest checkpoint above the base model's, in Elo."""
        self._require_sound()
        candidate, base = self.candidate, str(self.patterns.base)
        self._require_played(candidate)
        ratings = self.ratings
        if candidate in ratings.outside:
            raise Inconclusive(f"{candidate} has no finite rating: it {ratings.outside[candidate]}")
        self._require_played(base)
        error = ratings.error(candidate, base)
        value = ratings.rating(candidate) - ratings.rating(base)
        without = [f"{name} {why}" for name, why in ratings.outside.items()]
        return self._measured(
            value,
            ratings.groups,
            (candidate, base),
            interval=_around(value, error),
            detail=f"without a rating: {'; '.join(without[:4])}" if without else "",
            table=tuple(self._row(name, ratings) for name in sorted(ratings.players, key=ratings.rating, reverse=True)),
        )

    def against_incumbent(self, design: Design = GATE) -> Measurement:
        """Whether the newest checkpoint is better than the incumbent: ``better`` or ``not_better``.

        Raises:
            Inconclusive: not decided yet.
        """
        incumbent = self.named_incumbent
        self._require_sound()
        candidate = self.candidate
        scores = self.head_to_head(candidate, incumbent)
        if not scores:
            raise Inconclusive(f"{candidate} and {incumbent} met in none of the {len(self.games):,} games")
        outcome = sprt(np.array(list(scores.values())), design)
        lead, (low, high) = _lead(scores)
        detail = (
            f"{candidate} takes {_mean(scores) * 100:.1f} % of the points from {incumbent} in {len(scores):,} games, "
            f"{lead:+.0f} Elo [{low:+.0f} … {high:+.0f}]; {design}: log-likelihood ratio {outcome.ratio:+.2f} "
            f"after {outcome.games:,} games, decided below {design.lower:.2f} or above {design.upper:+.2f}"
        )
        if outcome.decision is Decision.UNDECIDED:
            more = (
                f"undecided after {outcome.games:,} games, about {math.ceil(outcome.more):,} more like these are needed"
            )
            raise Inconclusive("; ".join(filter(None, (more, detail, str(self.flaws)))))
        if outcome.decision is Decision.BETTER and self.flaws.non_finite:
            raise Inconclusive(f"{detail}; {self.flaws}")
        return self._measured(
            str(outcome.decision),
            outcome.games,
            (candidate, incumbent),
            vocabulary=(str(Decision.BETTER), str(Decision.NOT_BETTER)),
            detail=detail,
        )

    def against_references(self) -> Measurement:
        """Elo that the newest checkpoint gained, against the reference where that is least, since its predecessor.

        Each reference is judged by the games against it, for a rating would let a gain against one make up for a loss
        against another. The interval allows for their number: its upper end is the lowest of Bonferroni's (Holm's
        first step), so that one reference out of many does not fail by chance; its lower end is the lowest of all,
        each at its full level, as every one of them must hold (an intersection-union test, Berger 1982).
        """
        self._require_sound()
        candidate, before = self.candidate, self.predecessor
        references = [name for name in self._references if name != before]
        met = {name: [self.head_to_head(one, name) for one in (candidate, before)] for name in references}
        met = {name: pair for name, pair in met.items() if any(pair)}
        if not met:
            raise NotApplicable(f"neither {candidate} nor {before} met a fixed reference other than {before}")
        few = [name for name, pair in met.items() if min(map(len, pair)) < MIN_GAMES]
        changes = {name: _change(*pair) for name, pair in met.items() if name not in few}
        if not changes:
            raise Inconclusive(
                f"{candidate} and {before} need {MIN_GAMES} games each against a fixed reference; "
                + ", ".join(f"{name}: {len(new)} and {len(old)}" for name, (new, old) in met.items())
            )
        worst = min(changes, key=lambda name: changes[name][0])
        surely, chance = _z(SIDE), _z(SIDE / len(met))
        low = min(value - surely * error for value, error in changes.values())
        high = min(value + chance * error for value, error in changes.values())
        missing = f"fewer than {MIN_GAMES} games against {', '.join(few)}" if few else ""
        return self._measured(
            changes[worst][0],
            sum(len(games) for name in changes for games in met[name]),
            (candidate, before),
            interval=(-math.inf if few else min(low, high), high),
            detail="; ".join(filter(None, (f"{candidate} since {before}, least against {worst}", missing))),
            table=tuple(
                {
                    "reference": name,
                    "games": len(met[name][0]),
                    "score": _mean(met[name][0]),
                    "games before": len(met[name][1]),
                    "score before": _mean(met[name][1]),
                    "change": value,
                    "low": value - surely * error,
                    "high": value + surely * error,
                }
                for name, (value, error) in changes.items()
            ),
        )

    def head_to_head(self, agent: str, other: str) -> dict[str, float]:
        """Group -> points of `agent` per meeting with `other` in its games, in the order played."""
        found: dict[str, list[float]] = {}
        for game in self.games:
            score = game.score(agent, other)
            if score is not None:
                found.setdefault(game.group, []).append(score)
        return {group: sum(scores) / len(scores) for group, scores in found.items()}

    @cached_property
    def _checkpoints(self) -> dict[str, int]:
        """Checkpoint -> step it was saved at: those called after the run if there are any, without the incumbent."""
        found = {
            name: known[1]
            for name in self.played
            if name != self.incumbent
            and (known := role_of(name, self.patterns))
            and known[1] is not None
            and (self.checkpoint is None or known[1] <= self.checkpoint.step)
        }
        called = tuple(f"{agent_called(name)}_" for name in self.run_names)
        own = {name: step for name, step in found.items() if name.startswith(called)}
        return own or found

    @property
    def _references(self) -> list[str]:
        known = ((name, role_of(name, self.patterns)) for name in sorted(self.played))
        return [name for name, role in known if role and role[0] in (Role.BASE, Role.REFERENCE)]

    @property
    def _agents(self) -> str:
        named = ", ".join(f"{name} ({number})" for name, number in self.played.most_common(8))
        return f"agents and their games: {named or 'none'}"

    def _require_sound(self) -> None:
        unusable = self.flaws.unusable
        total = len(self.games) + unusable + self.flaws.non_finite
        if not self.games:
            raise Inconclusive("; ".join(filter(None, (f"no game of {self.source} can be rated", str(self.flaws)))))
        if unusable > MAX_UNUSABLE * total:
            raise Inconclusive(f"{unusable:,} of {total:,} games cannot be rated; {self.flaws}")

    def _require_played(self, agent: str) -> None:
        if self.played[agent] < MIN_GAMES:
            raise Inconclusive(
                f"{agent} is in {self.played[agent]} independent game(s), {MIN_GAMES} are needed; {self._agents}"
            )

    def _row(self, name: str, ratings: Fit) -> dict[str, Any]:
        known = role_of(name, self.patterns)
        low, high = _around(ratings.rating(name), ratings.error(name, str(self.patterns.base)))
        return {
            "agent": name,
            "role": str(known[0]) if known else "other",
            "games": self.played[name],
            "Elo": ratings.rating(name),
            "low": low,
            "high": high,
        }

    def _measured(self, value: float | str, points: int, agents: tuple[str, ...], **found: Any) -> Measurement:
        detail = "; ".join(filter(None, (found.pop("detail", ""), str(self.flaws))))
        return Measurement(
            value,
            unit="" if isinstance(value, str) else "Elo",
            points=points,
            window=f"{len(self.games):,} games",
            keys=agents,
            non_finite=0 if isinstance(value, str) else self.flaws.non_finite,
            detail=detail,
            **found,
        )


def _change(new: Mapping[str, float], old: Mapping[str, float]) -> tuple[float, float]:
    """(difference in Elo of two scores against one opponent, its standard error); a game in both counts once."""
    (now, pull_now, own_now), (then, pull_then, own_then) = map(_log_odds, (new, old))
    groups = dict.fromkeys((*new, *old))
    variance = sum((pull_now.get(group, 0.0) - pull_then.get(group, 0.0)) ** 2 for group in groups)
    return ELO * (now - then), ELO * math.sqrt(variance + own_now + own_then)


def _lead(scores: Mapping[str, float]) -> tuple[float, tuple[float, float]]:
    """(Elo that a score is worth, its 95 % interval)."""
    value, pulls, own = _log_odds(scores)
    error = math.sqrt(sum(pull**2 for pull in pulls.values()) + own)
    return ELO * value, _around(ELO * value, ELO * error)


def _log_odds(scores: Mapping[str, float]) -> tuple[float, dict[str, float], float]:
    """(log-odds of the mean score, what each game pulls it by, variance from half a win and half a loss added)."""
    mean = (sum(scores.values()) + HALF) / (len(scores) + 2 * HALF)
    slope = 1 / (mean * (1 - mean) * (len(scores) + 2 * HALF))
    pulls = {group: slope * (score - mean) for group, score in scores.items()}
    return math.log(mean / (1 - mean)), pulls, slope**2 * HALF * ((1 - mean) ** 2 + mean**2)


def _mean(scores: Mapping[str, float]) -> float:
    return sum(scores.values()) / len(scores)


def _around(value: float, error: float) -> tuple[float, float]:
    return value - _z(SIDE) * error, value + _z(SIDE) * error


def _z(tail: float) -> float:
    return -NormalDist().inv_cdf(tail)
