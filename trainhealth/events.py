"""Training events, aggregated: each criterion's number with the evidence behind it.

The source answers nine questions (trainhealth/aggregates.py); everything that turns counts and sums into
verdict-worthy numbers happens here, once, whatever the source. Values are not rounded, so that rounding cannot
carry one over a limit.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Protocol

from trainhealth import event_tables
from trainhealth.aggregates import (
    DURATION_QUANTILES,
    INFERENCE_EVENTS,
    MIN_EVENTS,
    ORDERS_EMPTY,
    ORDERS_EXTRACTED,
    ORDERS_PARTIAL,
    ROLLOUT_COMPLETE,
    ROLLOUT_START,
    Aggregate,
    Question,
    Row,
    State,
    by_event,
    extraction,
    gauges,
    inference,
    recent_problems,
    rollouts,
    rollouts_by_id,
    rollouts_since,
    score_of,
)
from trainhealth.answers import Answer, Quality, added
from trainhealth.attribution import ALL, EVERYBODY, Attribution, Scope, moment, span
from trainhealth.balance import MIN_EXPECTED, equal_shares, wilson
from trainhealth.errors import DataError
from trainhealth.event_profile import Counted, Profile
from trainhealth.measurement import Measurement
from trainhealth.verdicts import Absent, Inconclusive

MIN_COVERAGE = 0.95
"""Share of the events that must hold a field before the rest speaks for all: the coverage every metric must have."""
HEALTHY, DEGRADED, UNHEALTHY = "healthy", "degraded", "unhealthy"


class FieldAlias(Protocol):
    """A source's name for a canonical field; the value times `scale` is in the canonical unit."""

    @property
    def field(self) -> str: ...
    @property
    def scale(self) -> float: ...


Fields = Mapping[str, Sequence[FieldAlias]]
"""Canonical field -> the source's names for it, the first one that an event has counts."""


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
        kinds: for each name of an event, what there is of it, most frequent first.
        horizons: for each horizon, what became of its rollouts: `paired` by rollout_id, or else by counts.
        gauges: for each event of trainer, prefix cache and GPU, what it says.
        powers: for each power, what could be read from its answers.
        adapters: for each adapter, its requests, as the `request` events tell.
        recent: the latest errors and warnings, newest first.
        profile: how errors lie in time and rollouts in duration, as far as there are any.
        players: the powers whose scores and wins `rollouts` holds.
        attribution: how the events were told from others, and what was left out; every message ends with it,
        notes: and with what the source itself has to say of its answers.
    """

    source: str
    fields: Fields
    kinds: tuple[Answer, ...]
    everything: Answer
    rollouts: Answer
    horizons: tuple[Answer, ...]
    fates: Answer
    paired: bool
    gauges: tuple[Answer, ...]
    powers: tuple[Answer, ...]
    extraction: Answer
    adapters: tuple[Answer, ...]
    recent: tuple[Row, ...]
    profile: tuple[Counted, ...] = ()
    players: tuple[str, ...] = ()
    attribution: Attribution = ALL
    notes: tuple[str, ...] = ()

    @property
    def total(self) -> int:
        """All events of the run."""
        return self.everything.count("events")

    @property
    def remarks(self) -> tuple[str, ...]:
        """What a reader must know of the events even where nothing is wrong with what they say."""
        malformed, first = self.attribution.malformed, self.attribution.first_malformed
        lines = "1 malformed record" if malformed == 1 else f"{malformed:,} malformed records"
        return (*([f"{lines} among the events left out, the first: {first}"] if malformed else []), *self.notes)

    def rollout_duration(self, q: float) -> Measurement:
        """The `q` quantile (0.5 or 0.95) of the durations of completed rollouts, in seconds.

        Where the source only estimates quantiles, it gives the exact bounds ``<name>.low`` and ``<name>.high`` as well.
        """
        quantile = DURATION_QUANTILES[q]
        durations = self._sound(
            self.rollouts, quantile.field, "completions", (ROLLOUT_COMPLETE,), minimum=quantile.minimum
        )
        longest = self.rollouts.number("longest")
        rollout, at = self.rollouts.row.get("longest_id"), self.rollouts.number("longest_at")
        mean = self.rollouts.number("rollout_duration_s")
        evidence = "" if mean is None else f"mean {mean / durations.usable:.4g} s, "
        evidence += "" if longest is None else f"longest {longest:.4g} s"
        evidence += f", rollout {rollout}" if evidence and rollout else ""
        evidence += f", completed {moment(at)}" if evidence and at is not None else ""
        low, high = (self.rollouts.number(f"{quantile.name}.{end}") for end in ("low", "high"))
        bounds = (low, high) if low is not None and high is not None and low < high else None
        evidence += f"; estimated, and certainly between {low:.4g} and {high:.4g} s" if bounds else ""
        measured = self._measured(
            self.rollouts.number(quantile.name), "s", durations.seen, (ROLLOUT_COMPLETE,), durations,
            detail=evidence, table=event_tables.by_horizon(self.horizons),
        )  # fmt: skip
        return replace(measured, interval=bounds)

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
        if self.repeated > (1 - MIN_COVERAGE) * quality.events:
            raise Inconclusive(
                f"{self.repeated:,} of {quality.events:,} {ROLLOUT_COMPLETE} events are of rollouts that had completed "
                f"before: they were delivered twice, or rollout_id is used again, in {self._searched}"
            )
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
                f"all {quality.events:,} {ROLLOUT_COMPLETE} events are at {moment(last)}: there is no time span "
                f"to take a rate over, in {self._searched}"
            )
        total = self.rollouts.number("trajectories")
        share = 1.0 if led else (quality.usable - 1) / max(quality.usable, 1)
        value = None if total is None else total * share / span * 3600
        clock = f"{total or 0:,.0f} trajectories in {span / 3600:.4g} h from {moment(begun)}"
        clock += "" if led else f", the first {ROLLOUT_COMPLETE}, as no {ROLLOUT_START} lies before it"
        clock += f"; {self.repeated:,} repeated completions among them" if self.repeated else ""
        return self._measured(value, "/h", quality.seen, (ROLLOUT_START, ROLLOUT_COMPLETE), quality, detail=clock)

    @property
    def repeated(self) -> int:
        """Completions of rollouts that had completed before; 0 where rollouts have no ids."""
        completed = self.fates.count("completed") + self.fates.count("begun_before")
        return max(self.rollouts.count("completions_with_id") - completed, 0) if self.paired else 0

    def rollout_completion(self) -> Measurement:
        """Completed rollouts over started ones, a fraction of at most 1.

        A rollout begun within the last p95 duration before the last event may still be running: without an end
        it is neither completed nor lost. By ``rollout_id`` where events have one: completions of rollouts begun
        before the data do not count, and a rollout that failed and completed on a second attempt has completed.
        Else by counts, where more completions than starts leave the rate open.
        """
        starts, completions = self.rollouts.count("starts"), self.rollouts.count("completions")
        self._enough(starts, (ROLLOUT_START,))
        if self.paired:
            fates = self.fates
            started, completed, running = fates.count("started"), fates.count("completed"), fates.count("running")
            failed, before = fates.count("failed"), fates.count("begun_before")
            how = "paired by rollout_id"
        else:
            started, completed, failed, before = starts, completions, self.rollouts.count("errors"), 0
            if completed > started:
                raise Inconclusive(
                    f"{completed:,} {ROLLOUT_COMPLETE} but {started:,} {ROLLOUT_START} events, without a rollout_id "
                    f"{self._looked_for('rollout_id')} to tell which were begun before the data, in {self._searched}"
                )
            running = min(self.fates.count("recent_starts"), max(started - completed - failed, 0))
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
        with_id = self.rollouts.count("starts_with_id") + self.rollouts.count("completions_with_id")
        left_out = starts + completions - with_id if self.paired else 0
        counts += f", {left_out:,} events without rollout_id left out" if left_out else ""
        counts += f", {self.repeated:,} repeated completions" if self.repeated else ""
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

    def worst_extraction(self) -> Measurement:
        """What the extraction rate of the worst power may be at best, a fraction; powers with `MIN_EVENTS` answers.

        That is the upper end of the 95 % interval of its rate (Wilson 1927): of several powers one is always unlucky.
        """
        events = (ORDERS_EXTRACTED, ORDERS_EMPTY, ORDERS_PARTIAL)
        self._enough(self.extraction.count("events"), events)
        named = [answer for answer in self.powers if answer.text("power")]
        if not named:
            raise Absent(f"no answer names its power {self._looked_for('power')}, in {self._searched}")
        enough = [answer for answer in named if _judged(answer) >= MIN_EVENTS]
        if not enough:
            raise Inconclusive(
                f"none of {len(named)} powers has the {MIN_EVENTS} answers with orders expected that are needed, "
                f"in {self._searched}"
            )
        best = [wilson(answer.count("extracted"), _judged(answer))[1] for answer in enough]
        worst = enough[best.index(min(best))]
        number, extracted = _judged(worst), worst.count("extracted")
        few = [answer.text("power") for answer in named if answer not in enough]
        unnamed = sum(_judged(answer) for answer in self.powers if not answer.text("power"))
        detail = _sentence(
            f"worst is {worst.text('power')}: {extracted:,} of {number:,}, {extracted / number:.2%}",
            f"not judged, as too few: {', '.join(few)}" if few else "",
            f"{unnamed:,} answers without a power left out" if unnamed else "",
        )
        table = event_tables.by_power(self.powers)
        return self._measured(min(best), "fraction", number, events, detail=detail, table=table)

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
        return self._measured(
            errors / self.total, "fraction", self.total, ("level", "*_error"),
            detail=counts, table=event_tables.problems(self.recent),
        )  # fmt: skip

    def health(self) -> Measurement:
        """The word that the published health check has for the error rate: healthy below 1 %, degraded below 5 %,
        else unhealthy. Its table holds every figure for which nobody has set a target.
        """
        rate = self.error_rate()
        assert isinstance(rate.value, float)
        word = HEALTHY if rate.value < 0.01 else DEGRADED if rate.value < 0.05 else UNHEALTHY
        overview = event_tables.overview(self.kinds, self.gauges, self.request, self.adapters)
        return replace(rate, value=word, unit="", vocabulary=(HEALTHY, DEGRADED, UNHEALTHY), table=overview)

    def power_participation(self) -> Measurement:
        """How likely it is that powers that take part equally come out as uneven as these, from 0 to 1.

        A power took part in a completed game that gives its score; where no game gives scores, by its answers.
        Pearson's chi-square test.
        """
        counts = {power: self.rollouts.count(f"{score_of(power)}.usable") for power in self.players}
        what = "games"
        events: tuple[str, ...] = (ROLLOUT_COMPLETE,)
        if not any(counts.values()):
            counts = {answer.text("power"): answer.count("events") for answer in self.powers if answer.text("power")}
            what, events = "answers", (ORDERS_EXTRACTED, ORDERS_EMPTY, ORDERS_PARTIAL)
        if not counts:
            raise Absent(
                f"no game gives scores by power {self._looked_for(score_of(next(iter(self.players), '')))}, "
                f"and no answer names its power {self._looked_for('power')}, in {self._searched}"
            )
        if max(counts.values()) < MIN_EVENTS:
            raise Inconclusive(f"no power has {MIN_EVENTS} {what}, in {self._searched}")
        return self._evenness(counts, what, events)

    def power_wins(self) -> Measurement:
        """How likely it is that equally strong powers win games as unevenly as these do, from 0 to 1.

        Pearson's chi-square test over the completed games that name one of the powers as winner.
        """
        if not self.rollouts.count("games_won"):
            raise Absent(f"no completed game names its winner {self._looked_for('winner')}, in {self._searched}")
        return self._evenness(
            {power: self.rollouts.count(f"wins.{power}") for power in self.players}, "wins", (ROLLOUT_COMPLETE,)
        )

    def power_scores(self) -> Measurement:
        """The highest mean final score of a power; `reference` is the mean of all powers'."""
        games = {power: self.rollouts.count(f"{score_of(power)}.usable") for power in self.players}
        if not any(games.values()):
            looked = self._looked_for(score_of(next(iter(self.players), "")))
            raise Absent(f"no completed game gives scores by power {looked}, in {self._searched}")
        few = {power: number for power, number in games.items() if number < MIN_EVENTS}
        if few:
            power, number = next(iter(few.items()))
            raise Inconclusive(f"only {number:,} games with a score of {power}; {MIN_EVENTS} are needed of each power, "
                               f"in {self._searched}")  # fmt: skip
        means = {power: self.rollouts.mean(score_of(power)) or 0.0 for power in self.players}
        best, worst = max(means, key=means.__getitem__), min(means, key=means.__getitem__)
        mean = sum(means.values()) / len(means)
        if mean <= 0:
            raise Inconclusive(f"the mean score of all powers is {mean:.4g}: none is a multiple of it")
        found = self._measured(
            means[best], "", sum(games.values()), (ROLLOUT_COMPLETE,),
            detail=f"{best} has the highest mean score, {worst} the lowest, {means[worst]:.4g}",
            table=event_tables.outcomes(self.rollouts, self.players),
        )  # fmt: skip
        return replace(found, reference=mean, reference_name="the mean of all powers")

    def _evenness(self, counts: Mapping[str, int], what: str, events: tuple[str, ...]) -> Measurement:
        number = sum(counts.values())
        needed = max(MIN_EVENTS, math.ceil(MIN_EXPECTED * len(counts)))
        if number < needed:
            raise Inconclusive(f"only {number:,} {what} over {len(counts)} powers; {needed} are needed, "
                               f"in {self._searched}")  # fmt: skip
        if len(counts) < 2:
            raise Inconclusive(f"only one power, {next(iter(counts))}, has {what}, in {self._searched}")
        most, least = max(counts, key=counts.__getitem__), min(counts, key=counts.__getitem__)
        detail = f"{number:,} {what}: most {most} ({counts[most]:,}), least {least} ({counts[least]:,})"
        table = event_tables.outcomes(self.rollouts, self.players)
        return self._measured(equal_shares([*counts.values()]), "", number, events, detail=detail, table=table)

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

    def slowest_adapter(self) -> Measurement:
        """The least output tokens per second of an adapter's requests; of adapters with at least `MIN_EVENTS`.

        Requests without an adapter went to the base model, which is judged like an adapter.
        """
        event, requests = self.request, self.adapters
        if not requests:
            raise Inconclusive(f"no {' or '.join(INFERENCE_EVENTS)} {self._among()}")
        if not any(answer.text("adapter") for answer in requests):
            raise Absent(f"no {event} names its adapter {self._looked_for('adapter')}, in {self._searched}")
        speeds = [
            (speed, answer)
            for answer in requests
            if answer.count("output_pairs") >= MIN_EVENTS and (speed := event_tables.speed(answer)) is not None
        ]
        if not speeds:
            raise Inconclusive(
                f"none of {len(requests)} adapters has the {MIN_EVENTS} requests with tokens and time that are needed, "
                f"in {self._searched}"
            )
        least, slowest = min(speeds, key=lambda pair: pair[0])
        detail = f"slowest is {slowest.text('adapter') or 'the base model'}, of {len(speeds)} with enough requests"
        few = len(requests) - len(speeds)
        detail += f"; {few} with too few not judged" if few else ""
        return self._measured(
            least, "tokens/s", slowest.count("output_pairs"), (event,),
            self._quality(slowest, "output_tokens", "events"), self._quality(slowest, "generation_time_s", "events"),
            detail=detail, table=event_tables.by_adapter(requests),
        )  # fmt: skip

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
        table = event_tables.by_adapter(self.adapters)
        return self._measured(value, "tokens/s", seen, (event,), tokens, times, detail=how, table=table)

    def _inference_answer(self) -> tuple[str, Answer]:
        """All requests as one."""
        if not self.adapters:
            raise Inconclusive(f"no {' or '.join(INFERENCE_EVENTS)} {self._among()}")
        return self.request, added(inference(None, self.request).measures, self.adapters)

    @property
    def request(self) -> str:
        """The first kind of inference event that the source has."""
        return _request(self.kinds)

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
        return f"{self.source} ({self.attribution})" if str(self.attribution) else self.source

    def _among(self) -> str:
        if not self.kinds:
            return f"among the 0 events of {self._searched}"
        shown = ", ".join(f"{kind.text('event') or '(no name)'} ({kind.count('events'):,})" for kind in self.kinds[:8])
        more = f" and {len(self.kinds) - 8} more kinds" if len(self.kinds) > 8 else ""
        return f"among the {self.total:,} events of {self._searched}, which has {shown}{more}"

    def _looked_for(self, field: str) -> str:
        names = ", ".join(alias.field for alias in self.fields.get(field, ())) or field
        return f"(looked for {names})"

    def _measured(
        self,
        value: float | None,
        unit: str,
        points: int,
        keys: tuple[str, ...],
        *flaws: Quality,
        detail: str = "",
        table: Sequence[Row] = (),
    ) -> Measurement:
        number = math.nan if value is None else value
        non_finite = sum(quality.non_finite for quality in flaws)
        first, last = self.everything.number("first"), self.everything.number("last")
        return Measurement(
            number,
            unit,
            points=points,
            window="" if first is None or last is None else span((first, last)),
            keys=keys,
            non_finite=non_finite if math.isfinite(number) else max(non_finite, 1),
            where=", ".join(quality.field for quality in flaws if quality.non_finite),
            detail=_sentence(detail, *map(str, flaws), str(self.attribution), *self.notes),
            table=tuple(table),
        )


def aggregate(
    ask: Callable[[Question], Sequence[Row]],
    source: str,
    fields: Fields,
    scope: Scope = EVERYBODY,
    powers: Sequence[str] = (),
    malformed: tuple[int, str] = (0, ""),
) -> EventAggregates:
    """Put all questions to a source; at most nine of them, one after the other.

    Args:
        ask: answers one question, with one row, or none of nothing; by groups or events, with a row for each.
        source: where the events come from, for people.
        scope: whose events are wanted.
        powers: the players of the games whose scores and wins are counted.
        malformed: how many records were no events, and where the first is.

    Raises:
        Inconclusive: none of the events belongs to the run.
        DataError: the source has more groups than can be added up.
    """

    def groups(question: Aggregate) -> tuple[Answer, ...]:
        rows = ask(question)
        if len(rows) >= question.limit:
            raise DataError(
                f"{source}: has more than {question.limit - 1:,} different values of {' and '.join(question.by)}; "
                f"ask for a shorter time, or correct the names under events: in thresholds.yaml"
            )
        return tuple(map(Answer, rows))

    division = scope.divide(groups(scope.question))
    mine = division.mine
    question = by_event(mine, division.by_time, division.by_rollout, division.shared)
    kinds = groups(question)
    everything = added(question.measures, kinds)
    attribution = division.attribution(everything)
    if division.events and not everything.count("events"):
        raise Inconclusive(
            f"none of the {division.events:,} events in {source} belongs to this run: {attribution.of_no_concern}"
        )
    overall = Answer(next(iter(ask(rollouts(mine, powers))), {}))
    last, p95 = everything.number("last"), overall.number(DURATION_QUANTILES[0.95].name)
    cutoff = math.inf if last is None or p95 is None else last - p95
    numbered = overall.count("starts_with_id") + overall.count("completions_with_id")
    paired = numbered >= MIN_COVERAGE * (overall.count("starts") + overall.count("completions"))
    ends = rollouts_by_id(mine, cutoff) if paired else rollouts_since(mine, cutoff)
    horizons = groups(ends)
    answers = groups(extraction(mine))
    profile = Profile.of(everything, overall)
    binned = profile.question(mine)
    return EventAggregates(
        source=source,
        fields=fields,
        kinds=kinds,
        everything=everything,
        rollouts=overall,
        horizons=horizons,
        fates=added(ends.measures, horizons),
        paired=paired,
        gauges=groups(gauges(mine)),
        powers=answers,
        extraction=added(extraction(None).measures, answers),
        adapters=groups(inference(mine, _request(kinds))),
        recent=tuple(ask(recent_problems(mine))),
        profile=profile.counted(Answer(next(iter(ask(binned)), {}))) if binned else (),
        players=tuple(powers),
        attribution=attribution.with_malformed(*malformed),
    )


def _request(kinds: Sequence[Answer]) -> str:
    there = {kind.text("event").lower() for kind in kinds}
    return next((event for event in INFERENCE_EVENTS if event in there), INFERENCE_EVENTS[0])


def _judged(answer: Answer) -> int:
    return sum(answer.count(outcome) for outcome in ("extracted", "empty", "partial"))


def _sentence(*parts: str) -> str:
    return "; ".join(part for part in parts if part)
