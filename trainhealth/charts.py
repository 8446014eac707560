"""What is worth a look in a run: lines over training steps with the limits, windows and spikes that judge them.

A chart is plain data that any report can draw. Lines are thinned to at most 2 x `BUCKETS` points, of which none hides
a spike: each bucket of steps keeps its lowest and its highest value, and every non-finite point is kept apart.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from pydantic import BaseModel, ConfigDict

from trainhealth.aggregates import TIME
from trainhealth.event_profile import Counted
from trainhealth.events import EventAggregates
from trainhealth.history import Floats
from trainhealth.limits import Bound, Kind
from trainhealth.ratings import Agent, Role, Z
from trainhealth.run import Run
from trainhealth.series import Series
from trainhealth.spikes import beyond_gradients, beyond_kl
from trainhealth.thresholds import Criterion, Thresholds
from trainhealth.verdicts import Inconclusive, NotApplicable

BUCKETS = 240
"""Buckets a line is thinned to; a chart is about 700 pixels wide."""

MARKS = 50
"""Spikes that are marked, the highest first."""


class Line(BaseModel):
    """One line; `values` may be lower than the true ones by half of their sixth digit."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: str
    role: str = ""
    """Of an agent: base model, reference or checkpoint."""
    steps: tuple[float, ...]
    values: tuple[float, ...]
    lost: tuple[float, ...] = ()
    """Steps at which the value is NaN or infinite."""
    spread: tuple[float, ...] = ()
    """Half of the 95 % interval around each of `values`, where all of them have one."""

    def thinned(self, buckets: int) -> Line:
        """The same with at most 2 x `buckets` points, the lowest and the highest of every stretch among them."""
        at = _envelope(np.array(self.steps), np.array(self.values), buckets)
        kept = {name: tuple(getattr(self, name)[one] for one in at) for name in ("steps", "values")}
        spread = tuple(self.spread[one] for one in at) if self.spread else ()
        return self.model_copy(update={**kept, "spread": spread})


class Rule(BaseModel):
    """A limit as a horizontal line."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    verdict: str
    sign: str
    number: float


class Chart(BaseModel):
    """Lines over one axis.

    Attributes:
        points: how many raw points the lines were made of.
        window: first and last step of the window that was judged.
        spikes: (step, value) of single points beyond what surrounds them.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    title: str
    unit: str = ""
    axis: str = "step"
    lines: tuple[Line, ...]
    points: int
    rules: tuple[Rule, ...] = ()
    window: tuple[float, float] | None = None
    spikes: tuple[tuple[float, float], ...] = ()

    def thinned(self, buckets: int) -> Chart:
        """The same with lines of at most 2 x `buckets` points."""
        return self.model_copy(update={"lines": tuple(one.thinned(buckets) for one in self.lines)})


class Bars(BaseModel):
    """How many of one kind there are in each bin."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: str
    role: str = ""
    """The verdict whose colour it has, if any."""
    counts: tuple[int, ...]


class Histogram(BaseModel):
    """Counts in bins of equal width, the kinds on top of each other.

    Attributes:
        unit: of the axis; ``time`` where it is unix seconds.
        start: where the first bin begins; all are `width` wide, and the last holds what lies beyond as well.
        rules: limits, as vertical lines.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    title: str
    unit: str
    start: float
    width: float
    bars: tuple[Bars, ...]
    rules: tuple[Rule, ...] = ()

    @property
    def timed(self) -> bool:
        return self.unit == TIME


class Histograms(BaseModel):
    """What a run's events look like."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    run: str
    """The run id as the user gave it."""
    histograms: tuple[Histogram, ...]


class Charts(BaseModel):
    """All charts of one run."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    run: str
    """The run id as the user gave it."""
    charts: tuple[Chart, ...]


CHARTS = "charts"
HISTOGRAMS = "histograms"
"""Names of the user properties that carry `Charts` and `Histograms`, as JSON, in pytest's test reports."""


@dataclass(frozen=True, slots=True)
class _Plan:
    """Metrics that share a chart, the criterion whose limits and window are drawn in, and what a spike is in them."""

    title: str
    metrics: tuple[str, ...]
    criterion: str = ""
    beyond: Callable[[Series], npt.NDArray[np.bool_]] | None = None


_PLANS = (
    _Plan("Reward", ("reward",)),
    _Plan("KL to the reference policy", ("kl", "kl_max"), "stability.kl_level", beyond_kl),
    _Plan("Gradient norm", ("grad_norm",), "stability.grad_norm_level", beyond_gradients),
    _Plan("Entropy", ("entropy",)),
)


def charts_of(run: Run) -> Charts:
    """The charts of a run: ratings first, then what its trainer logs; none for what it does not."""
    metrics = (chart for plan in _PLANS if (chart := _metrics(run, plan)))
    return Charts(run=run.label, charts=(*_ratings(run), *metrics))


def histograms_of(events: EventAggregates, label: str, thresholds: Thresholds) -> Histograms:
    """Errors and warnings over time, and the durations of rollouts with their limits; none of what there is not."""
    return Histograms(run=label, histograms=tuple(_histogram(counted, thresholds) for counted in events.profile))


def _histogram(counted: Counted, thresholds: Thresholds) -> Histogram:
    bins = counted.bins
    roles = {"errors": "FAIL", "warnings": "WARN"}
    bars = tuple(Bars(name=name, role=roles.get(name, ""), counts=each) for name, each in counted.counts.items())
    if bins.field == TIME:
        return Histogram(title="Errors over time", unit=TIME, start=bins.start, width=bins.width, bars=bars)
    criterion = thresholds.criteria.get("performance.rollout_p95")
    return Histogram(
        title="Rollout duration",
        unit="s",
        start=bins.start,
        width=bins.width,
        bars=bars,
        rules=tuple(_rules(criterion)) if criterion else (),
    )


def line(series: Series, name: str = "", role: str = "", sigma: Series | None = None) -> Line:
    """`series` thinned for drawing; `sigma` is the standard error of its values, in their unit, by step."""
    known = np.isfinite(series.values)
    steps, values = series.steps[known], series.values[known]
    at = _envelope(steps, values, BUCKETS)
    return Line(
        name=name or series.key,
        role=role,
        steps=_short(steps[at]),
        values=_short(values[at]),
        lost=_short(np.unique(series.steps[~known])[:MARKS]),
        spread=_spread(steps[at], sigma) if sigma is not None else (),
    )


def _spread(steps: Floats, sigma: Series) -> tuple[float, ...]:
    beside = dict(zip(sigma.steps.tolist(), sigma.values.tolist(), strict=True))
    found = np.array([beside.get(step, np.nan) for step in steps.tolist()])
    return _short(Z * found) if np.isfinite(found).all() and (found >= 0).all() else ()


def _short(numbers: Floats) -> tuple[float, ...]:
    return tuple(float(f"{number:.6g}") for number in numbers.tolist())


def _envelope(steps: Floats, values: Floats, buckets: int) -> npt.NDArray[np.intp]:
    """Where the lowest and the highest point of each of `buckets` stretches of steps are, in the order of steps."""
    if len(steps) <= 2 * buckets:
        return np.arange(len(steps))
    order = np.argsort(steps, kind="stable")
    steps, values = steps[order], values[order]
    edges = np.linspace(steps[0], steps[-1], buckets + 1)
    starts = np.unique(np.searchsorted(steps, edges[:-1], side="left"))
    kept: set[int] = {0, len(steps) - 1}
    for low, high in zip(starts, [*starts[1:], len(steps)], strict=True):
        kept.update((low + int(np.argmin(values[low:high])), low + int(np.argmax(values[low:high]))))
    chosen: npt.NDArray[np.intp] = order[sorted(kept)]
    return chosen


def _ratings(run: Run) -> Iterator[Chart]:
    try:
        agents = run.ratings.agents
    except (Inconclusive, NotApplicable):
        return
    if agents:
        yield Chart(
            title="Elo of checkpoints and fixed references",
            unit="Elo",
            axis=run.steps.key,
            lines=tuple(_rated(agents)),
            points=sum(len(agent.series) for agent in agents),
        )


def _rated(agents: Sequence[Agent]) -> Iterator[Line]:
    """A line for each agent; the base model and the newest checkpoint, on which the verdict rests, with their doubt."""
    newest = next((agent for agent in reversed(agents) if agent.role is Role.CHECKPOINT), None)
    for agent in agents:
        telling = agent is newest or agent.role is Role.BASE
        yield line(agent.series, agent.name, str(agent.role), agent.sigma if telling else None)


def _metrics(run: Run, plan: _Plan) -> Chart | None:
    logged = [series for series in run.logged(*plan.metrics) if len(series)]
    if not logged:
        return None
    criterion = run.thresholds.criteria.get(plan.criterion)
    return Chart(
        title=plan.title,
        unit=logged[0].unit,
        axis=run.steps.key,
        lines=tuple(line(series) for series in logged),
        points=sum(len(series) for series in logged),
        rules=tuple(_rules(criterion)) if criterion else (),
        window=_tail(run, criterion) if criterion else None,
        spikes=_spikes(logged, plan.beyond) if plan.beyond else (),
    )


def _rules(criterion: Criterion) -> Iterator[Rule]:
    """The limits that are plain numbers; one relative to the run's start is no level line."""
    for verdict, limits in (("WARN", criterion.warn), ("FAIL", criterion.fail)):
        for limit in limits:
            if isinstance(limit, Bound) and limit.kind is Kind.NUMBER:
                yield Rule(verdict=verdict, sign=limit.sign, number=limit.number)


def _tail(run: Run, criterion: Criterion) -> tuple[float, float] | None:
    """First and last step of a window at the run's end."""
    steps, window = run.steps, criterion.window
    if window.last_steps is None:
        return None
    return max(steps.first, steps.last - window.last_steps * steps.stride), steps.last


def _spikes(
    series: Sequence[Series], beyond: Callable[[Series], npt.NDArray[np.bool_]]
) -> tuple[tuple[float, float], ...]:
    found = [
        (step, value)
        for one in series
        for step, value in zip(
            *(part[beyond(one) & np.isfinite(one.values)].tolist() for part in (one.steps, one.values)), strict=True
        )
    ]
    return tuple(sorted(found, key=lambda spike: -spike[1])[:MARKS])
