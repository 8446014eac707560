"""What a run's dossier shows besides its findings: all its criteria in a plain table, which needs no script and
prints, and those tables of evidence that people look for, with bars where they say more than figures.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from html import escape
from typing import Any

from reports.markup import badge, cells_table, criterion, folded, safe, table
from reports.plots import Bar, bars
from reports.text import cut, limit_of, plain, value_of
from trainhealth.verdicts import Judgement, RunVerdict, Verdict

_ROWS = 40
_REASON = 160


@dataclass(frozen=True, slots=True)
class _Shown:
    """A table that one of `criteria` carries, the first that does."""

    title: str
    criteria: tuple[str, ...]
    bars: Callable[[Sequence[dict[str, Any]]], str] | None = None


def criteria_table(run: RunVerdict, *, all_of_them: bool) -> str:
    """Every criterion, or those that did not pass: verdict, value and limit."""
    fine = (Verdict.PASS, Verdict.NOT_APPLICABLE)
    shown = [one for one in run.judgements if all_of_them or one.verdict not in fine]
    if not shown:
        return ""
    said = f"All {len(shown)} criteria" if all_of_them else f"The {len(shown)} criteria that did not pass"
    heads = ("verdict", "criterion", "value", "limit", *(("source of the limit",) if all_of_them else ()))
    lines = (
        (badge(one.verdict), criterion(one), escape(value_of(one) or cut(plain(one.reason), _REASON)),
         escape(limit_of(one)), *((safe(one.source),) if all_of_them else ()))
        for one in shown
    )  # fmt: skip
    return folded(said, cells_table(heads, lines), kind="criteria printed")


def seen(run: RunVerdict) -> str:
    """What the verdict rests on: how much of each area was evaluated, the metrics found, the run's configuration."""
    areas = dict.fromkeys(one.area for one in run.judgements)
    evaluated = [
        (safe(area), f"{sum(one.verdict.evaluated for one in of)} of {len(of)}", safe(", ".join(_unseen(of))))
        for area in areas
        if (of := [one for one in run.judgements if one.area == area])
    ]
    metrics = [(safe(name), safe(key)) for name, key in run.summary.recognised.items()]
    config = [(safe(name), safe(value)) for name, value in run.summary.config.items()]
    return "".join(
        folded(f"{title} ({len(lines)})", cells_table(heads, lines)) if lines else ""
        for title, heads, lines in (
            ("Coverage by area", ("area", "evaluated", "not seen"), evaluated),
            ("Metrics found", ("metric", "key in the run"), metrics),
            ("Configuration", ("key", "value"), config),
        )
    )


def _unseen(judgements: Sequence[Judgement]) -> list[str]:
    return [
        one.criterion.partition(".")[2] for one in judgements if one.verdict in (Verdict.INCONCLUSIVE, Verdict.ERROR)
    ]


def tables_of(run: RunVerdict) -> str:
    """Ratings, rollouts by horizon, extraction by power and the latest problems, as far as the run has them."""
    by_criterion = {one.criterion: one.table for one in run.judgements if one.table}
    return "".join(_tables(by_criterion))


def _tables(by_criterion: dict[str, tuple[dict[str, Any], ...]]) -> Iterator[str]:
    for shown in _SHOWN:
        rows = next((by_criterion[name] for name in shown.criteria if name in by_criterion), ())
        if rows:
            drawn = shown.bars(rows) if shown.bars else ""
            yield folded(f"{shown.title} ({len(rows)})", drawn + table(rows, _ROWS))


def _durations(rows: Sequence[dict[str, Any]]) -> str:
    figures = ("p50 s", "p95 s", "max s")
    return bars(
        "Rollout duration",
        "seconds",
        [Bar(f"{row.get('horizon')}, {name[:3]}", row[name]) for row in rows for name in figures if _number(row, name)],
    )


def _extraction(rows: Sequence[dict[str, Any]]) -> str:
    name = "extraction %"
    shares = [Bar(str(row.get("power")), row[name]) for row in rows if _number(row, name)]
    return bars("Orders extracted, by power", "% of answers", shares, most=100.0)


def _number(row: dict[str, Any], name: str) -> bool:
    return isinstance(row.get(name), int | float)


_SHOWN = (
    _Shown("Elo ratings", ("learning.elo_gap",)),
    _Shown("Rollouts by horizon", ("performance.rollout_p95", "performance.rollout_p50"), _durations),
    _Shown("Extraction by power", ("performance.extraction_by_power",), _extraction),
    _Shown("Latest errors and warnings", ("performance.error_rate",)),
)
