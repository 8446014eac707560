"""Whose events? Which events of a source belong to the run under judgement, and how that was told.

In this order:

1. an event that names a run belongs to that run (any field may be named under ``events.run_name`` in thresholds.yaml);
2. one that names none, but whose rollout_id begins with the name of a run and one of ``- _ / . :``, belongs to that
   run; of several such runs, to the one with the longest name;
3. any other belongs to the runs that lived when it happened, give or take `MARGIN_S`: to this one, although it may be
   another's that trained at the same time. Those that may be are counted as shared;
4. one with neither name nor time cannot be told. It is taken only where no event has a time and none names another run.

A window that the user asks for takes the place of the lifetime, and rules out what lies outside it whatever it names.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime

from trainhealth.aggregates import (
    TIME,
    Aggregate,
    AllOf,
    AnyOf,
    Condition,
    Count,
    Is,
    Known,
    Max,
    Min,
    Not,
    State,
    TextIs,
    TextStartsWith,
    Within,
    every,
)
from trainhealth.answers import Answer

MARGIN_S = 600.0
"""Seconds before a run's start and after its last sign of life in which its pipeline may already or still report."""

Period = tuple[float, float]
"""From … to …, unix seconds, both ends included; either may be infinite."""

_SEPARATORS = "-_/.:"
_UNNAMED = Not(Known("run_name"))
_TIMED = Is(TIME, State.USABLE)


@dataclass(frozen=True, slots=True)
class Scope:
    """Whose events are wanted, and from when.

    Attributes:
        names: all names of the run to be judged; without any, everybody's events are wanted.
        lifetime: from the run's start to its last sign of life; None where nobody knows it.
        window: what the user asked for instead (--since, --until, --last).
    """

    names: tuple[str, ...] = ()
    lifetime: Period | None = None
    window: Period | None = None

    @property
    def frame(self) -> Period | None:
        """When events without a run's name must have happened; None where nobody knows."""
        if self.window is not None or self.lifetime is None:
            return self.window
        return self.lifetime[0] - MARGIN_S, self.lifetime[1] + MARGIN_S

    @property
    def question(self) -> Aggregate:
        """Who is named, when they were active, and what of the rest can be told before that is known."""
        by_rollout = _begins_with(self.names)
        inside = Within(TIME, *self.frame) if self.frame else AnyOf(())
        return Aggregate(
            (
                Count("events"),
                Count("timed", _TIMED),
                Min("first", TIME),
                Max("last", TIME),
                Count("outside", AllOf((_TIMED, Not(inside)))),
                Count("by_rollout", by_rollout),
                Count("loose_outside", AllOf((_TIMED, Not(inside), Not(by_rollout)))),
                Count("loose_undated", AllOf((Not(_TIMED), Not(by_rollout)))),
            ),
            by=("run_name",),
        )

    def divide(self, answers: Sequence[Answer]) -> Division:
        """Tell whose events are whose by the answers to `question`."""
        named = {name: answer for answer in answers if (name := answer.text("run_name"))}
        own = [answer for name, answer in named.items() if name in self.names or not self.names]
        others = {name: answer for name, answer in named.items() if self.names and name not in self.names}
        loose = next((answer for answer in answers if not answer.text("run_name")), Answer({}))
        return Division(self, tuple(own), others, loose)


EVERYBODY = Scope()


@dataclass(frozen=True, slots=True)
class Division:
    """The events of a source, by who is named in them.

    Attributes:
        own: of the names of the run to be judged; of every name if nobody's run is.
        others: of other runs, by name.
        loose: of events that name no run.
    """

    scope: Scope
    own: tuple[Answer, ...]
    others: dict[str, Answer]
    loose: Answer

    @property
    def events(self) -> int:
        return sum(answer.count("events") for answer in (*self.own, *self.others.values(), self.loose))

    @property
    def assumed(self) -> int:
        """Events that cannot be told, and are taken all the same."""
        timed = sum(answer.count("timed") for answer in (*self.own, *self.others.values(), self.loose))
        if timed or self.others or self.scope.window is not None or not self.scope.names:
            return 0
        return self.loose.count("loose_undated")

    @property
    def mine(self) -> Condition | None:
        """What the run's events have in common; None where they are all there is."""
        scope = self.scope
        if not scope.names and scope.window is None:
            return None
        if not self.others and not self._outside and not self._undated:
            return None
        inside = Within(TIME, *scope.window) if scope.window else None
        if not scope.names:
            return inside
        kinds = [every(TextIs("run_name", scope.names), inside)]
        if self.loose.count("events"):
            kinds += [self.by_rollout, self.by_time]
        if self.assumed:
            kinds.append(AllOf((_UNNAMED, Not(_TIMED))))
        return kinds[0] if len(kinds) == 1 else AnyOf(tuple(kinds))

    @property
    def by_rollout(self) -> Condition:
        """Events told by their rollout's id."""
        if not self.loose.count("by_rollout"):
            return AnyOf(())
        prefixes = _prefixes(self.scope.names)
        rivals = [rival for rival in self.others if rival.startswith(prefixes)]
        longer = Not(_begins_with(rivals)) if rivals else None
        window = Within(TIME, *self.scope.window) if self.scope.window else None
        return every(_UNNAMED, _begins_with(self.scope.names), longer, window)

    @property
    def by_time(self) -> Condition:
        """Events told by nothing but when they happened."""
        if not self.loose.count("events") or self.scope.frame is None:
            return AnyOf(())
        own = Not(self.by_rollout) if self.loose.count("by_rollout") else None
        rivals = Not(_begins_with(self._rivals)) if self._rivals else None
        return every(_UNNAMED, own, rivals, Within(TIME, *self.scope.frame))

    @property
    def shared(self) -> Condition:
        """Those of `by_time` that may as well be another's."""
        busy = [
            (answer.number("first"), answer.number("last")) for answer in map(self.others.__getitem__, self._rivals)
        ]
        periods = _merged((first, last) for first, last in busy if first is not None and last is not None)
        if not periods or not self.loose.count("events"):
            return AnyOf(())
        return AllOf((self.by_time, AnyOf(tuple(Within(TIME, *period) for period in periods))))

    def attribution(self, found: Answer) -> Attribution:
        """What was told, by what the source holds of `mine`.

        Args:
            found: how many ``events`` are the run's, of them ``by_rollout``, ``by_time`` and ``shared``.
        """
        scope = self.scope
        if not scope.names and scope.window is None:
            return Attribution()
        by_rollout, by_time = found.count("by_rollout"), found.count("by_time")
        unnamed = self.loose.count("events") - by_rollout - by_time - self.assumed
        return Attribution(
            others=sum(answer.count("events") for answer in self.others.values()),
            other=max(self.others, key=lambda name: self.others[name].count("events"), default=""),
            rollouts_of_others=max(unnamed - self._loose_outside - self._loose_undated, 0),
            outside=self._outside,
            period=scope.window or scope.lifetime,
            asked_for=scope.window is not None,
            undated=self._undated,
            assumed=self.assumed,
            by_name=found.count("events") - by_rollout - by_time - self.assumed,
            by_rollout=by_rollout,
            by_time=by_time,
            shared=found.count("shared"),
            sharer=next(iter(self._rivals), ""),
        )

    @property
    def _rivals(self) -> list[str]:
        """Other runs that were active when this one's events may have happened, the busiest first."""
        frame = self.scope.frame
        active = [
            name
            for name, answer in self.others.items()
            if frame is None or not _apart((answer.number("first"), answer.number("last")), frame)
        ]
        return sorted(active, key=lambda name: (-self.others[name].count("events"), name))

    @property
    def _loose_outside(self) -> int:
        return self.loose.count("loose_outside" if self.scope.window is None else "outside")

    @property
    def _loose_undated(self) -> int:
        """Of the events that name no run, those that cannot be told by their time and are not taken."""
        if self.scope.window is not None:
            return _undated(self.loose)
        return self.loose.count("loose_undated") - self.assumed

    @property
    def _outside(self) -> int:
        named = sum(answer.count("outside") for answer in self.own) if self.scope.window is not None else 0
        return self._loose_outside + named

    @property
    def _undated(self) -> int:
        named = sum(map(_undated, self.own)) if self.scope.window is not None else 0
        return self._loose_undated + named


@dataclass(frozen=True, slots=True)
class Attribution:
    """How the events that are judged were told from the others, and what was left out.

    Attributes:
        others: events that name another run; `other` is the one named most.
        rollouts_of_others: events that name no run, of another run's rollouts.
        outside: events outside `period`; without a window that was `asked_for`, only those that name no run.
        period: the run's lifetime, or the window that was asked for; None where neither is known.
        undated: events that cannot be told, as they have no time that can be read.
        malformed: records that are no events; `first_malformed` is the place of the first, as file:line.
        assumed: events that are judged, although they have neither a run's name nor a time.
        by_name, by_rollout, by_time: events that are judged, by what told them.
        shared: events of `by_time` that may as well be those of another run, such as `sharer`.
    """

    others: int = 0
    other: str = ""
    rollouts_of_others: int = 0
    outside: int = 0
    period: Period | None = None
    asked_for: bool = False
    undated: int = 0
    malformed: int = 0
    first_malformed: str = ""
    assumed: int = 0
    by_name: int = 0
    by_rollout: int = 0
    by_time: int = 0
    shared: int = 0
    sharer: str = ""

    def with_malformed(self, records: int, first: str) -> Attribution:
        return replace(self, malformed=records, first_malformed=first)

    @property
    def of_no_concern(self) -> str:
        """Which events do not belong to the run, or nothing."""
        if self.period is None:
            outside = "name no run, and its lifetime is unknown"
        else:
            what = "the window that was asked for," if self.asked_for else "its lifetime"
            outside = f"lie outside {what} {span(self.period)}"
        undated = "have no time" if self.asked_for else "have neither a run's name nor a time"
        found = {
            f"name another run (e.g. '{self.other}')": self.others,
            "belong to another run's rollouts": self.rollouts_of_others,
            outside: self.outside,
            undated: self.undated,
        }
        return ", ".join(f"{number:,} {what}" for what, number in found.items() if number)

    @property
    def told_by(self) -> str:
        """What told the judged events from others, or nothing where nothing had to."""
        shared = f", of which {self.shared:,} may be those of '{self.sharer}', active at the same time"
        when = "the window that was asked for" if self.asked_for else "the run's lifetime"
        found = {
            "by the run's name": self.by_name,
            "by rollout_id": self.by_rollout,
            f"by {when}{shared if self.shared else ''}": self.by_time,
        }
        told = ", ".join(f"{number:,} {what}" for what, number in found.items() if number)
        return f"events told {told}" if told else ""

    def __str__(self) -> str:
        """In short, for the end of a message; nothing where there is nothing to say."""
        left_out = [self.of_no_concern] if self.of_no_concern else []
        left_out += [f"{self.malformed:,} malformed (first: {self.first_malformed})"] if self.malformed else []
        taken = f"{self.assumed:,} events without a run's name or a time were taken for this run's"
        parts = (
            self.told_by,
            f"events left out: {', '.join(left_out)}" if left_out else "",
            taken if self.assumed else "",
        )
        return "; ".join(part for part in parts if part)


ALL = Attribution()
"""All events are judged."""


def moment(seconds: float) -> str:
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%d %H:%M:%SZ")


def span(period: Period) -> str:
    low, high = (moment(end) if math.isfinite(end) else "" for end in period)
    if low and high:
        return f"{low} to {high}"
    return f"since {low}" if low else f"until {high}"


def _prefixes(names: Iterable[str]) -> tuple[str, ...]:
    return tuple(f"{name}{separator}" for name in names for separator in _SEPARATORS)


def _begins_with(names: Iterable[str]) -> Condition:
    """The rollout's id begins with one of the names of runs."""
    return TextStartsWith("rollout_id", _prefixes(names))


def _undated(answer: Answer) -> int:
    return answer.count("events") - answer.count("timed")


def _apart(one: tuple[float | None, float | None], other: Period) -> bool:
    """Whether two periods have nothing in common; an unknown one has with all."""
    first, last = one
    return first is not None and last is not None and (last < other[0] or first > other[1])


def _merged(periods: Iterable[Period]) -> list[Period]:
    """The periods, those that overlap as one."""
    found: list[Period] = []
    for low, high in sorted(periods):
        if found and low <= found[-1][1]:
            found[-1] = (found[-1][0], max(found[-1][1], high))
        else:
            found.append((low, high))
    return found
