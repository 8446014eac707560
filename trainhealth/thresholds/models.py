"""What a thresholds file says, once its layers are merged and checked."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import date
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Literal

from trainhealth.errors import ThresholdsError
from trainhealth.limits import Limit
from trainhealth.thresholds.origin import did_you_mean, nearest

CUSTOM_AREA = "custom"
"""Criteria of this area are judged by one check from what the file says, and need no check of their own."""

_WILDCARDS = frozenset("*?[")

MANY = 5
"""More checks than this without an entry are not named one by one: the file does not extend the shipped one."""

Missing = Literal["inconclusive", "fail", "not_applicable"]
"""The verdict of a criterion whose metric the run does not have."""


def is_custom(criterion_id: str) -> bool:
    return criterion_id.startswith(f"{CUSTOM_AREA}.")


@dataclass(frozen=True, slots=True)
class Alias:
    """A metric as a run logs it: ``offset + scale * (key + others)``, in the rows that hold all of its keys.

    A ``*`` in ``key`` stands for any text.
    """

    key: str
    scale: float = 1.0
    offset: float = 0.0
    others: tuple[str, ...] = ()

    @property
    def keys(self) -> tuple[str, ...]:
        return (self.key, *self.others)

    @property
    def is_pattern(self) -> bool:
        return "*" in self.key

    def matches(self, key: str) -> bool:
        """Whether `key` of a run is one that this alias looks for."""
        return fnmatchcase(key, self.key) if self.is_pattern else key in self.keys

    def __str__(self) -> str:
        return " + ".join(self.keys) if self.offset == 0 else f"1 - {self.key}"


@dataclass(frozen=True, slots=True)
class FieldAlias:
    """A field of an event as a run logs it; its values are multiplied by ``scale``."""

    field: str
    scale: float = 1.0


@dataclass(frozen=True, slots=True)
class MetricDefinition:
    """A canonical metric: the first of ``aliases`` that the run has.

    Attributes:
        default_value: a run that only ever logs this value never measured the metric.
        unless: config names and values; the metric is not applicable where the run's config has one of them.
    """

    name: str
    aliases: tuple[Alias, ...]
    default_value: float | None
    unless: Mapping[str, str | int | float | bool]
    unit: str


@dataclass(frozen=True, slots=True)
class Trainer:
    """What is particular to the runs of one trainer.

    Attributes:
        recognised_by: patterns of keys that few others log.
        aliases: canonical metric -> names it has with this trainer only, looked for after those of ``metrics``.
        requires: patterns of criteria that have to be decided on its runs, whatever the criteria themselves say.
        absent: canonical metric -> why a run without it does not need it.
        measured: canonical metrics whose default value is a measurement here.
        several_rows: whether it logs one training step in several rows.
        episodic: whether it logs rewards as episodes end, and not with every update; None where that is not known.
        fallback: whether it stands for a kind of trainers, and gives way to any other that fits.
    """

    name: str
    recognised_by: tuple[str, ...] = ()
    aliases: Mapping[str, tuple[Alias, ...]] = field(default_factory=dict)
    requires: tuple[str, ...] = ()
    absent: Mapping[str, str] = field(default_factory=dict)
    measured: tuple[str, ...] = ()
    several_rows: bool = False
    episodic: bool | None = False
    fallback: bool = False

    def requires_criterion(self, criterion_id: str) -> bool:
        return any(fnmatchcase(criterion_id, pattern) for pattern in self.requires)


GENERIC = Trainer("generic", episodic=None)
"""The trainer of runs that no profile fits."""


@dataclass(frozen=True, slots=True)
class FinitePatterns:
    """fnmatch patterns of keys, in lower case: those whose numbers must be finite, and those where NaN is usual."""

    keys: tuple[str, ...] = ()
    exceptions: tuple[str, ...] = ()

    def judges(self, key: str) -> bool:
        """Whether `key`, which no metric is named after, is about training."""
        return any(fnmatchcase(key.lower(), pattern) for pattern in self.keys) and not self.excuses(key)

    def excuses(self, key: str) -> bool:
        """Whether NaN is usual in `key`."""
        return any(fnmatchcase(key.lower(), pattern) for pattern in self.exceptions)


@dataclass(frozen=True, slots=True)
class AgentPatterns:
    """How ratings of agents are logged: texts with ``{agent}`` and ``{step}``, and fnmatch patterns of names."""

    rating: tuple[Alias, ...]
    sigma: tuple[Alias, ...] = ()
    base: str | None = None
    references: tuple[str, ...] = ()
    checkpoints: tuple[str, ...] = ()
    not_agents: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class EventStore:
    """Where events are kept on a server; what is empty is for options and the environment to say."""

    dataset: str = ""
    url: str = ""
    edge: str = ""
    organisation: str = ""


@dataclass(frozen=True, slots=True)
class EventFields:
    """Canonical fields of events: each the first of its aliases that the event has.

    ``powers`` are the players of the games; each has a field of its own, ``final_score.<power>``.
    """

    fields: Mapping[str, tuple[FieldAlias, ...]]
    required: bool = False
    powers: tuple[str, ...] = ()
    axiom: EventStore = EventStore()


@dataclass(frozen=True, slots=True)
class Window:
    """The part of a run that a criterion looks at, in training steps."""

    name: str
    skip_steps: int = 0
    first_steps: int | None = None
    last_steps: int | None = None
    min_points: int = 1

    def __str__(self) -> str:
        after = f"after the first {self.skip_steps}" if self.skip_steps else ""
        if self.first_steps is not None:
            part = f"first {_steps(self.first_steps)}"
        elif self.last_steps is not None:
            part = f"last {_steps(self.last_steps)}"
        else:
            part = "steps" if after else "whole run"
        return f"{part} {after}".rstrip()


def _steps(count: int) -> str:
    return f"{count} step" if count == 1 else f"{count} steps"


@dataclass(frozen=True, slots=True)
class Criterion:
    """What is acceptable of one measurement. All its bounds point the same way.

    Attributes:
        missing: the verdict where the run does not have the metric.
        metric: of custom criteria, a canonical metric or a key of the run.
        statistic: of custom criteria, what is computed over the window.
        origin: where the criterion was first written; its limits have origins of their own.
    """

    id: str
    warn: tuple[Limit, ...]
    fail: tuple[Limit, ...]
    window: Window
    action: str
    source: str
    required: bool
    missing: Missing
    metric: str | None
    statistic: str | None
    origin: str


@dataclass(frozen=True, slots=True)
class OffPattern:
    """Criteria that are not judged."""

    pattern: str
    origin: str

    def matches(self, criterion_id: str) -> bool:
        return fnmatchcase(criterion_id, self.pattern)


@dataclass(frozen=True, slots=True)
class Waiver:
    """Failures that are accepted up to and including the day ``until``; criterion and run are fnmatch patterns."""

    criterion: str
    run: str
    until: date
    reason: str
    origin: str

    def covers(self, criterion_id: str, run_names: Iterable[str]) -> bool:
        return fnmatchcase(criterion_id, self.criterion) and any(fnmatchcase(name, self.run) for name in run_names)


@dataclass(frozen=True, slots=True)
class Thresholds:
    """A thresholds file with what it extends, its profile and the options of the command line.

    ``files`` are those that were read, each after the ones it extends; ``trainer`` is the name of the one that was
    chosen instead of being recognised.
    """

    metrics: Mapping[str, MetricDefinition]
    config: Mapping[str, tuple[str, ...]]
    agents: AgentPatterns | None
    events: EventFields
    windows: Mapping[str, Window]
    criteria: Mapping[str, Criterion]
    off: tuple[OffPattern, ...]
    waivers: tuple[Waiver, ...]
    profile: str | None
    files: tuple[Path, ...]
    trainers: Mapping[str, Trainer] = field(default_factory=dict)
    trainer: str | None = None
    finite: FinitePatterns = FinitePatterns()

    def is_off(self, criterion_id: str) -> OffPattern | None:
        """The first pattern that switches the criterion off."""
        return next((off for off in self.off if off.matches(criterion_id)), None)

    def judges(self, criterion_id: str) -> bool:
        """Whether the criterion is there and not switched off."""
        return criterion_id in self.criteria and self.is_off(criterion_id) is None

    def waiver_for(self, criterion_id: str, run_names: Collection[str]) -> Waiver | None:
        """The first waiver for the criterion and for any of the names of a run."""
        return next((waiver for waiver in self.waivers if waiver.covers(criterion_id, run_names)), None)

    def match_checks(self, check_ids: Collection[str]) -> tuple[str, ...]:
        """Hold the criteria against the checks there are; custom ones need none.

        Returns:
            Warnings: patterns with wildcards, of ``off`` and ``waivers``, that match no criterion.

        Raises:
            ThresholdsError: naming every check without a criterion, every criterion without a check, and every
                criterion of ``off`` and ``waivers`` that there is none of.
        """
        judged = {check for check in check_ids if not is_custom(check)}
        written = {criterion for criterion in self.criteria if not is_custom(criterion)}
        problems = [self._without_check(name, judged) for name in self.criteria if name in written - judged]
        strays = sorted(judged - written)
        if len(strays) > MANY:
            named = f"{', '.join(strays[:3])} and {len(strays) - 3} more"
            hint = f"{self.files[-1].name}: {len(strays)} checks have no entry under criteria ({named})"
            problems.append(f"{hint}; 'extends: default' starts from the file shipped with the suite")
        else:
            problems += [self._without_criterion(name) for name in strays]
        idle = list(self._idle_patterns())
        problems += [said for pattern, said in idle if not _WILDCARDS & set(pattern)]
        if problems:
            raise ThresholdsError(". ".join(problems))
        return tuple(said for _, said in idle)

    def _without_check(self, name: str, checks: Iterable[str]) -> str:
        near = nearest(name, checks)
        hint = f"the nearest is {near}" if near else "criteria without a check of their own are named custom.*"
        return f"{self.criteria[name].origin}: there is no check for the criterion {name}; {hint}"

    def _without_criterion(self, name: str) -> str:
        text = f"{self.files[-1].name}: the check {name} has no entry under criteria"
        near = nearest(name, self.criteria)
        return f"{text}; the nearest is {near} ({self.criteria[near].origin})" if near else text

    def _idle_patterns(self) -> Iterable[tuple[str, str]]:
        """Patterns that match no criterion, and what is said of them."""
        for off in self.off:
            if not any(off.matches(criterion) for criterion in self.criteria):
                yield off.pattern, _idle(off.origin, "off", off.pattern, self.criteria)
        for waiver in self.waivers:
            if not any(fnmatchcase(criterion, waiver.criterion) for criterion in self.criteria):
                yield waiver.criterion, _idle(waiver.origin, "the waiver", waiver.criterion, self.criteria)


def _idle(origin: str, what: str, pattern: str, criteria: Iterable[str]) -> str:
    areas = {f"{criterion.partition('.')[0]}.*" for criterion in criteria}
    return f"{origin}: {what} '{pattern}' matches no criterion{did_you_mean(pattern, [*criteria, *sorted(areas)])}"
