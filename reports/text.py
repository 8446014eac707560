"""Words about a judgement that the terminal and the HTML report share."""

from __future__ import annotations

import unicodedata
from collections import defaultdict
from collections.abc import Iterable
from importlib.metadata import PackageNotFoundError, version

from trainhealth.measurement import figure
from trainhealth.verdicts import Compared, Judgement, RunSummary, RunVerdict, Verdict

_CONTROL = frozenset({"Cc", "Cs", "Zl", "Zp"})
_REORDERING = frozenset("\u061c\u200e\u200f\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069")


def plain(text: object) -> str:
    """`text` on one line, with everything that steers a terminal or reorders letters shown as an escape."""
    return visible(" ".join(str(text).split()))


def visible(text: str) -> str:
    """`text` with everything that steers a terminal or reorders letters shown as an escape."""
    if text.isprintable():
        return text
    return "".join(c.encode("unicode_escape").decode("ascii") if _steers(c) else c for c in text)


def _steers(character: str) -> bool:
    return character in _REORDERING or unicodedata.category(character) in _CONTROL


def cut(text: str, length: int) -> str:
    """`text`, or its beginning and an ellipsis."""
    return text if len(text) <= length else text[: length - 1].rstrip() + "…"


def value_of(judgement: Judgement) -> str:
    if judgement.value_text:
        return plain(judgement.value_text)
    if isinstance(judgement.value, float):
        return figure(judgement.value)
    return plain(judgement.value or "")


def limit_of(judgement: Judgement) -> str:
    """``> 0.2 (thresholds.yaml:14)``, or ``not: degraded, unhealthy``."""
    if not judgement.limit:
        return ""
    states = f"not: {', '.join((*judgement.warn, *judgement.fail))}"
    return plain((states if is_state(judgement) else judgement.limit) + origin_of(judgement))


def is_state(judgement: Judgement) -> bool:
    """Whether a word was judged, not a number."""
    return isinstance(judgement.value, str)


def origin_of(judgement: Judgement) -> str:
    """`` (thresholds.yaml:14)``"""
    return f" ({judgement.limit_origin})" if judgement.limit_origin else ""


def kept_of(judgement: Judgement) -> str:
    """``warns above 0.2``: where a value that passes would no longer; nothing for a state."""
    limit = plain(judgement.limit or "")
    side = {">": "above", "<": "below"}.get(limit[:1])
    if side is None:
        return ""
    return f"{'warns' if judgement.limit in judgement.warn else 'fails'} {side} {limit[1:].strip()}"


def extent_of(judgement: Judgement) -> str:
    """``last 50 steps, 48 points``"""
    points = None if judgement.points is None else f"{judgement.points} point{'' if judgement.points == 1 else 's'}"
    return ", ".join(part for part in (plain(judgement.window), points) if part)


def worst_of(judgement: Judgement) -> str:
    """``412: 0.9``, the place and the value there."""
    if judgement.worst_at is None:
        return ""
    value = "" if judgement.worst_value is None else f": {figure(judgement.worst_value)}"
    return f"{judgement.worst_at:.15g}{value}"


def name_of(summary: RunSummary) -> str:
    return plain(summary.name or summary.run)


def identity_of(summary: RunSummary) -> str:
    """``run 3fk2x9 · offline W&B · finished · steps 0 to 499 · 500 rows``"""
    steps = ""
    if summary.first_step is not None and summary.last_step is not None:
        steps = f"steps {summary.first_step:.15g} to {summary.last_step:.15g}"
    place = "/".join(part for part in (summary.entity, summary.project, summary.id) if part)
    parts = (
        f"run {summary.run}" if summary.name not in ("", summary.run) else "",
        place if place != summary.run else "",
        summary.source,
        summary.state,
        steps,
        f"{summary.rows:,} rows" if summary.rows else "",
    )
    return " · ".join(plain(part) for part in parts if part)


def compared_of(compared: Compared) -> str:
    """``55 Elo against 257 Elo, -201 Elo [-280 … -122]``"""
    difference = f", {compared.difference_text}" if compared.difference_text else ""
    return plain(f"{compared.value or '-'} against {compared.baseline_value or '-'}{difference}")


def unrequired_of(judgement: Judgement) -> str:
    """`` (not required)``: it was not seen, and blocks nothing."""
    return " (not required)" if judgement.verdict is Verdict.INCONCLUSIVE and not judgement.blocks else ""


def learning_of(run: RunVerdict) -> str:
    """What is said of learning: ``learning. newest checkpoint +255 Elo … over base_model``, or what the reward did."""
    judged = _learning(run)
    if judged is None:
        return "not judged"
    if not judged.verdict.evaluated:
        return plain(f"undecided: {judged.reason}")
    if judged.criterion == _BY_REWARD:
        return plain(f"by the reward, {value_of(judged)} from its first fifth to its last ({judged.verdict})")
    return plain(f"{value_of(judged)}. {judged.detail}")


def good_news_of(run: RunVerdict) -> str:
    """That of a run that learns, which would stand nowhere else; what is wrong with the others is listed anyway."""
    judged = _learning(run)
    return learning_of(run) if judged is not None and judged.verdict is Verdict.PASS else ""


_BY_RATINGS, _BY_REWARD = "learning.diagnosis", "learning.reward_gain"


def _learning(run: RunVerdict) -> Judgement | None:
    """The judgement that carries the verdict on learning: of a run without ratings, that on its reward."""
    said = {one.criterion: one for one in run.judgements}
    rated = said.get(_BY_RATINGS)
    return said.get(_BY_REWARD) if rated is None or rated.verdict is Verdict.NOT_APPLICABLE else rated


def tally(run: RunVerdict) -> str:
    """``37 PASS, 4 INCONCLUSIVE, 40 NOT_APPLICABLE``: the run's own verdict, then worst first."""
    order = sorted(Verdict, key=lambda v: (v is not run.verdict, -v.severity))
    counts = {v: sum(j.verdict is v for j in run.judgements) for v in order}
    return ", ".join(f"{count} {verdict}" for verdict, count in counts.items() if count)


def project_version() -> str:
    try:
        return version("trainhealth")
    except PackageNotFoundError:
        return "unknown (not installed)"


def alike_of(judgements: Iterable[Judgement]) -> list[list[Judgement]]:
    """Judgements that measured nothing, for one and the same reason, together: a damaged file is told of once."""
    groups: dict[tuple[str, ...], list[Judgement]] = {}
    for one in judgements:
        key = (one.criterion,) if one.value_text else (one.verdict, one.reason, str(one.blocks))
        groups.setdefault(key, []).append(one)
    return list(groups.values())


def names_of(alike: list[Judgement], run: RunVerdict) -> str:
    """Their criteria; an area all of whose criteria are among them by its name."""
    by_area: defaultdict[str, list[str]] = defaultdict(list)
    for one in alike:
        by_area[one.area].append(one.criterion)
    names: list[str] = []
    for area, criteria in by_area.items():
        whole = 1 < len(criteria) == sum(one.area == area for one in run.judgements)
        names += [f"{area} ({len(criteria)} criteria)"] if whole else criteria
    return plain(", ".join(names))
