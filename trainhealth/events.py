"""Training events, aggregated: each criterion's number with the evidence behind it.

The source answers a handful of queries (trainhealth/aggregates.py); everything that turns counts and sums into
verdict-worthy numbers happens here, once, whatever the source. Values are not rounded, so that rounding cannot
carry one over a limit.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Protocol

from trainhealth.aggregates import (
    DURATION_QUANTILES,
    EVERYTHING,
    EXTRACTION,
    INFERENCE_EVENTS,
    INVENTORY,
    MIN_EVENTS,
    ORDERS_EMPTY,
    ORDERS_EXTRACTED,
    ORDERS_PARTIAL,
    ROLLOUT_COMPLETE,
    ROLLOUT_START,
    ROLLOUTS,
    Aggregate,
    Row,
    State,
    inference,
    rollouts_by_id,
    rollouts_since,
)
from trainhealth.measurement import Measurement
from trainhealth.verdicts import Inconclusive

MIN_COVERAGE = 0.95
"""Share of the events that must hold a field before the rest speaks for all: the coverage every metric must have."""


class FieldAlias(Protocol):
    """A source's name for a canonical field; the value times `scale` is in the canonical unit."""

    @property
    def field(self) -> str: ...
    @property
    def scale(self) -> float: ...


Fields = Mapping[str, Sequence[FieldAlias]]
"""Canonical field -> the source's names for it, the first one that an event has counts."""


@dataclass(frozen=True, slots=True)
class Answer:
    """One answer of a source, typed: a count of nothing is 0, any other measure of nothing is None."""

    row: Row

    def count(self, name: str) -> int:
        return int(self.row.get(name) or 0)

    def number(self, name: str) -> float | None:
        value = self.row.get(name)
        return None if value is None else float(value)


@dataclass(frozen=True, slots=True)
class Quality:
    """What one field holds over `events` events."""

    field: str
    events: int
    usable: int
    non_finite: int
    negative: int
    not_a_number: int

    @property
    def seen(self) -> int:
        """Events that count: with a value, or with a non-finite one, which rules out a pass by itself."""
        return self.usable + self.non_finite

    @property
    def absent(self) -> int:
        return self.events - self.seen - self.negative - self.not_a_number

    def __str__(self) -> str:
        """What is wrong with the values, or nothing."""
        flaws = {
            "NaN or infinite": self.non_finite,
            "negative": self.negative,
            "not a number": self.not_a_number,
            "absent": self.absent,
        }
        found = ", ".join(f"{number:,} {flaw}" for flaw, number in flaws.items() if number)
        return f"{self.field}: {found} of {self.events:,}" if found else ""


@dataclass(frozen=True, slots=True)
class LeftOut:
    """What a source holds beside the events that are judged.

    Attributes:
        others: events that name another run; `other` is one such name.
        outside: events without a run's name from outside `lifetime` (unix seconds; None where nobody knows it).
        undated: events with neither a run's name nor a time that can be read.
        malformed: records that are no events; `first_malformed` is the place of the first, as file:line.
        assumed: events that are judged, although they have neither a run's name nor a time.
    """

    others: int = 0
    other: str = ""
    outside: int = 0
    lifetime: tuple[float, float] | None = None
    undated: int = 0
    malformed: int = 0
    first_malformed: str = ""
    assumed: int = 0

    @property
    def of_no_concern(self) -> str:
        """Which events do not belong to the run, or nothing."""
        alive = "" if self.lifetime is None else f"{_moment(self.lifetime[0])} to {_moment(self.lifetime[1])}"
        found = {
            f"name another run (e.g. '{self.other}')": self.others,
            f"lie outside its lifetime {alive}" if alive else "name no run, and its lifetime is unknown": self.outside,
            "have neither a run's name nor a time": self.undated,
        }
        return ", ".join(f"{number:,} {what}" for what, number in found.items() if number)

    def __str__(self) -> str:
        """In short, for the end of a message; nothing where nothing was left out."""
        left_out = [self.of_no_concern] if self.of_no_concern else []
        left_out += [f"{self.malformed:,} malformed (first: {self.first_malformed})"] if self.malformed else []
        taken = f"{self.assumed:,} events without a run's name or a time were taken for this run's"
        return _sentence(f"events left out: {', '.join(left_out)}" if left_out else "", taken if self.assumed else "")


@dataclass(frozen=True, slots=True, eq=False)
class EventAggregates:
    """The aggregates of one source of events.

    Every method returns what one criterion judges, and raises `Inconclusive`, naming what was looked for and what
    the source has, where too little was seen: fewer than `MIN_EVENTS` events, or a field that more than 5 % of
    them lack or hold damaged. Non-finite values are counted in `Measurement.non_finite`; negative, unreadable and
    absent ones in `detail`.

    Attributes:
        source: where the events come from, for people.
        fields: the names that were looked for.
        inventory: (event name, how many), most frequent first.
        left_out: what else the source holds; every message ends with it.
    """

    source: str
    fields: Fields
    inventory: tuple[tuple[str, int], ...]
    everything: Answer
    rollouts: Answer
    by_id: Answer
    recent: Answer
    extraction: Answer
    inference: Mapping[str, Answer]
    left_out: LeftOut = LeftOut()

    @property
    def total(self) -> int:
        """All events."""
        return self.everything.count("events")

    def rollout_duration(self, q: float) -> Measurement:
        """The `q` quantile (0.5 or 0.95) of the durations of completed rollouts, in seconds."""
        quantile = DURATION_QUANTILES[q]
        durations = self._sound(
            self.rollouts, quantile.field, "completions", (ROLLOUT_COMPLETE,), minimum=quantile.minimum
        )
        longest = self.rollouts.number("longest")
        rollout, at = self.rollouts.row.get("longest_id"), self.rollouts.number("longest_at")
        evidence = "" if longest is None else f"longest {longest:.4g} s"
        evidence += f", rollout {rollout}" if evidence and rollout else ""
        evidence += f", completed {_moment(at)}" if evidence and at is not None else ""
        return self._measured(
            self.rollouts.number(quantile.name), "s", durations.seen, (ROLLOUT_COMPLETE,), durations, detail=evidence
        )

    def trajectories_per_rollout(self) -> Measurement:
        """Mean number of trajectories of a completed rollout."""
        quality = self._sound(self.rollouts, "trajectories", "completions", (ROLLOUT_COMPLETE,))
        total = self.rollouts.number("trajectories")
        value = None if total is None else total / quality.usable
        return self._measured(value, "", quality.seen, (ROLLOUT_COMPLETE,), quality)

    def trajectories_per_hour(self) -> Measurement:
        """Trajectories of all completed rollouts over the wall-clock time that they took.

        The clock runs from the first ``rollout_start`` to the last ``rollout_complete``. Where the events begin
        with a completion, it runs from there, and that one rollout in n, whose work lies before the clock, is
        taken off: total x (n - 1) / n. The published formula (diplomacy-v2), 3600 / mean duration x trajectories
        per rollout, is the rate of one worker that never waits: it overlooks both parallel workers and idle time.
        """
        quality = self._sound(self.rollouts, "trajectories", "completions", (ROLLOUT_COMPLETE,))
        timed = self.rollouts.count("timed_completions")
        first, last = self.rollouts.number("first_completion"), self.rollouts.number("last_completion")
        if first is None or last is None or timed < MIN_COVERAGE * quality.events:
            raise Inconclusive(
                f"only {timed:,} of {quality.events:,} {ROLLOUT_COMPLETE} events have a time that can be read "
                f"{self._looked_for('time')}, in {self._searched}"
            )
        start = self.rollouts.number("first_start")
        led = start is not None and start <= first
        begun = start if led and start is not None else first
        span = last - begun
        if span <= 0:
            raise Inconclusive(
                f"all {quality.events:,} {ROLLOUT_COMPLETE} events are at {_moment(last)}: there is no time span "
                f"to take a rate over, in {self._searched}"
            )
        total = self.rollouts.number("trajectories")
        share = 1.0 if led else (quality.usable - 1) / max(quality.usable, 1)
        value = None if total is None else total * share / span * 3600
        clock = f"{total or 0:,.0f} trajectories in {span / 3600:.4g} h from {_moment(begun)}"
        clock += "" if led else f", the first {ROLLOUT_COMPLETE}, as no {ROLLOUT_START} lies before it"
        return self._measured(value, "/h", quality.seen, (ROLLOUT_START, ROLLOUT_COMPLETE), quality, detail=clock)

    def rollout_completion(self) -> Measurement:
        """Completed rollouts over started ones, a fraction of at most 1.

        A rollout begun within the last p95 duration before the last event may still be running: without an end
        it is neither completed nor lost. By ``rollout_id`` where events have one: completions of rollouts begun
        before the data do not count, and a rollout that failed and completed on a second attempt has completed.
        Else by counts, where more completions than starts leave the rate open.
        """
        starts, completions = self.rollouts.count("starts"), self.rollouts.count("completions")
        self._enough(starts, (ROLLOUT_START,))
        with_id = self.rollouts.count("starts_with_id") + self.rollouts.count("completions_with_id")
        if with_id >= MIN_COVERAGE * (starts + completions):
            pairs = self.by_id
            started, completed, running = pairs.count("started"), pairs.count("completed"), pairs.count("running")
            failed, before = pairs.count("failed"), pairs.count("begun_before")
            how = "paired by rollout_id"
        else:
            started, completed, failed, before = starts, completions, self.rollouts.count("errors"), 0
            if completed > started:
                raise Inconclusive(
                    f"{completed:,} {ROLLOUT_COMPLETE} but {started:,} {ROLLOUT_START} events, without a rollout_id "
                    f"{self._looked_for('rollout_id')} to tell which were begun before the data, in {self._searched}"
                )
            running = min(self.recent.count("starts"), max(started - completed - failed, 0))
            how = "by counts, as rollouts have no rollout_id"
        ended = started - running
        if ended < MIN_EVENTS:
            raise Inconclusive(
                f"only {ended:,} rollouts that could have ended ({starts:,} {ROLLOUT_START} events, {started:,} "
                f"rollouts, {running:,} may still be running), {how}; {MIN_EVENTS} are needed, in {self._searched}"
            )
        lost = max(ended - completed - failed, 0)
        counts = f"{completed:,} of {ended:,} completed, {failed:,} failed, {lost:,} never ended"
        counts += f", {running:,} may still be running" if running else ""
        counts += f", {before:,} completed that were begun before the data" if before else ""
        left_out = starts + completions - with_id if how.startswith("paired") else 0
        counts += f", {left_out:,} events without rollout_id left out" if left_out else ""
        return self._measured(
            completed / ended, "fraction", ended, (ROLLOUT_START, ROLLOUT_COMPLETE), detail=f"{counts}; {how}"
        )

    def extraction_rate(self) -> Measurement:
        """Responses from which all orders were extracted, over all responses of which orders were expected, a fraction.

        A response of which none was expected (expected count 0) is nothing to do: neither success nor failure.
        """
        return self._extraction("extracted")

    def empty_extractions(self) -> Measurement:
        """Responses without any order, over all responses of which orders were expected, a fraction."""
        return self._extraction("empty")

    def partial_extractions(self) -> Measurement:
        """Responses with fewer orders than expected, over all responses of which orders were expected, a fraction."""
        return self._extraction("partial")

    def error_rate(self) -> Measurement:
        """Errors over all events, a fraction; warnings stand beside it in `detail` and do not count.

        An error has level error, critical or fatal, or a name that ends in ``_error``.
        """
        self._enough(self.total, ())
        errors, warnings = self.everything.count("errors"), self.everything.count("warnings")
        levelled = self.everything.count("levelled")
        counts = f"{errors:,} errors and, not counted, {warnings:,} warnings among {self.total:,} events"
        if not levelled:
            counts += f"; no event has a level {self._looked_for('level')}: errors are told by name alone"
        elif levelled < self.total:
            counts += f"; {levelled:,} events have a level, the others are told by name"
        return self._measured(errors / self.total, "fraction", self.total, ("level", "*_error"), detail=counts)

    def output_tokens_per_second(self) -> Measurement:
        """Generated tokens over generation time, both summed over requests, in tokens per second.

        A request's weight is its tokens, so a slow long one counts for what it is. Requests that overlap each
        bring their own time: this is the speed a request sees, not the sum over an engine's parallel requests.
        Where tokens or times are missing it is the mean of the rates that requests report; `detail` says which.
        """
        return self._tokens_per_second("output")

    def input_tokens_per_second(self) -> Measurement:
        """Prompt tokens over generation time, in tokens per second; see `output_tokens_per_second`."""
        return self._tokens_per_second("input")

    def batch_size(self) -> Measurement:
        """Mean number of prompts in an inference request."""
        event, answer = self._inference_answer()
        quality = self._sound(answer, "batch_size", "events", (event,))
        total = answer.number("batch_size")
        value = None if total is None else total / quality.usable
        return self._measured(value, "", quality.seen, (event,), quality)

    def _extraction(self, outcome: str) -> Measurement:
        events = (ORDERS_EXTRACTED, ORDERS_EMPTY, ORDERS_PARTIAL)
        outcomes = {name: self.extraction.count(name) for name in ("extracted", "empty", "partial")}
        judged, idle = sum(outcomes.values()), self.extraction.count("nothing_to_do")
        remark = f"{idle:,} with nothing to do left out" if idle else ""
        self._enough(judged, events, remark)
        counts = ", ".join(f"{number:,} {name}" for name, number in outcomes.items())
        expected = self._quality(self.extraction, "expected_orders", "events")
        detail = _sentence(f"{counts} of {judged:,}", remark)
        return self._measured(outcomes[outcome] / judged, "fraction", judged, events, expected, detail=detail)

    def _tokens_per_second(self, direction: str) -> Measurement:
        event, answer = self._inference_answer()
        tokens = self._quality(answer, f"{direction}_tokens", "events")
        times = self._quality(answer, "generation_time_s", "events")
        pairs = answer.count(f"{direction}_pairs")
        seen = min(pairs + tokens.non_finite + times.non_finite, tokens.events)
        self._enough(tokens.events, (event,))
        if seen < max(MIN_EVENTS, MIN_COVERAGE * tokens.events):
            try:
                rates = self._sound(answer, f"{direction}_tps", "events", (event,))
            except Inconclusive as reason:
                raise Inconclusive(
                    f"only {seen:,} of {tokens.events:,} {event} events have both {direction}_tokens "
                    f"{self._looked_for(tokens.field)} and generation_time_s {self._looked_for(times.field)}; "
                    f"and {reason}"
                ) from None
            total = answer.number(f"{direction}_tps")
            value = None if total is None else total / rates.usable
            how = f"mean of the rates that {rates.usable:,} requests report, as tokens or times are missing"
            return self._measured(value, "tokens/s", rates.seen, (event,), rates, detail=how)
        amount, time = answer.number(f"{direction}_tokens"), answer.number(f"{direction}_time_s")
        if time == 0:
            raise Inconclusive(f"the generation time of all {pairs:,} {event} events is 0 s, in {self._searched}")
        value = None if amount is None or time is None else amount / time
        how = f"{amount or 0:,.0f} tokens in {time or 0:,.4g} s of generation, {pairs:,} requests"
        return self._measured(value, "tokens/s", seen, (event,), tokens, times, detail=how)

    def _inference_answer(self) -> tuple[str, Answer]:
        """The first kind of inference event that the source has."""
        for event, answer in self.inference.items():
            if answer.count("events"):
                return event, answer
        raise Inconclusive(f"no {' or '.join(self.inference)} {self._among()}")

    def _quality(self, answer: Answer, field: str, events: str) -> Quality:
        counts = [answer.count(f"{field}.{state.value}") for state in State]
        return Quality(field, answer.count(events), *counts)

    def _sound(
        self, answer: Answer, field: str, count: str, events: tuple[str, ...], minimum: int = MIN_EVENTS
    ) -> Quality:
        """What `field` holds in `events`, of which `answer` has `count`; Inconclusive unless enough of it is usable."""
        quality = self._quality(answer, field, count)
        names = " or ".join(events)
        self._enough(quality.events, events, minimum=minimum)
        if quality.seen < max(minimum, MIN_COVERAGE * quality.events):
            raise Inconclusive(
                f"only {quality.seen:,} of {quality.events:,} {names} events have a usable {field} "
                f"{self._looked_for(field)}, in {self._searched}; {quality}"
            )
        return quality

    def _enough(self, number: int, events: tuple[str, ...], remark: str = "", minimum: int = MIN_EVENTS) -> None:
        if number >= minimum:
            return
        names = " or ".join(events) or "event"
        if number == 0:
            raise Inconclusive(_sentence(f"no {names} {self._among()}", remark))
        raise Inconclusive(
            _sentence(f"only {number:,} {names} event(s) {self._among()}", remark, f"at least {minimum} are needed")
        )

    @property
    def _searched(self) -> str:
        """Where was looked, and what was not looked at."""
        return f"{self.source} ({self.left_out})" if str(self.left_out) else self.source

    def _among(self) -> str:
        if not self.inventory:
            return f"among the 0 events of {self._searched}"
        shown = ", ".join(f"{name} ({number:,})" for name, number in self.inventory[:8])
        more = f" and {len(self.inventory) - 8} more kinds" if len(self.inventory) > 8 else ""
        return f"among the {self.total:,} events of {self._searched}, which has {shown}{more}"

    def _looked_for(self, field: str) -> str:
        names = ", ".join(alias.field for alias in self.fields.get(field, ())) or field
        return f"(looked for {names})"

    def _measured(
        self, value: float | None, unit: str, points: int, keys: tuple[str, ...], *flaws: Quality, detail: str = ""
    ) -> Measurement:
        number = math.nan if value is None else value
        non_finite = sum(quality.non_finite for quality in flaws)
        first, last = self.everything.number("first"), self.everything.number("last")
        return Measurement(
            number,
            unit,
            points=points,
            window="" if first is None or last is None else f"{_moment(first)} to {_moment(last)}",
            keys=keys,
            non_finite=non_finite if math.isfinite(number) else max(non_finite, 1),
            detail=_sentence(detail, *map(str, flaws), str(self.left_out)),
        )


def aggregate(
    ask: Callable[[Aggregate], Sequence[Row]], source: str, fields: Fields, left_out: LeftOut = LeftOut()
) -> EventAggregates:
    """Put all questions to a source.

    `ask` answers one aggregate: one row, or none where nothing was asked of; for a breakdown, one row for each value.
    """

    def one(question: Aggregate) -> Answer:
        rows = ask(question)
        return Answer(rows[0] if rows else {})

    everything, rollouts = one(EVERYTHING), one(ROLLOUTS)
    last, p95 = everything.number("last"), rollouts.number(DURATION_QUANTILES[0.95].name)
    cutoff = math.inf if last is None or p95 is None else last - p95
    return EventAggregates(
        source=source,
        fields=fields,
        inventory=tuple((str(row["event"] or "(no name)"), Answer(row).count("events")) for row in ask(INVENTORY)),
        everything=everything,
        rollouts=rollouts,
        by_id=one(rollouts_by_id(cutoff)),
        recent=one(rollouts_since(cutoff)),
        extraction=one(EXTRACTION),
        inference={event: one(inference(event)) for event in INFERENCE_EVENTS},
        left_out=left_out,
    )


def _moment(seconds: float) -> str:
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%d %H:%M:%SZ")


def _sentence(*parts: str) -> str:
    return "; ".join(part for part in parts if part)
