"""A run seen through the names of thresholds.yaml."""

from __future__ import annotations

import difflib
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import numpy as np

from trainhealth.history import RunRecord
from trainhealth.ratings import Ratings, agent_name, ratings, stranger
from trainhealth.series import Series
from trainhealth.steps import StepAxis, step_axis
from trainhealth.thresholds import Alias, MetricDefinition, Thresholds
from trainhealth.verdicts import Absent, Inconclusive, NotApplicable, RunSummary

STEP = "step"
"""Canonical name of the metric that counts training steps."""

ALIAS_SHARE = 0.1
"""Of the rows of the alias that is logged most, an earlier alias must have this share."""


def wanted_keys(thresholds: Thresholds) -> Callable[[str], bool]:
    """Says of a key of the run whether any active criterion may ask for it, so that a source reads only those."""
    exact = {"_step", "_timestamp", "_runtime"}
    exact.update(alias.key for metric in thresholds.metrics.values() for alias in metric.aliases)
    exact.update(c.metric for c in thresholds.criteria.values() if c.metric is not None)
    agents = thresholds.agents

    def wanted(key: str) -> bool:
        return key in exact or (agents is not None and agent_name(key, agents) is not None)

    return wanted


@dataclass(frozen=True, eq=False)
class Run:
    """One run to be judged.

    Attributes:
        label: the run id as the user gave it.
        record: what the source delivered.
    """

    label: str
    record: RunRecord
    thresholds: Thresholds

    @cached_property
    def steps(self) -> StepAxis:
        """The training-step axis."""
        metric = self.thresholds.metrics.get(STEP)
        known = [alias.key for alias in metric.aliases] if metric else []
        return step_axis(self.record.history, [*known, *self.record.step_metrics.values()])

    def until(self, step: float) -> Run:
        """The run as if it had ended at training step `step`; what its record says besides its rows stays."""
        if step >= self.steps.last:
            return self
        history = self.record.history.only(self.steps.of_row <= step)
        return Run(self.label, replace(self.record, history=history), self.thresholds)

    def metric(self, name: str) -> Series:
        """The metric with canonical `name`, or with that key in the run, without steps that a resume went back before.

        Raises:
            NotApplicable: the run's config rules it out (``unless`` in thresholds.yaml).
            Inconclusive: the run does not log it, or logs nothing but the logger's default.
        """
        definition = self.thresholds.metrics.get(name) or MetricDefinition(name, (Alias(name),), None, {}, "")
        self._require_applicable(definition)
        series = self._first(definition)
        if series is None:
            raise Absent(self._absent(definition))
        default = definition.default_value
        if default is not None and len(series) > 1 and bool(np.all(series.values == default)):
            raise Inconclusive(
                f"{series.key} is {default:g} at all {len(series)} points, the logger's default: never measured"
            )
        return series

    def logged(self, *names: str) -> list[Series]:
        """Those of the canonical metrics `names` that the run logs, whatever they hold."""
        definitions = (self.thresholds.metrics[name] for name in names if name in self.thresholds.metrics)
        return [series for one in definitions if (series := self._first(one)) is not None]

    def every_point(self) -> list[Series]:
        """All canonical metrics that the run logs, with the points that a resume went back before."""
        return [self._series(one.name, one.key, abandoned=True) for one in self.logged(*self.thresholds.metrics)]

    def configured(self, name: str) -> dict[str, Any]:
        """All that the run's config says under the canonical `name` of thresholds.yaml: key -> value, None left out."""
        config = self.record.config
        return {key: config[key] for key in self.thresholds.config.get(name, ()) if config.get(key) is not None}

    @cached_property
    def ratings(self) -> Ratings:
        """Elo trajectories of all agents. Raises NotApplicable for a run that logs no ratings at all."""
        patterns = self.thresholds.agents
        if patterns is None or not self.rated:
            raise NotApplicable("the run logs no ratings: the reward carries the learning verdict")
        strangers = self._strangers
        if not self._rating_keys:
            raise Inconclusive(
                f"the run rates agents that thresholds.yaml does not know: {', '.join(strangers[:8])}; "
                "name them in agents.references or agents.checkpoints, or under agents.not_agents"
            )
        series = {}
        for key in self.record.history.columns:
            name = agent_name(key, patterns)
            if name is not None and name not in series:
                series[name] = self._series(name, key, unit="Elo")
        return ratings(series, patterns)

    @cached_property
    def rated(self) -> bool:
        """Whether the run logs a rating of any agent, known or not."""
        return bool(self._rating_keys or self._strangers)

    @property
    def _rating_keys(self) -> set[str]:
        patterns = self.thresholds.agents
        return {key for key in self.record.history.columns if patterns and agent_name(key, patterns)}

    @property
    def _strangers(self) -> list[str]:
        """Names in the place of an agent that are neither a known agent nor known to be none."""
        patterns = self.thresholds.agents
        return sorted(filter(None, (stranger(key, patterns) for key in self.record.history.counts))) if patterns else []

    def summary(self, notes: tuple[str, ...] = ()) -> RunSummary:
        """What reports say of the run."""
        record = self.record
        recognised = {
            name: series.key
            for name, definition in sorted(self.thresholds.metrics.items())
            if (series := self._first(definition)) is not None
        }
        return RunSummary(
            run=self.label,
            id=record.id,
            name=record.name,
            project=record.project,
            entity=record.entity,
            state=record.state,
            source=record.source,
            rows=record.history.length,
            first_step=self.steps.first if record.history.length else None,
            last_step=self.steps.last if record.history.length else None,
            step_axis=self.steps.key,
            started=record.started,
            heartbeat=record.heartbeat,
            recognised=recognised,
            notes=(*record.history.notes, *self._unjudged(), *notes),
        )

    def _unjudged(self) -> Iterator[str]:
        known = {alias.key for metric in self.thresholds.metrics.values() for alias in metric.aliases}
        others = [key for key in self.record.history.non_finite if key not in known and key not in self._rating_keys]
        if others:
            yield f"NaN or infinite values in metrics that no criterion asks for: {', '.join(others[:8])}"
        if self._strangers:
            yield f"agents that thresholds.yaml does not know were not judged: {', '.join(self._strangers[:8])}"

    def _first(self, definition: MetricDefinition) -> Series | None:
        """The first alias that is logged about as often as the one that is logged most: a stray row is no metric."""
        columns = self.record.history.columns
        held = {alias: len(columns[alias.key].rows) for alias in definition.aliases if alias.key in columns}
        most = max(held.values(), default=0)
        for alias, rows in held.items():
            if rows and rows >= ALIAS_SHARE * most:
                return self._series(definition.name, alias.key, alias.scale, definition.unit, definition.default_value)
        return None

    def _series(
        self,
        name: str,
        key: str,
        scale: float = 1.0,
        unit: str = "",
        default: float | None = None,
        *,
        abandoned: bool = False,
    ) -> Series:
        column = self.record.history.columns[key]
        axis = self.steps
        in_every_row = len(column.rows) == len(axis.of_row)
        at = axis.of_row if in_every_row else axis.of_row[column.rows]
        values = column.values if scale == 1.0 else column.values * scale
        if not abandoned and not axis.current.all():
            keep = axis.current[column.rows]
            at, values = at[keep], values[keep]
        return Series(name, key, at, values, axis.first, axis.last, axis.stride, axis.key, unit, default)

    def _require_applicable(self, definition: MetricDefinition) -> None:
        """A metric is ruled out when all that the config says under one of the names of `unless` is that value."""
        for name, value in definition.unless.items():
            found = self.configured(name)
            if found and all(one == value for one in found.values()):
                shown = ", ".join(f"{key} = {one}" for key, one in found.items())
                raise NotApplicable(f"{shown} in the run's config")

    def _absent(self, definition: MetricDefinition) -> str:
        keys = [alias.key for alias in definition.aliases]
        logged: Mapping[str, int] = self.record.history.counts
        if not logged:
            return f"{definition.name} is not logged: the run has no history rows with numbers"
        near = [match for key in keys for match in difflib.get_close_matches(key, logged, n=2, cutoff=0.7)]
        hint = f"; did you mean {' or '.join(dict.fromkeys(near))}?" if near else ""
        looked = f"{definition.name} is not logged (looked for {', '.join(keys)}){hint}"
        return f"{looked}; log it, or add the key it has to metrics.{definition.name} in thresholds.yaml"
