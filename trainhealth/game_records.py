"""From what events say of games to games that can be rated; nothing is guessed, and what cannot be used is counted.

A source delivers `Record`s: texts, as it holds them, of the fields in `FIELDS`. Three shapes are understood:

- a game in one event: agents and scores, each an object by seat or a list (or one list of objects with both);
- many games in one event: a list of such objects;
- an event for each seat, with an agent, a score, and the id of the game that they share.
"""

from __future__ import annotations

import json
import math
from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from trainhealth.events import Fields
from trainhealth.games import Flaws, Game, Seat
from trainhealth.ratings import agent_called

FIELDS = (
    "run_name",
    "rollout_id",
    "game_id",
    "game_results",
    "game_agents",
    "game_scores",
    "game_ranks",
    "game_agent",
    "game_score",
    "game_rank",
    "game_seat",
)
"""Canonical fields of an event that games are read from; their names stand under ``events:`` in thresholds.yaml."""

SEAT = ("game_seat", "game_agent", "game_score", "game_rank")
"""What is said of one seat."""
SCORE = ("game_score", "game_rank")

MAX_SEATS = 7

_ABSENT = ...
"""What is not there; a null is there, and is no number."""


@dataclass(frozen=True, slots=True)
class Record:
    """One event: canonical field -> its text, without the fields it does not have; and its time in unix seconds."""

    fields: Mapping[str, str]
    time: float | None = None


@dataclass(frozen=True, slots=True)
class Gathered:
    """The games of a run, in the order played, and what was left out."""

    games: tuple[Game, ...]
    flaws: Flaws

    @property
    def empty(self) -> bool:
        """Whether nothing at all was told of games, be it of other runs."""
        return not self.games and self.flaws == Flaws({})


class _Unusable(Exception):
    """Why a game cannot be rated."""


class _NonFinite(_Unusable):
    """A score that is NaN, infinite or null."""


@dataclass(slots=True)
class _Raw:
    """A game as it was read: seats as (seat, agent, score, rank)."""

    group: str
    time: float
    seats: list[tuple[Any, ...]] = field(default_factory=list)
    problem: str = ""


def gather(
    records: Iterable[Record],
    fields: Fields,
    run_names: Collection[str] = (),
    lifetime: tuple[float, float] | None = None,
) -> Gathered:
    """Put the games of a run together.

    Args:
        records: in the order of the source.
        fields: canonical field -> the names it has in the source.
        run_names: the names of the run; without any, all games are taken. A game belongs to the run that its event
            names; without such a name, to the run after which one of its agents is called (``<run>_adapter_v50``);
            else to those that lived at its time.
        lifetime: unix seconds in which the run lived, None where that is unknown.
    """
    kept, left_out = _of_the_run(list(records), fields, run_names, lifetime)
    whole: dict[str, list[_Raw]] = {}
    by_seat: dict[str, list[_Raw]] = {}
    for place, record in kept:
        for id_, raw in _raw_games(place, record, fields):
            (whole if _is_whole(record) else by_seat).setdefault(id_, []).append(raw)
    # A writer may tell a game as a whole and seat by seat; the whole says more.
    seated = {id_: [_joined(seats)] for id_, seats in by_seat.items() if id_ not in whole}
    return _sorted_out({**whole, **seated}, left_out)


def _joined(seats: Sequence[_Raw]) -> _Raw:
    """One game from events for its seats; an event that was delivered twice counts once if it names its seat."""
    held = [one.seats[0] for one in seats]
    once = [seat for at, seat in enumerate(held) if seat[0] is _ABSENT or seat not in held[:at]]
    return _Raw(seats[0].group, min(one.time for one in seats), once, seats[0].problem)


def _sorted_out(found: Mapping[str, Sequence[_Raw]], left_out: Flaws) -> Gathered:
    games: list[tuple[float, Game]] = []
    problems: Counter[str] = Counter()
    non_finite = duplicates = 0
    for id_, twins in found.items():
        first, *others = twins
        duplicates += len(others)
        try:
            if any(sorted(map(repr, one.seats)) != sorted(map(repr, first.seats)) for one in others):
                raise _Unusable("told in several ways under one id")
            games.append((first.time, Game(id_, first.group, tuple(_seats(first)))))
        except _NonFinite:
            non_finite += 1
        except _Unusable as error:
            problems[str(error)] += 1
    games.sort(key=lambda timed: timed[0])
    return Gathered(
        tuple(game for _, game in games),
        replace(left_out, problems=problems, non_finite=non_finite, duplicates=duplicates),
    )


def _is_whole(record: Record) -> bool:
    return "game_results" in record.fields or "game_agents" in record.fields


def _raw_games(place: int, record: Record, fields: Fields) -> Iterator[tuple[str, _Raw]]:
    """(id, game) of each game in a record; of a record for one seat, the game with that seat."""
    said = record.fields
    time = math.inf if record.time is None else record.time
    own = said.get("game_id") or said.get("rollout_id") or f"record {place + 1}"
    group = said.get("rollout_id") or own
    if "game_results" in said:
        yield from _listed(said["game_results"], own, group, time, fields)
    elif "game_agents" in said:
        agents, scores, ranks = (_parsed(said.get(name)) for name in ("game_agents", "game_scores", "game_ranks"))
        if _is_scored(agents, scores, ranks, fields):
            yield own, _whole_game(agents, scores, ranks, group, time, fields)
    elif "game_agent" in said and ("game_score" in said or "game_rank" in said):
        seat = tuple(said.get(name, _ABSENT) for name in SEAT)
        yield (
            own,
            _Raw(
                group,
                time,
                [seat],
                "" if {"game_id", "rollout_id"} & said.keys() else "a seat without the id of its game",
            ),
        )


def _listed(text: str, own: str, group: str, time: float, fields: Fields) -> Iterator[tuple[str, _Raw]]:
    """Games that one event lists; they began as one rollout, so they are no independent evidence."""
    listed = _parsed(text)
    for at, one in enumerate(listed if isinstance(listed, list) else []):
        if isinstance(one, dict):
            agents, scores, ranks = (_first(one, fields, name) for name in ("game_agents", "game_scores", "game_ranks"))
            if _is_scored(agents, scores, ranks, fields):
                yield f"{own}#{at + 1}", _whole_game(agents, scores, ranks, group, time, fields)


def _is_scored(agents: Any, scores: Any, ranks: Any, fields: Fields) -> bool:
    """Whether this is told of a game that was played to its end, not of one that begins, nor of something else."""
    if isinstance(agents, list) and any(isinstance(one, dict) for one in agents):
        return any(
            _first(one, fields, name) is not _ABSENT for one in agents if isinstance(one, dict) for name in SCORE
        )
    return isinstance(agents, dict | list) and (scores is not _ABSENT or ranks is not _ABSENT)


def _whole_game(agents: Any, scores: Any, ranks: Any, group: str, time: float, fields: Fields) -> _Raw:
    raw = _Raw(group, time)
    match agents:
        case dict():
            raw.seats = [(key, agent, _at(scores, key), _at(ranks, key)) for key, agent in agents.items()]
            if any(isinstance(by, dict) and by.keys() - agents.keys() for by in (scores, ranks)):
                raw.problem = "scores of seats that nobody holds"
        case [dict(), *_] if all(isinstance(one, dict) for one in agents):
            raw.seats = [tuple(_first(one, fields, name) for name in SEAT) for one in agents]
        case list():
            raw.seats = [
                (at, agent, *(_at(by, agent if isinstance(by, dict) else at) for by in (scores, ranks)))
                for at, agent in enumerate(agents)
            ]
            if any(isinstance(by, list) and len(by) != len(agents) for by in (scores, ranks)):
                raw.problem = "as many scores as agents are needed"
            elif isinstance(scores or ranks, dict) and len({str(agent) for agent in agents}) < len(agents):
                raw.problem = "one score for several seats of an agent"
        case _:
            raw.problem = "agents that are neither a list nor an object"
    return raw


def _at(by: Any, key: Any) -> Any:
    """The value of a seat, or `_ABSENT`."""
    if isinstance(by, dict) and isinstance(key, str):
        return by.get(key, _ABSENT)
    if isinstance(by, list) and isinstance(key, int):
        return by[key] if key < len(by) else _ABSENT
    return _ABSENT


def _seats(raw: _Raw) -> Iterator[Seat]:
    if raw.problem:
        raise _Unusable(raw.problem)
    if not 2 <= len(raw.seats) <= MAX_SEATS:
        raise _Unusable("one seat" if len(raw.seats) == 1 else f"not 2 to {MAX_SEATS} seats")
    held = [seat for seat, *_ in raw.seats if seat is not _ABSENT]
    if len({str(seat) for seat in held}) < len(held):
        raise _Unusable("one seat held twice")
    ranked = all(score is _ABSENT for _, _, score, _ in raw.seats)
    for _, agent, score, rank in raw.seats:
        yield Seat(_agent(agent), -_number(rank) if ranked else _number(score))


def _agent(name: Any) -> str:
    if not isinstance(name, str) or not name.strip():
        raise _Unusable("a seat without an agent")
    return agent_called(name)


def _number(value: Any) -> float:
    if value is _ABSENT:
        raise _Unusable("a seat without a score")
    if value is None:  # what many writers of JSON make of NaN
        raise _NonFinite
    if isinstance(value, bool) or not isinstance(value, str | int | float):
        raise _Unusable("a score that is no number")
    try:
        number = float(value)
    except (ValueError, OverflowError):
        raise _Unusable("a score that is no number") from None
    if not math.isfinite(number):
        raise _NonFinite
    return number


def _first(one: Mapping[str, Any], fields: Fields, name: str) -> Any:
    """The first of the names of field `name` that an object has, or `_ABSENT`."""
    return next((one[alias] for alias in _names(fields, name) if alias in one), _ABSENT)


def _names(fields: Fields, name: str) -> list[str]:
    return [alias.field for alias in fields.get(name, ())] or [name]


def _parsed(text: str | None) -> Any:
    if text is None:
        return _ABSENT
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        return text


def _of_the_run(
    records: Sequence[Record], fields: Fields, run_names: Collection[str], lifetime: tuple[float, float] | None
) -> tuple[list[tuple[int, Record]], Flaws]:
    """(place, record) of the records that tell of the run's games."""
    told = [(place, record) for place, record in enumerate(records) if any(_raw_games(place, record, fields))]
    if not run_names:
        return told, Flaws({})
    kept, undated = [], []
    others: list[str] = []
    outside = 0
    for place, record in told:
        name = record.fields.get("run_name")
        if name is not None and name not in run_names:
            others.append(name)
        elif name is not None or _called_after(record, fields, run_names):
            kept.append((place, record))
        elif record.time is None:
            undated.append((place, record))
        elif lifetime is not None and not lifetime[0] <= record.time <= lifetime[1]:
            outside += 1
        else:
            kept.append((place, record))
    # Where nothing has a time and nobody else is named, there is nothing to tell the games by: they are taken.
    assumed = undated if not others and all(record.time is None for _, record in told) else []
    left_out = Flaws(
        {},
        others=len(others),
        other=min(others, default=""),
        outside=outside,
        undated=len(undated) - len(assumed),
        assumed=len(assumed),
    )
    return sorted((*kept, *assumed), key=lambda one: one[0]), left_out


def _called_after(record: Record, fields: Fields, run_names: Collection[str]) -> bool:
    """Whether one of the agents is called after the run."""
    called = tuple(f"{agent_called(name)}_" for name in run_names)
    agents = (seat[1] for _, raw in _raw_games(0, record, fields) for seat in raw.seats)
    return any(isinstance(agent, str) and agent_called(agent).startswith(called) for agent in agents)
