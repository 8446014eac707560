"""The HTML report: pytest-html's page with our columns, a dossier of every run in front, evidence behind every row.

pytest-html inserts what its hooks return as HTML, so everything that comes from a run, from YAML or from a log goes
through `_safe` here.
"""

from __future__ import annotations

import os
import platform
import re
from collections import Counter
from collections.abc import Iterable, Sequence
from html import escape
from pathlib import Path
from typing import Any

import pytest

from reports.collect import COLLECTOR, Collector, on_worker, runs_to_judge
from reports.paths import report_dir, safe_folder, writable
from reports.plots import svg
from reports.sweeps import SweepVerdict, differences, ranked, ratings_table, training_table
from reports.text import (
    compared_of,
    cut,
    extent_of,
    identity_of,
    limit_of,
    name_of,
    plain,
    project_version,
    tally,
    value_of,
    worst_of,
)
from trainhealth.charts import Chart
from trainhealth.verdicts import Change, Compared, Judgement, RunVerdict, Verdict

_CSS = Path(__file__).with_name("report.css")
_VIEWPORT = '<meta name="viewport" content="width=device-width, initial-scale=1">'
_COLUMNS = ("Value", "Limit", "Window, points", "Worst at", "Action")
_SHOWN_AT_ONCE = 8
_TABLE_ROWS = 100
_OPEN_RUNS = 3
"""More runs than this on a page, and their charts are opened one by one."""


def pytest_configure(config: pytest.Config) -> None:
    # Called before pytest-html's own, which reads these options: a conftest's plugins come first.
    runs = runs_to_judge(config)
    if not runs or on_worker(config) or not hasattr(config.option, "htmlpath"):
        return
    if not config.option.htmlpath:
        folder = report_dir(config) / safe_folder(runs[0]) if len(runs) == 1 else report_dir(config)
        if not writable(config, folder / "report.html"):
            return
        config.option.htmlpath = str(folder / "report.html")
        config.option.self_contained_html = True
    # The page names its style sheets: a path relative to here tells nothing of this machine.
    config.option.css = [os.path.relpath(_CSS), *config.option.css]
    config.pluginmanager.register(_Page(config), "trainhealth-html")


@pytest.hookimpl(optionalhook=True)
def pytest_metadata(metadata: dict[str, Any], config: pytest.Config) -> None:
    """Leaves out what pytest-metadata adds by itself, environment variables of CI services among it."""
    if runs_to_judge(config):
        metadata.clear()
        metadata.update(Python=platform.python_version(), trainhealth=project_version(), pytest=pytest.__version__)


class _Page:
    """pytest-html's hooks for one session that judges runs."""

    def __init__(self, config: pytest.Config) -> None:
        self._config = config
        self._report: Any = None

    @pytest.hookimpl(optionalhook=True)
    def pytest_html_report_title(self, report: Any) -> None:
        self._report = report
        report.title = "Training health"
        report.set_data("initialSort", "verdict")
        report.set_data("renderCollapsed", ["passed", "skipped", "xfailed"])

    @pytest.hookimpl(optionalhook=True)
    def pytest_html_results_table_header(self, cells: list[str]) -> None:
        # The first column, pytest's outcome, stays for the page's filters; the style sheet hides it.
        cells[1:] = [
            '<th class="sortable" data-column-type="verdict">Verdict</th>',
            '<th class="sortable" data-column-type="testId">Criterion</th>',
            '<th class="sortable" data-column-type="run">Run</th>',
            *(f"<th>{column}</th>" for column in _COLUMNS),
        ]

    @pytest.hookimpl(optionalhook=True)
    def pytest_html_results_table_row(self, report: pytest.TestReport, cells: list[str]) -> None:
        if said := self._said(report):
            cells[1:] = _cells(said[0])
        else:
            cells[1:] = [f'<td class="col-testId" colspan="{3 + len(_COLUMNS)}">{_safe(report.nodeid)}</td>']

    @pytest.hookimpl(optionalhook=True)
    def pytest_html_results_table_html(self, report: pytest.TestReport, data: list[str]) -> None:
        said = self._said(report)
        broken = report.failed and report.nodeid in self._collector.tracebacks
        captured = [f"<h4>{_safe(title)}</h4><pre>{escape(text)}</pre>" for title, text in report.sections]
        if said:
            traceback = [f"<h4>Traceback</h4><pre>{escape(report.longreprtext)}</pre>"] if broken else []
            data[:] = ["".join([*map(_evidence, said), *traceback, *captured])]

    @pytest.hookimpl(optionalhook=True)
    def pytest_html_results_summary(self, prefix: list[str]) -> None:
        runs = self._collector.verdicts()
        subject = name_of(runs[0].summary) if len(runs) == 1 else f"{len(runs)} runs"
        self._report.title = f"{subject}: {self._collector.deciding()[0].verdict}"
        sweep = self._collector.sweep()
        dossiers = (
            _dossier(run, self._collector.charts_of(run.summary.run), len(runs), self._collector.decided(run))
            for run in runs
        )
        prefix.extend([_VIEWPORT, *([_sweep(sweep)] if sweep else []), *dossiers])

    @property
    def _collector(self) -> Collector:
        return self._config.stash[COLLECTOR]

    def _said(self, report: pytest.TestReport) -> list[Judgement]:
        return self._collector.judgements_of(report.nodeid)


def _safe(text: object) -> str:
    return escape(plain(text))


def _criterion(judgement: Judgement) -> str:
    """The criterion, which may be broken after dots and underscores, not within words."""
    return re.sub("(?<=[._])", "<wbr>", _safe(judgement.criterion))


def _badge(verdict: Verdict, rank: str = "") -> str:
    # The rank comes first: pytest-html sorts rows by the HTML of the cell.
    return f'<b data-rank="{_safe(rank)}" class="verdict {verdict.lower()}">{verdict.replace("_", " ")}</b>'


def _cells(judgement: Judgement) -> list[str]:
    texts = (
        value_of(judgement) or cut(plain(judgement.reason), 120),
        limit_of(judgement),
        extent_of(judgement),
        worst_of(judgement),
        plain(judgement.action),
    )
    rank = " ".join(map(str, judgement.urgency))
    return [
        f'<td class="col-verdict">{_badge(judgement.verdict, rank)}</td>',
        f'<td class="col-testId">{_criterion(judgement)}</td>',
        f'<td class="col-run" data-label="Run">{_safe(judgement.run)}</td>',
        *(
            f'<td class="col-{column.split(",")[0].split()[0].lower()}" data-label="{column}">{escape(text)}</td>'
            for column, text in zip(_COLUMNS, texts, strict=True)
        ),
    ]


def _evidence(judgement: Judgement) -> str:
    """What a row opens to: the reason, and everything it rests on."""
    facts = {
        "Detail": judgement.detail,
        "Warning limits": ", ".join(judgement.warn),
        "Fail limits": ", ".join(judgement.fail),
        "Against the baseline": _against(judgement.compared) if judgement.compared else "",
        "Keys": ", ".join(judgement.keys),
        "Source": judgement.source,
        "Waiver": judgement.waiver,
        "Required": "" if judgement.required else "no: undecided does not block",
    }
    terms = "".join(f"<dt>{name}</dt><dd>{_safe(text)}</dd>" for name, text in facts.items() if text)
    return f'<p class="reason">{_safe(judgement.reason)}</p><dl>{terms}</dl>{_table(judgement.table)}'


def _table(rows: Sequence[dict[str, Any]]) -> str:
    if not rows:
        return ""
    columns = dict.fromkeys(column for row in rows for column in row)
    head = "".join(f"<th>{_safe(column)}</th>" for column in columns)
    body = "".join(
        f"<tr>{''.join(f'<td>{_cell(row.get(column))}</td>' for column in columns)}</tr>" for row in rows[:_TABLE_ROWS]
    )
    more = f"<p>{len(rows) - _TABLE_ROWS} more rows are in verdict.json.</p>" if len(rows) > _TABLE_ROWS else ""
    return f'<div class="evidence"><table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table></div>{more}'


def _cell(value: object) -> str:
    if value is None:
        return ""
    return f"{value:.6g}" if isinstance(value, float) else _safe(value)


def _dossier(run: RunVerdict, charts: Sequence[Chart], runs: int, decided: Sequence[str] = ()) -> str:
    """What a reader must know of one of `runs` runs if he reads nothing else; of many, charts open on demand."""
    worst = [j for j in run.judgements if j.blocks or j.verdict in (Verdict.WARN, Verdict.WAIVED)]
    lines = [f"<li>{_badge(j.verdict)} <span>{_headline(j)}</span></li>" for j in worst]
    hidden = lines[_SHOWN_AT_ONCE:]
    more = f"<details><summary>{len(hidden)} more</summary>{_list(hidden)}</details>" if hidden else ""
    told = "".join(f"<p><strong>{_safe(text)}</strong></p>" for text in decided)
    notes = "".join(f'<p class="note">{_safe(note)}</p>' for note in run.summary.notes)
    return (
        f'<section class="dossier {run.verdict.lower()}">'
        f"<h3>{_badge(run.verdict)} <span>{_safe(name_of(run.summary))}</span></h3>"
        f'<p class="identity">{escape(identity_of(run.summary))}</p>'
        f"<p>{_safe(run.reason[:1].upper() + run.reason[1:])}: {escape(tally(run) or 'nothing was judged')}.</p>"
        f"{told}{notes}{_list(lines[:_SHOWN_AT_ONCE])}{more}{_compared(run)}"
        f"{_charts(charts, opened=runs <= _OPEN_RUNS)}</section>"
    )


def _charts(charts: Sequence[Chart], *, opened: bool) -> str:
    drawn = "".join(map(svg, charts))
    if not drawn:
        return ""
    return f'<details{" open" if opened else ""}><summary>Charts</summary><div class="charts">{drawn}</div></details>'


def _against(compared: Compared) -> str:
    return f"{compared.change}: {compared_of(compared)} ({compared.baseline}, {compared.extent})"


def _compared(run: RunVerdict) -> str:
    """What changed against the baseline, the worse first."""
    pairs = [(one, one.compared) for one in run.judgements if one.compared is not None]
    if not pairs:
        return ""
    counts = Counter(compared.change for _, compared in pairs)
    lines = [
        f"<li><span>{change}</span> <span><strong>{_criterion(one)}</strong> {_safe(compared_of(compared))}, "
        f"{_safe(compared.extent)}</span></li>"
        for change in (Change.WORSE, Change.BETTER, Change.UNCLEAR)
        for one, compared in pairs
        if compared.change is change
    ]
    told = ", ".join(f"{counts[change]} {change}" for change in Change if counts[change])
    return f"<details><summary>Against {_safe(pairs[0][1].baseline)}: {told}</summary>{_list(lines)}</details>"


def _sweep(sweep: SweepVerdict) -> str:
    """The runs side by side: who won, the tables, the rankings, and what differs in the configurations."""
    compared = sweep.comparison
    head = (
        f'<section class="dossier {sweep.verdict.lower()}">'
        f"<h3>{_badge(sweep.verdict)} <span>Sweep {_safe(sweep.name)}</span></h3>"
        f"<p><strong>{_safe(sweep.call)}</strong></p>"
    )
    if compared is None:
        return f"{head}<p>{_safe(sweep.reason)}</p></section>"
    notes = "".join(f'<p class="note">{_safe(note)}</p>' for note in compared.notes)
    tables = "".join(_text_table(*table) for table in (ratings_table(compared), training_table(compared)))
    rankings = "".join(f"<p>By {_safe(ranked(one, compared, len(one.runs)))}</p>" for one in compared.rankings)
    differing = _text_table(["config", "values"], [[key, values] for key, values in differences(compared, _TABLE_ROWS)])
    config = f"<details><summary>What differs in their configs</summary>{differing}</details>" if differing else ""
    details = f"<details><summary>Rankings</summary>{rankings}</details>" if rankings else ""
    return f"{head}{notes}{tables}{details}{config}</section>"


def _text_table(heads: Sequence[str], lines: Sequence[Sequence[str]]) -> str:
    if not lines:
        return ""
    head = "".join(f"<th>{_safe(text)}</th>" for text in heads)
    body = "".join(f"<tr>{''.join(f'<td>{_safe(text)}</td>' for text in line)}</tr>" for line in lines)
    return f'<div class="evidence runs"><table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table></div>'


def _headline(judgement: Judgement) -> str:
    action = "" if not judgement.action else f' <span class="action">{_safe(judgement.action)}</span>'
    waiver = f"; {judgement.waiver}" if judgement.waiver else ""
    return f"<strong>{_criterion(judgement)}</strong> {escape(cut(plain(judgement.reason + waiver), 400))}{action}"


def _list(items: Iterable[str]) -> str:
    joined = "".join(items)
    return f"<ul>{joined}</ul>" if joined else ""
