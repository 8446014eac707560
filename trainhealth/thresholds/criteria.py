"""Criteria of a thresholds file: what each of them must add up to once its layers are merged."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from itertools import combinations, product

from trainhealth.limits import Bound, Limit, Word, parse_limit
from trainhealth.thresholds.document import Node
from trainhealth.thresholds.form import CriterionForm, DefaultsForm, Sections
from trainhealth.thresholds.models import Criterion, Window, is_custom

WHOLE = Window("whole")
"""The window that is there without being written, and the default one."""

OF_THE_WHOLE_RUN = ("min", "max", "first", "last", "count", "change")
"""Statistics of custom criteria that are taken over the whole run where no window is named."""


def build_criteria(tree: Node, form: Sections, windows: Mapping[str, Window]) -> Mapping[str, Criterion]:
    """The criteria by id, of the merged `tree` that `form` was read from.

    Raises:
        ThresholdsError: an unknown window, contradicting limits, or a metric named where none may be.
    """
    defaults = form.defaults or DefaultsForm()
    if defaults.window is not None:
        tree.at(("defaults", "window")).origin.check_name(defaults.window, windows, "defaults.window", "window")
    return {
        name: _criterion(name, tree.at(("criteria", name)), criterion, defaults, windows)
        for name, criterion in (form.criteria or {}).items()
    }


def _criterion(
    name: str, node: Node, form: CriterionForm, defaults: DefaultsForm, windows: Mapping[str, Window]
) -> Criterion:
    if form.window is not None:
        node.at(("window",)).origin.check_name(form.window, windows, f"criteria.{name}.window", "window")
    _check_measured(name, node, form)
    warn, fail = _read_limits(node.entries.get("warn")), _read_limits(node.entries.get("fail"))
    _check_limits(name, node, warn, fail)
    return Criterion(
        id=name,
        warn=warn,
        fail=fail,
        window=windows[form.window or _usual_window(form, defaults)],
        action=form.action or "",
        source=form.source or "",
        required=next((flag for flag in (form.required, defaults.required) if flag is not None), True),
        missing=form.missing or defaults.missing or "inconclusive",
        metric=form.metric,
        statistic=form.statistic,
        origin=str(node.origin),
    )


def _check_measured(name: str, node: Node, form: CriterionForm) -> None:
    """Custom criteria say what is measured; the others leave it to their check."""
    for key, value in (("metric", form.metric), ("statistic", form.statistic)):
        if is_custom(name) and value is None:
            raise node.origin.error(f"criteria.{name} has no '{key}'; custom criteria need metric and statistic")
        if not is_custom(name) and value is not None:
            raise node.at((key,)).origin.error(f"criteria.{name} has '{key}', which is for custom.* criteria only")


def _read_limits(node: Node | None) -> tuple[Limit, ...]:
    if node is None or node.value is None:
        return ()
    items = node.value if isinstance(node.value, tuple) else (node,)
    return tuple(parse_limit(item.value, str(item.origin)) for item in items)


def _check_limits(name: str, node: Node, warn: tuple[Limit, ...], fail: tuple[Limit, ...]) -> None:
    if not warn and not fail:
        raise node.origin.error(f"criteria.{name} has neither 'warn' nor 'fail'; to leave it out, list it under 'off'")
    words = [limit for limit in (*warn, *fail) if isinstance(limit, Word)]
    if is_custom(name) and words:
        raise node.origin.error(f"criteria.{name} computes a number, but is limited by a state: {_quoted(words[0])}")
    problem = next(_contradictions(warn, fail), None)
    if problem:
        raise node.at(("fail" if fail else "warn",)).origin.error(f"criteria.{name} {problem}")


def _contradictions(warn: tuple[Limit, ...], fail: tuple[Limit, ...]) -> Iterator[str]:
    for one, other in combinations((*warn, *fail), 2):
        if isinstance(one, Bound) != isinstance(other, Bound):
            yield f"mixes a comparison with a state: {_quoted(one)} and {_quoted(other)}"
        elif isinstance(one, Bound) and isinstance(other, Bound) and one.sign != other.sign:
            yield f"has limits of both directions: {_quoted(one)} and {_quoted(other)}; limits are one-sided"
        elif isinstance(one, Word) and str(one) == str(other):
            yield f"gives the same state twice: {_quoted(one)} and {_quoted(other)}"
    for limits in (warn, fail):
        for one, other in _same_kind(combinations(limits, 2)):
            yield f"gives two limits of one kind: {_quoted(one)} and {_quoted(other)}; keep one"
    for early, late in _same_kind(product(warn, fail)):
        if not early.weaker_than(late):
            yield f"must warn before it fails, but warn is {_quoted(early)} and fail is {_quoted(late)}"


def _usual_window(form: CriterionForm, defaults: DefaultsForm) -> str:
    """A maximum over the tail would miss the spike before it: a statistic of extremes or ends means the whole run."""
    return WHOLE.name if form.statistic in OF_THE_WHOLE_RUN else defaults.window or WHOLE.name


def _same_kind(pairs: Iterable[tuple[Limit, Limit]]) -> Iterator[tuple[Bound, Bound]]:
    for one, other in pairs:
        if isinstance(one, Bound) and isinstance(other, Bound) and one.kind is other.kind:
            yield one, other


def _quoted(limit: Limit) -> str:
    return f"'{limit}' ({limit.origin})"
