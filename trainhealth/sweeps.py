"""Runs of one sweep side by side: which is ahead, by how much, and how sure that is.

Of every run a sheet is kept, not its history, so that hundreds of runs fit. Runs are compared at a step that all of
them reached, and only by what does not train along: the base model and the scripted bots.
"""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property, partial
from typing import Any, Literal, TypeVar

import numpy as np
from pydantic import BaseModel, ConfigDict

from trainhealth.errors import DataError
from trainhealth.measurement import Measurement
from trainhealth.ratings import MIN_POINTS, SETTLED, Agent, Ratings, Role, Z
from trainhealth.run import Run
from trainhealth.secrets import NOT_SHOWN, is_secret
from trainhealth.series import Series
from trainhealth.verdicts import Inconclusive, NotApplicable

UNSTABLE_KL = 10.0
"""A run whose KL ever exceeded this is called unstable [published sweep analysis]."""

COMPARABLE = 0.5
"""Share of the longest run's steps that a run needs for any comparison: sheets tell of no step before."""

QUORUM = 0.75
"""Runs are compared at the last step that this share of them reached; one that broke off does not cut all others."""

LEVEL_SHARE = 5
"""Where a metric stands is the median over the last fifth of its points: one lucky step is no result."""

RUNGS = 16
"""A sheet says where the run stood at so many steps of its second half or more: those where it may be cut."""

SHEET = "sheet"
SWEEP = "sweep"
"""Names of the user properties that carry a RunSheet and a Comparison, as JSON, in pytest's test reports."""

T = TypeVar("T")

BROKEN_OFF = ("crashed", "failed", "killed", "preempted")

METRICS = ("kl", "kl_max", "grad_norm", "reward", "supply_centres", "win_rate", "top3_rate")
"""Canonical metrics of a sheet, besides the ratings."""


class _Plain(BaseModel):
    """Plain data: it crosses process borders and is written to sweep.json."""

    model_config = ConfigDict(frozen=True, extra="forbid", ser_json_inf_nan="strings")


class Standing(_Plain):
    """Where one run stood at one training step; None for what it does not log, or not often enough. Ratings in Elo."""

    step: float
    base_model: float | None = None
    bots: dict[str, float] = {}
    lost: dict[str, float] = {}
    """What the base model and each bot lost since their first ratings."""
    best_checkpoint: str = ""
    best_elo: float | None = None
    gap: float | None = None
    """The best checkpoint above the base model."""
    gap_error: float | None = None
    """Standard error of the gap, of this one run: another seed may differ by more."""
    unrated: str = ""
    """Why there is no gap."""
    kl_mean: float | None = None
    """Level of the mean KL of a batch. This and what follows: median over the last fifth of the points so far."""
    kl_max: float | None = None
    """The highest KL, of a batch or within one, of any step so far; infinite where one was not a number."""
    grad_norm: float | None = None
    reward: float | None = None
    supply_centres: float | None = None
    win_rate: float | None = None
    top3_rate: float | None = None


class RunSheet(_Plain):
    """What a sweep keeps of one run."""

    run: str
    """The label, as in `RunSummary`."""
    name: str = ""
    state: str = ""
    axis: str
    """The metric that counts the training steps."""
    last_step: float
    config: dict[str, Any] = {}
    """Flattened; what is no number, word or truth value as JSON text."""
    standings: tuple[Standing, ...]
    """At steps of `rungs`, ascending; the last one is at the run's last step."""

    @property
    def kl_max(self) -> float | None:
        """The highest KL of the whole run: what comes after the step of a comparison makes it unstable all the same."""
        return self.standings[-1].kl_max

    @property
    def unstable(self) -> bool:
        return self.kl_max is not None and self.kl_max > UNSTABLE_KL

    def at(self, step: float) -> Standing:
        """Where the run stood at `step`, or at the last rung before it."""
        return next((one for one in reversed(self.standings) if one.step <= step), self.standings[0])


class Row(_Plain):
    """One run in the table of a sweep."""

    run: str
    title: str
    """What people call it: its display name; with its label where two have the same."""
    state: str
    last_step: float
    standing: Standing
    unstable: bool
    """Whether its KL ever exceeded 10, or was no number, be it after the step of the comparison."""
    apart: str = ""
    """Why the run is not compared with the others; its standing is then that of its own last step."""


class Ranking(_Plain):
    """Runs in the order of one number, the best first."""

    title: str
    best: Literal["highest", "lowest"]
    runs: tuple[tuple[str, float], ...]


class Race(_Plain):
    """The run ahead by gap and the one behind it, at one step."""

    step: float
    runs: int
    """How many runs were in it."""
    winner: str
    gap: float
    runner_up: str | None = None
    margin: float | None = None
    interval: tuple[float, float] | None = None
    """95 % interval of the margin; None where an error is not known."""
    undecided: tuple[str, ...] = ()
    """Runs that the winner is not surely ahead of at 95 %."""


class Comparison(_Plain):
    """A whole sweep, for reports and sweep.json."""

    name: str
    step: float | None
    """The step at which the runs are compared; None where no two can be."""
    axis: str
    rows: tuple[Row, ...]
    """By gap, the best first; runs set apart at the end."""
    unread: tuple[str, ...]
    """Runs that could not be read: their own verdicts say why."""
    rankings: tuple[Ranking, ...]
    race: Race | None
    differing: dict[str, dict[str, Any]]
    """Config key -> run -> value, of the keys that are not alike in all runs; None where a run has no such key."""
    notes: tuple[str, ...]


# One run --------------------------------------------------------------------------------------------------------------


def rungs(last: float) -> list[float]:
    """Steps at which runs that end at about `last` can be cut, ascending: multiples of a power of 2 from about the
    half on, and `last` itself.

    For any two runs of which one came half as far as the other, they agree wherever the shorter one may end.
    """
    if last <= 0 or not math.isfinite(last):
        return [last]
    unit = _unit(last)
    multiples = np.arange(math.floor(COMPARABLE * last / unit), math.ceil(last / unit)) * unit
    return [*multiples[multiples > 0].tolist(), last]


def _unit(last: float) -> float:
    return float(2.0 ** (math.floor(math.log2(last)) + 1) / (2 * RUNGS))


def run_sheet(run: Run) -> RunSheet:
    """All that a sweep needs of `run`. Raises Inconclusive for a run without history rows."""
    axis = run.steps
    if not run.record.history.length:
        raise Inconclusive("the run has no history rows")
    rated = _known(lambda: run.ratings)
    measured = {name: _known(partial(run.metric, name)) for name in METRICS}
    metrics = {name: one for name, one in measured.items() if isinstance(one, Series)}
    steps = [step for step in rungs(axis.last) if step >= axis.first]
    return RunSheet(
        run=run.label,
        name=run.record.name,
        state=run.record.state,
        axis=axis.key,
        last_step=axis.last,
        config={
            key: NOT_SHOWN if is_secret(key, value) else _scalar(value) for key, value in run.record.config.items()
        },
        standings=tuple(_standing(step, rated, metrics) for step in steps),
    )


def _known(measure: Callable[[], T]) -> T | str:
    """What is measured, or why it cannot be."""
    try:
        return measure()
    except (Inconclusive, NotApplicable) as error:
        return str(error)


def _scalar(value: Any) -> Any:
    return value if isinstance(value, str | int | float | bool) else json.dumps(value, sort_keys=True, default=str)


def _standing(step: float, rated: Ratings | str, metrics: Mapping[str, Series]) -> Standing:
    so_far = {name: one.until(step) for name, one in metrics.items()}
    levels = {name: level for name, one in so_far.items() if (level := _level(one)) is not None}
    highest = [_highest(so_far[name]) for name in ("kl", "kl_max") if name in so_far and len(so_far[name])]
    found = Standing(
        step=step,
        kl_mean=levels.get("kl"),
        kl_max=max(highest, default=None),
        **{name: levels.get(name) for name in METRICS if name not in ("kl", "kl_max")},
    )
    if isinstance(rated, str):
        return found.model_copy(update={"unrated": rated})
    return found.model_copy(update=_rated(rated.until(step)))


def _rated(ratings: Ratings) -> dict[str, Any]:
    """The fields of `Standing` that come from ratings."""
    fixed = [agent for agent in ratings.agents if agent.role is not Role.CHECKPOINT and _settled(agent)]
    found: dict[str, Any] = {
        "bots": {agent.name: agent.standing for agent in fixed if agent.role is Role.REFERENCE},
        "lost": {agent.name: -agent.shift for agent in fixed},
    }
    try:
        base, checkpoints = ratings.base(), ratings.checkpoints()
        best = max(checkpoints, key=lambda checkpoint: checkpoint.standing)
        if not all(math.isfinite(agent.standing) for agent in (base, *checkpoints)):
            raise Inconclusive("a rating is NaN or infinite")
        found |= {"base_model": base.standing, "best_checkpoint": best.name, "best_elo": best.standing}
        error = math.sqrt(2) * ratings.noise.of_mean(SETTLED)  # of two medians of ratings that wander alike
        return found | {"gap": best.standing - base.standing, "gap_error": error}
    except Inconclusive as error:
        return found | {"unrated": str(error)}


def _settled(agent: Agent) -> bool:
    """Whether the agent is rated often enough, to the end, and with numbers."""
    if len(agent.series) < MIN_POINTS or not math.isfinite(agent.shift):
        return False
    return not isinstance(_known(agent.series.require_fresh), str)


def _level(series: Series) -> float | None:
    values = series.finite
    return float(np.median(values[-max(1, len(values) // LEVEL_SHARE) :])) if len(values) else None


def _highest(series: Series) -> float:
    """Of any sign; a value that is no number is as high as can be."""
    return float(np.max(np.where(np.isfinite(series.values), np.abs(series.values), np.inf)))


# All of them ----------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Sweep:
    """The runs of a sweep.

    Attributes:
        name: what the user asked for.
        sheets: of the runs that could be read, in the user's order.
        unread: labels of the others.
    """

    name: str
    sheets: tuple[RunSheet, ...]
    unread: tuple[str, ...] = ()

    @cached_property
    def _axis(self) -> str:
        axes = [sheet.axis for sheet in self.sheets]
        return max(dict.fromkeys(axes), key=axes.count, default="")

    @cached_property
    def _longest(self) -> float:
        return max((sheet.last_step for sheet in self.sheets if sheet.axis == self._axis), default=0.0)

    @cached_property
    def _comparable(self) -> tuple[RunSheet, ...]:
        """Those whose sheets can be held against each other at some step."""
        needed = COMPARABLE * self._longest
        return tuple(sheet for sheet in self.sheets if sheet.axis == self._axis and sheet.last_step >= needed)

    def _rung(self, step: float) -> float:
        """The last step up to `step` at which all comparable sheets that came so far have a standing."""
        return math.floor(step / _unit(self._longest)) * _unit(self._longest) if self._longest > 0 else step

    @cached_property
    def compared(self) -> tuple[RunSheet, ...]:
        """Those that reached the step which most reached."""
        ends = sorted((sheet.last_step for sheet in self._comparable), reverse=True)
        if not ends:
            return ()
        reached = self._rung(ends[math.ceil(QUORUM * len(ends)) - 1])
        return tuple(sheet for sheet in self._comparable if sheet.last_step >= reached)

    @cached_property
    def apart(self) -> Mapping[str, str]:
        """Runs that are not compared with the others -> why, and what can be said of them."""
        compared = {sheet.run for sheet in self.compared}
        return {sheet.run: self._why_apart(sheet) for sheet in self.sheets if sheet.run not in compared}

    def _why_apart(self, sheet: RunSheet) -> str:
        if sheet.axis != self._axis:
            return f"counts its steps by {sheet.axis}, the others by {self._axis}"
        ended = f"{sheet.state} at step {sheet.last_step:.15g} of {self._longest:.15g}"
        if sheet not in self._comparable:
            return f"{ended}, too early to compare"
        step = self._rung(sheet.last_step)
        gaps = {one.run: one.at(step).gap for one in self._comparable if one.last_step >= step}
        order = [run for run, _ in _ranking("", "highest", _present(gaps)).runs]
        place = f"number {order.index(sheet.run) + 1} of {len(order)} by gap" if sheet.run in order else "not rated"
        return f"{ended}; at step {step:.15g} it was {place}"

    @cached_property
    def titles(self) -> Mapping[str, str]:
        """Label -> what people call the run."""
        names = [sheet.name for sheet in self.sheets]
        titles = {run: run for run in self.unread}
        for sheet in self.sheets:
            alone = sheet.name and names.count(sheet.name) == 1
            titles[sheet.run] = sheet.name if alone else f"{sheet.name} {sheet.run}".strip()
        return titles

    @cached_property
    def step(self) -> float | None:
        """The step that the runs are compared at: the last one that all of them have a standing at."""
        ends = {sheet.last_step for sheet in self.compared}
        return self._rung(min(ends)) if len(ends) > 1 else next(iter(ends), None)

    @cached_property
    def standings(self) -> Mapping[str, Standing]:
        """Of the compared runs, at the common step."""
        return {} if self.step is None else {sheet.run: sheet.at(self.step) for sheet in self.compared}

    def by_gap(self) -> Ranking:
        return _ranking("gap: best checkpoint above base_model", "highest", self._all("gap"))

    def by_base_model(self) -> Ranking:
        return _ranking("Elo of base_model", "lowest", self._all("base_model"))

    def by_references_lost(self) -> Ranking:
        """By what the base model and the bots lost since their first ratings; only those that every run rates."""
        held = [set(one.lost) for one in self.standings.values() if one.lost]
        shared = sorted(set.intersection(*held)) if held else []
        lost = {run: sum(one.lost[name] for name in shared) for run, one in self.standings.items() if one.lost}
        return _ranking(f"Elo lost by {', '.join(shared)}", "highest", lost if shared else {})

    def race(self) -> Race | None:
        """Who leads by gap; None where no run has one."""
        ranked = self.by_gap().runs
        if not ranked or self.step is None:
            return None
        (winner, gap), *others = ranked
        alone = Race(step=self.step, runs=len(ranked), winner=winner, gap=gap)
        if not others:
            return alone
        leads = {run: self.lead(winner, run) for run, _ in others}
        runner_up, second = others[0]
        return alone.model_copy(
            update={
                "runner_up": runner_up,
                "margin": gap - second,
                "interval": leads[runner_up],
                "undecided": tuple(run for run, interval in leads.items() if interval is None or interval[0] <= 0),
            }
        )

    def lead(self, run: str, other: str) -> tuple[float, float] | None:
        """95 % interval of the gap of `run` less that of `other`; None where one is not known, or how sure it is."""
        one, two = self.standings[run], self.standings[other]
        if one.gap is None or two.gap is None or one.gap_error is None or two.gap_error is None:
            return None
        reach = Z * math.hypot(one.gap_error, two.gap_error)
        return one.gap - two.gap - reach, one.gap - two.gap + reach

    def differing(self) -> dict[str, dict[str, Any]]:
        """Config keys that are not alike in all runs; those that tell runs apart by words alone come last."""
        keys = dict.fromkeys(key for sheet in self.sheets for key in sheet.config)
        values = {key: {sheet.run: sheet.config.get(key) for sheet in self.sheets} for key in keys}
        found = {key: by_run for key, by_run in values.items() if len({repr(one) for one in by_run.values()}) > 1}
        return dict(sorted(found.items(), key=lambda item: (_names_runs(item[1]), item[0])))

    def compare(self) -> Comparison:
        standings = self.standings
        order = {run: place for place, (run, _) in enumerate(self.by_gap().runs)}
        rows = [
            Row(
                run=sheet.run,
                title=self.titles[sheet.run],
                state=sheet.state,
                last_step=sheet.last_step,
                standing=standings.get(sheet.run, sheet.standings[-1]),
                unstable=sheet.unstable,
                apart=self.apart.get(sheet.run, ""),
            )
            for sheet in self.sheets
        ]
        rows.sort(key=lambda row: (bool(row.apart), order.get(row.run, len(order))))
        return Comparison(
            name=self.name,
            step=self.step,
            axis=self._axis,
            rows=tuple(rows),
            unread=self.unread,
            rankings=tuple(one for one in self._rankings() if one.runs),
            race=self.race(),
            differing=self.differing(),
            notes=tuple(self._notes()),
        )

    def _all(self, field: str) -> dict[str, float]:
        return _present({run: getattr(one, field) for run, one in self.standings.items()})

    def _rankings(self) -> Iterator[Ranking]:
        yield self.by_gap()
        yield self.by_base_model()
        yield self.by_references_lost()

    def _notes(self) -> Iterator[str]:
        ends = sorted({sheet.last_step for sheet in self.compared})
        if len(ends) > 1 and self.step is not None:
            short = [sheet for sheet in self.compared if sheet.last_step < ends[-1]]
            why = [f"{self.titles[sheet.run]} ({sheet.state} at {sheet.last_step:.15g})" for sheet in short]
            yield f"all are compared at step {self.step:.15g} of {ends[-1]:.15g}, because of {few(why)}"
        for run, why_apart in self.apart.items():
            yield f"{self.titles[run]} is set apart: {why_apart}"
        broken = [self.titles[sheet.run] for sheet in self.compared if sheet.state in BROKEN_OFF]
        if broken:
            yield f"broke off and compared all the same: {few(broken)}"
        unrated = {run: one.unrated for run, one in self.standings.items() if one.gap is None}
        for reason in dict.fromkeys(unrated.values()):
            runs = [self.titles[run] for run, why_not in unrated.items() if why_not == reason]
            yield f"not ranked by gap: {few(runs)}: {reason}"
        if self.unread:
            yield f"could not be read: {few(self.unread)}"


def few(names: Sequence[str], most: int = 8) -> str:
    """``a, b and 3 more``"""
    named = ", ".join(names[:most])
    return named if len(names) <= most else f"{named} and {len(names) - most} more"


def _ranking(title: str, best: Literal["highest", "lowest"], values: Mapping[str, float]) -> Ranking:
    known = [(run, value) for run, value in values.items() if math.isfinite(value)]
    sign = -1 if best == "highest" else 1
    return Ranking(title=title, best=best, runs=tuple(sorted(known, key=lambda item: (sign * item[1], item[0]))))


def _present(values: Mapping[str, float | None]) -> dict[str, float]:
    return {run: value for run, value in values.items() if value is not None}


def _names_runs(by_run: Mapping[str, Any]) -> bool:
    """Whether every run has a word of its own here: an output folder, a run name."""
    words = {value for value in by_run.values() if isinstance(value, str)}
    return len(words) == len(by_run)


# What is judged -------------------------------------------------------------------------------------------------------


def lead(sweep: Sweep) -> Measurement:
    """Elo by which the run ahead leads the next one by its gap. The 95 % interval begins where its least sure lead over
    any other run does.

    The observed best is the true best if it beats every other at the two-sided level, whatever their number: no
    correction for having looked for the best is due (Gutmann and Maymin, Annals of Statistics 15, 1987).

    Raises:
        NotApplicable: no run has a gap.
        Inconclusive: only one has, or the ratings are too few to say how sure a lead is.
    """
    race = sweep.race()
    if race is None:
        why = next((one.unrated for one in sweep.standings.values() if one.unrated), "no run can be compared")
        raise NotApplicable(f"no run has a lead over the base model: {why}")
    winner = sweep.titles[race.winner]
    if race.runner_up is None or race.margin is None:
        raise Inconclusive(f"{winner} alone has a lead over the base model that can be compared")
    others = [run for run, _ in sweep.by_gap().runs if run != race.winner]
    intervals = [sweep.lead(race.winner, run) for run in others]
    unsure = [sweep.titles[run] for run, interval in zip(others, intervals, strict=True) if interval is None]
    if unsure or race.interval is None:
        raise Inconclusive(f"{winner} is ahead, but the ratings are too few to say how surely of {few(unsure)}")
    undecided = f"; not surely ahead of {few([sweep.titles[run] for run in race.undecided])}" if race.undecided else ""
    return Measurement(
        race.margin,
        unit="Elo",
        points=race.runs,
        window=f"to step {race.step:.15g}",
        interval=(min(interval[0] for interval in intervals if interval), race.interval[1]),
        detail=f"{winner} leads {sweep.titles[race.runner_up]}{undecided}",
        table=tuple({"run": sweep.titles[run], "gap": gap} for run, gap in sweep.by_gap().runs),
    )


def stability(sweep: Sweep) -> Measurement:
    """Number of runs whose KL ever exceeded 10, or was not a number.

    Raises:
        NotApplicable: no run logs its KL.
        Inconclusive: some do not, and none of the others is unstable.
    """
    measured = {sheet.run: sheet.kl_max for sheet in sweep.sheets if sheet.kl_max is not None}
    unstable = [sheet.run for sheet in sweep.sheets if sheet.unstable]
    unknown = [sheet.run for sheet in sweep.sheets if sheet.run not in measured] + list(sweep.unread)
    if not measured:
        raise NotApplicable("no run logs its KL")
    if unknown and not unstable:
        raise Inconclusive(
            f"nothing is known of the KL of {len(unknown)} runs: {few([sweep.titles[run] for run in unknown])}"
        )
    return Measurement(
        float(len(unstable)),
        unit="runs",
        points=len(measured),
        window="whole runs",
        detail=few([f"{sweep.titles[run]}: KL up to {measured[run]:.4g}" for run in unstable]),
        table=tuple({"run": sweep.titles[run], "KL max": value} for run, value in measured.items()),
    )


def completeness(sweep: Sweep) -> Measurement:
    """Share of the runs that did not break off, and came far enough to be compared.

    Raises:
        DataError: a run could not be read; nobody knows how it ended.
    """
    if sweep.unread:
        raise DataError(f"{len(sweep.unread)} of the runs could not be read: {few(list(sweep.unread))}")
    lost = {
        sheet.run: f"{sheet.state} at {sheet.last_step:.15g}" for sheet in sweep.sheets if sheet.state in BROKEN_OFF
    }
    lost |= sweep.apart
    total = len(sweep.sheets)
    if not total:
        raise Inconclusive("no run of the sweep was read")
    return Measurement(
        1 - len(lost) / total,
        unit="fraction",
        points=total,
        window="all runs",
        detail=few([f"{sweep.titles[run]} {why}" for run, why in lost.items()]),
    )
