"""A run seen through the names of thresholds.yaml."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from fnmatch import translate
from functools import cached_property
from typing import Any

import numpy as np

from trainhealth.hints import similar
from trainhealth.history import Floats, Rows, RunRecord
from trainhealth.ratings import Ratings, agent_name, ratings, sigma_of, stranger
from trainhealth.secrets import NOT_SHOWN, is_secret
from trainhealth.series import Series
from trainhealth.steps import StepAxis, step_axis
from trainhealth.thresholds import Alias, Criterion, MetricDefinition, Thresholds
from trainhealth.trainers import Recognition, recognise
from trainhealth.verdicts import Absent, Inconclusive, NotApplicable, RunSummary

STEP = "step"
"""Canonical name of the metric that counts training steps."""

FINITE = (
    "loss", "value_loss", "grad_norm", "kl", "kl_max", "sequence_kl", "policy_kl", "inference_kl", "logprob_gap",
    "importance_ratio", "entropy", "reward", "reward_parts",
)  # fmt: skip
"""Metrics that are a number in every sound update. Shares and times may be nothing over nothing: they are noted."""

MOST_CONFIG, _LONGEST = 300, 160
"""Keys of a run's config, and characters of each value, that reports show."""

MOST_BEFORE = 10
"""Strides before the first step of a run that says nothing of an earlier part of it."""

ALIAS_SHARE = 0.1
"""Of the rows of the alias that is logged most, an earlier alias must have this share."""


def wanted_keys(thresholds: Thresholds) -> Callable[[str], bool]:
    """Says of a key of the run whether any active criterion may ask for it, so that a source reads only those."""
    exact = {"_step", "_timestamp", "_runtime"}
    aliases = [alias for metric in thresholds.metrics.values() for alias in metric.aliases]
    aliases += [alias for one in thresholds.trainers.values() for found in one.aliases.values() for alias in found]
    exact.update(key for alias in aliases if not alias.is_pattern for key in alias.keys)
    exact.update(c.metric for c in thresholds.criteria.values() if c.metric is not None)
    patterns = re.compile("|".join(translate(alias.key) for alias in aliases if alias.is_pattern) or "(?!)")
    agents = thresholds.agents

    def wanted(key: str) -> bool:
        if key in exact or patterns.match(key):
            return True
        return agents is not None and (agent_name(key, agents) is not None or sigma_of(key, agents) is not None)

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
        own = [alias.key for alias in self.recognition.trainer.aliases.get(STEP, ())]
        return step_axis(self.record.history, [*known, *self.record.step_metrics.values()], own)

    @cached_property
    def recognition(self) -> Recognition:
        """The trainer that wrote the run, and what tells it."""
        return recognise(self.record.history.counts, self.thresholds.trainers, self.thresholds.trainer)

    @cached_property
    def metrics(self) -> Mapping[str, MetricDefinition]:
        """The canonical metrics, with the names and the meaning of 0 that the run's trainer has for them."""
        trainer = self.recognition.trainer
        return {
            name: replace(
                metric,
                aliases=(*metric.aliases, *trainer.aliases.get(name, ())),
                default_value=None if name in trainer.measured else metric.default_value,
            )
            for name, metric in self.thresholds.metrics.items()
        }

    def criterion(self, criterion: Criterion) -> Criterion:
        """`criterion` as the run's trainer has it: what a trainer's profile requires is required."""
        if not self.recognition.trainer.requires_criterion(criterion.id):
            return criterion
        excused = criterion.missing == "not_applicable"
        return replace(criterion, required=True, missing="inconclusive" if excused else criterion.missing)

    def until(self, step: float) -> Run:
        """The run as if it had ended at training step `step`; what its record says besides its rows stays."""
        if step >= self.steps.last:
            return self
        history = self.record.history.only(self.steps.of_row <= step)
        return Run(self.label, replace(self.record, history=history), self.thresholds)

    def require_end(self) -> None:
        """Raise NotApplicable where how the run ended has no bearing on what is judged."""

    def metric(self, name: str) -> Series:
        """The metric with canonical `name`, or with that key in the run, without steps that a resume went back before.

        Raises:
            NotApplicable: the run's config rules it out (``unless`` in thresholds.yaml), or it is absent and the
                trainer's profile says why that is no fault.
            Inconclusive: the run does not log it, or logs nothing but the logger's default.
        """
        definition = self.metrics.get(name) or MetricDefinition(name, (Alias(name),), None, {}, "")
        self._require_applicable(definition)
        series = self._first(definition)
        if series is None:
            self._excuse(definition)
            raise Absent(self._absent(definition))
        default = definition.default_value
        if default is not None and len(series) > 1 and bool(np.all(series.values == default)):
            raise Inconclusive(
                f"{series.key} is {default:g} at all {len(series)} points, the logger's default: never measured"
            )
        return series

    def logged(self, *names: str) -> list[Series]:
        """Those of the canonical metrics `names` that the run logs, whatever they hold."""
        definitions = (self.metrics[name] for name in names if name in self.metrics)
        return [series for one in definitions if (series := self._first(one)) is not None]

    def family(self, name: str) -> list[Series]:
        """All series that the first matching alias of the canonical metric `name` stands for, by key; may be none."""
        definition = self.metrics.get(name)
        for alias in definition.aliases if definition else ():
            keys = sorted(filter(alias.matches, self.record.history.columns))
            if keys:
                return [self._series(name, replace(alias, key=key)) for key in keys]
        return []

    def every_point(self) -> list[Series]:
        """All canonical metrics that the run logs, with the points that a resume went back before."""
        return [self._series(name, alias, abandoned=True) for name, alias in self._logged.items()]

    @cached_property
    def metric_rows(self) -> Rows:
        """Rows that hold a metric of thresholds.yaml or a rating, ascending; not those of timers and tables alone."""
        columns = self.record.history.columns
        found = {key for name, alias in self._logged.items() if name != STEP for key in alias.keys} | self._rating_keys
        rows = [columns[key].rows for key in found]
        return np.unique(np.concatenate(rows)) if rows else np.arange(self.record.history.length, dtype=np.uint32)

    @property
    def rows_of_metrics(self) -> list[Rows]:
        """The rows of each canonical metric that the run logs, but for the step."""
        return [self._points(alias)[0] for name, alias in self._logged.items() if name != STEP]

    @cached_property
    def _logged(self) -> Mapping[str, Alias]:
        """Canonical metrics that the run logs, and the alias of each that is taken."""
        found = {name: self._alias(definition) for name, definition in self.metrics.items()}
        return {name: alias for name, alias in found.items() if alias is not None}

    def keys_of(self, *names: str) -> list[str]:
        """All keys of the run that any trainer would log one of the canonical metrics `names` as."""
        metrics, trainers = self.thresholds.metrics, self.thresholds.trainers.values()
        aliases = [alias for name in names if name in metrics for alias in metrics[name].aliases]
        aliases += [alias for one in trainers for name in names for alias in one.aliases.get(name, ())]
        return [key for key in self.record.history.counts if any(alias.matches(key) for alias in aliases)]

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
        series, sigmas = {}, {}
        for key in self.record.history.columns:
            name = agent_name(key, patterns)
            if name is not None and name not in series:
                series[name] = self._series(name, Alias(key), unit="Elo")
            if known := sigma_of(key, patterns):
                sigmas[known[0]] = self._series(known[0], Alias(key, known[1]), unit="Elo")
        return ratings(series, patterns, sigmas, (self.label, self.record.id, self.record.name))

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
            for name, definition in sorted(self.metrics.items())
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
            config=_shown_config(record.config),
            trainer=self.recognition.trainer.name,
            notes=(*record.history.notes, *self._trainer_notes(), *self._unjudged(), *notes),
        )

    def _trainer_notes(self) -> Iterator[str]:
        if self.thresholds.trainers and self.record.history.length:
            yield str(self.recognition)

    def _unjudged(self) -> Iterator[str]:
        known = {*self.keys_of(*FINITE, STEP), *self._rating_keys}
        finite = self.thresholds.finite
        others = [
            key
            for key in self.record.history.non_finite
            if finite.excuses(key) or not (key in known or finite.judges(key))
        ]
        if others:
            yield f"NaN or infinite values in metrics whose numbers need not be finite: {', '.join(others[:8])}"
        if self.steps.first > MOST_BEFORE * self.steps.stride and len(self.steps.logged) > 1:
            yield f"the record begins at step {self.steps.first:.15g}: what came before it was not seen"
        if self._strangers:
            yield f"agents that thresholds.yaml does not know were not judged: {', '.join(self._strangers[:8])}"

    def _first(self, definition: MetricDefinition) -> Series | None:
        alias = self._alias(definition)
        if alias is None:
            return None
        return self._series(definition.name, alias, definition.unit, definition.default_value)

    def _alias(self, definition: MetricDefinition) -> Alias | None:
        """The first alias that is logged about as often as the one that is logged most: a stray row is no metric."""
        columns = self.record.history.columns
        held: dict[Alias, int] = {}
        for alias in definition.aliases:
            for one in self._spelt_out(alias):
                held[one] = min(len(columns[key].rows) if key in columns else 0 for key in one.keys)
        most = max(held.values(), default=0)
        return next((alias for alias, rows in held.items() if rows and rows >= ALIAS_SHARE * most), None)

    def _spelt_out(self, alias: Alias) -> Iterable[Alias]:
        """The alias itself; for a pattern, one alias for every key of the run that it matches."""
        if not alias.is_pattern:
            return (alias,)
        return [replace(alias, key=key) for key in sorted(filter(alias.matches, self.record.history.columns))]

    def _series(
        self, name: str, alias: Alias, unit: str = "", default: float | None = None, *, abandoned: bool = False
    ) -> Series:
        rows, values = self._points(alias)
        axis = self.steps
        in_every_row = len(rows) == len(axis.of_row)
        at = axis.of_row if in_every_row else axis.of_row[rows]
        if not abandoned and not axis.current.all():
            keep = axis.current[rows]
            at, values = at[keep], values[keep]
        return Series(name, str(alias), at, values, axis.first, axis.last, axis.stride, axis.key, unit, default)

    def _points(self, alias: Alias) -> tuple[Rows, Floats]:
        """Rows that hold all keys of the alias, and its values there."""
        columns = self.record.history.columns
        first = columns[alias.key]
        rows, values = first.rows, first.values
        for key in alias.others:
            rows, here, there = np.intersect1d(rows, columns[key].rows, assume_unique=True, return_indices=True)
            values = values[here] + columns[key].values[there]
        if alias.scale != 1.0 or alias.offset:
            values = alias.offset + alias.scale * values
        return rows, values

    def _require_applicable(self, definition: MetricDefinition) -> None:
        """A metric is ruled out when all that the config says under one of the names of `unless` is that value."""
        for name, value in definition.unless.items():
            found = self.configured(name)
            if found and all(one == value for one in found.values()):
                shown = ", ".join(f"{key} = {one}" for key, one in found.items())
                raise NotApplicable(f"{shown} in the run's config")

    def _excuse(self, definition: MetricDefinition) -> None:
        """Raise NotApplicable where the trainer's profile says why the metric may be absent.

        Not where the config says that what it measures is in use: then it should be here.
        """
        trainer = self.recognition.trainer
        in_use = [key for name in definition.unless for key in self.configured(name)]
        if definition.name in trainer.absent and not in_use:
            raise NotApplicable(f"{definition.name} is not logged: {trainer.absent[definition.name]}")

    def _absent(self, definition: MetricDefinition) -> str:
        keys = [str(alias) for alias in definition.aliases]
        logged: Mapping[str, int] = self.record.history.counts
        if not logged:
            return f"{definition.name} is not logged: the run has no history rows with numbers"
        taken = {key for alias in self._logged.values() for key in alias.keys}
        near = similar(definition.name, keys, {key: count for key, count in logged.items() if key not in taken})
        hint = f"; did you mean {' or '.join(near)}?" if near else ""
        looked = f"{definition.name} is not logged (looked for {', '.join(keys)}){hint}"
        return f"{looked}; log it, or add the key it has to metrics.{definition.name} in thresholds.yaml"


def _shown_config(config: Mapping[str, Any]) -> dict[str, str]:
    """What of a run's config people may read: names in order, short values, nothing of W&B's own, no secrets."""
    own = {name: value for name, value in sorted(config.items()) if not name.startswith("_wandb")}
    return {
        _short(name): NOT_SHOWN if is_secret(name, value) else _short(str(value))
        for name, value in list(own.items())[:MOST_CONFIG]
        if value is not None
    }


def _short(text: str) -> str:
    text = text.encode("utf-8", "backslashreplace").decode("utf-8")  # half a pair of surrogates is no text
    return text if len(text) <= _LONGEST else f"{text[:_LONGEST]}…"
