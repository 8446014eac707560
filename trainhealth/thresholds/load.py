"""Loads thresholds.yaml."""

from __future__ import annotations

import fnmatch
from collections.abc import Collection, Iterable, Mapping, Sequence
from datetime import date
from pathlib import Path

from trainhealth.thresholds.criteria import WHOLE, build_criteria
from trainhealth.thresholds.document import Node
from trainhealth.thresholds.form import AliasForm, EventsForm, Sections, WindowForm, read_form
from trainhealth.thresholds.layers import read_layers
from trainhealth.thresholds.models import (
    GENERIC,
    AgentPatterns,
    Alias,
    EventFields,
    EventStore,
    FieldAlias,
    FinitePatterns,
    MetricDefinition,
    OffPattern,
    Thresholds,
    Trainer,
    Waiver,
    Window,
)
from trainhealth.thresholds.origin import Origin

POWER = "{power}"
"""In the name of a field of events, each of ``events.powers``."""


def load(
    path: Path,
    *,
    profile: str | None = None,
    overrides: Sequence[str] = (),
    default: Path | None = None,
    trainer: str | None = None,
    today: date | None = None,
) -> Thresholds:
    """Read a thresholds file with everything it extends.

    Args:
        path: the file.
        profile: the name of one of its profiles.
        overrides: ``--set`` options such as ``stability.kl_level.fail=> 0.3``; later ones win.
        default: the file that ``extends: default`` means.
        trainer: the name of one of its trainers, or ``generic``, instead of what the file says or a run looks like.
        today: the day on which waivers must be live.

    Raises:
        ThresholdsError: naming file and line, or the option.
    """
    tree, files = read_layers(path, profile=profile, overrides=overrides, default=default)
    form = read_form(tree, Sections)
    config = form.config or {}
    windows = {WHOLE.name: WHOLE} | _windows(tree, form.windows or {})
    criteria = build_criteria(tree, form, windows)
    trainers = {name: _trainer(tree, form, name, criteria) for name in form.trainers or {}}
    known = (*trainers, GENERIC.name)
    if form.trainer is not None:
        tree.at(("trainer",)).origin.check_name(form.trainer, known, "trainer", "trainer")
    if trainer is not None:
        Origin(f"--trainer {trainer}").check_name(trainer, known, "trainers", "trainer")
    return Thresholds(
        metrics=_metrics(tree, form, config),
        config=config,
        agents=_agents(tree, form),
        events=_events(tree, form.events),
        windows=windows,
        criteria=criteria,
        off=tuple(
            OffPattern(pattern, str(tree.at(("off", index)).origin)) for index, pattern in enumerate(form.off or ())
        ),
        waivers=tuple(_waivers(tree, form, today or date.today())),
        profile=profile,
        files=files,
        trainers=trainers,
        trainer=trainer or form.trainer,
        finite=FinitePatterns(form.finite.keys or (), form.finite.except_ or ()) if form.finite else FinitePatterns(),
    )


def _metrics(tree: Node, form: Sections, config: Collection[str]) -> Mapping[str, MetricDefinition]:
    metrics = {}
    for name, metric in (form.metrics or {}).items():
        path = ("metrics", name)
        if metric.any_of is None:
            raise tree.at(path).origin.error(f"metrics.{name} has no 'any_of', the keys that runs log it as")
        unless = metric.unless or {}
        for key in unless:
            tree.at((*path, "unless", key)).origin.check_name(key, config, f"metrics.{name}.unless", "config")
        metrics[name] = MetricDefinition(name, _aliases(metric.any_of), metric.default_value, unless, metric.unit or "")
    return metrics


def _aliases(forms: Iterable[AliasForm] | None) -> tuple[Alias, ...]:
    return tuple(_alias(form) for form in forms or ())


def _alias(form: AliasForm) -> Alias:
    if form.one_minus is not None:
        return Alias(form.one_minus, -form.scale, offset=form.scale)
    first, *others = form.sum_of or (form.key or "",)
    return Alias(first, form.scale, others=tuple(others))


def _trainer(tree: Node, form: Sections, name: str, criteria: Collection[str]) -> Trainer:
    """The profile `name`, whose metrics and criteria must be known."""
    trainer, metrics = (form.trainers or {})[name], form.metrics or {}
    for section, names in (
        ("metrics", trainer.metrics or {}), ("absent", trainer.absent or {}), ("measured", trainer.measured or ()),
    ):  # fmt: skip
        for metric in names:
            origin = tree.at(("trainers", name, section, metric)).origin
            origin.check_name(metric, metrics, f"trainers.{name}.{section}", "metric")
    for index, pattern in enumerate(trainer.requires or ()):
        if not fnmatch.filter(criteria, pattern):
            tree.at(("trainers", name, "requires", index)).origin.check_name(
                pattern, criteria, f"trainers.{name}.requires", "criterion"
            )
    return Trainer(
        name,
        trainer.recognised_by or (),
        {metric: _aliases(aliases) for metric, aliases in (trainer.metrics or {}).items()},
        trainer.requires or (),
        trainer.absent or {},
        trainer.measured or (),
        bool(trainer.several_rows),
        bool(trainer.episodic),
        bool(trainer.fallback),
    )


def _agents(tree: Node, form: Sections) -> AgentPatterns | None:
    agents = form.agents
    if agents is None:
        return None
    if agents.rating is None:
        raise tree.at(("agents",)).origin.error("agents has no 'rating', the keys that runs log ratings as")
    return AgentPatterns(
        rating=_aliases(agents.rating),
        sigma=_aliases(agents.sigma),
        base=agents.base,
        references=agents.references or (),
        checkpoints=agents.checkpoints or (),
        not_agents=agents.not_agents or (),
    )


def _events(tree: Node, events: EventsForm | None) -> EventFields:
    if events is None:
        return EventFields({})
    fields = {}
    powers = events.powers or ()
    for name, field in events.fields_by_name.items():
        if field.any_of is None:
            raise tree.at(("events", name)).origin.error(f"events.{name} has no 'any_of', the fields of the events")
        if not any(POWER in alias.field for alias in field.any_of):
            fields[name] = tuple(FieldAlias(alias.field, alias.scale) for alias in field.any_of)
            continue
        for power in powers:
            each = tuple(FieldAlias(alias.field.replace(POWER, power), alias.scale) for alias in field.any_of)
            fields[f"{name}.{power}"] = each
    store = events.axiom
    given = EventStore(**store.model_dump(exclude_none=True)) if store else EventStore()
    return EventFields(fields, required=bool(events.required), powers=powers, axiom=given)


def _windows(tree: Node, forms: Mapping[str, WindowForm]) -> dict[str, Window]:
    windows = {}
    for name, form in forms.items():
        if form.first_steps is not None and form.last_steps is not None:
            origin = tree.at(("windows", name)).origin
            raise origin.error(f"windows.{name} has both 'first_steps' and 'last_steps'; remove one (null removes)")
        windows[name] = Window(name, form.skip_steps or 0, form.first_steps, form.last_steps, form.min_points or 1)
    return windows


def _waivers(tree: Node, form: Sections, today: date) -> Iterable[Waiver]:
    for index, waiver in enumerate(form.waivers or ()):
        origin = tree.at(("waivers", index)).origin
        if waiver.until < today:
            raise origin.error(
                f"the waiver of {waiver.criterion} expired on {waiver.until}; remove it, or renew it with a new date"
            )
        yield Waiver(waiver.criterion, waiver.run, waiver.until, waiver.reason, str(origin))
