"""The HTML report: pytest-html's page with our columns, a dossier of every run in front, evidence behind every row.

pytest-html inserts what its hooks return as HTML, so everything that comes from a run, from YAML or from a log goes
through `safe` here. Its table is built by its script: whoever has none reads the dossiers, which stand in the page.

A page of many runs stays quick by saying less: pytest-html carries every row as escaped JSON and builds all of them
before a reader sees one. What is left out then is in the verdict.json of each run, and the page says so.
"""

from __future__ import annotations

import json
import os
import platform
import re
from collections import Counter
from collections.abc import Generator, Sequence
from dataclasses import dataclass
from html import escape, unescape
from pathlib import Path
from typing import Any

import pytest

from reports.collect import COLLECTOR, Collector, on_worker, runs_to_judge
from reports.evidence import criteria_table, seen, tables_of
from reports.markup import TABLE_ROWS, badge, breakable, criterion, folded, linked, listed, safe, table, text_table
from reports.paths import report_dir, safe_folder, writable
from reports.plots import histogram, svg
from reports.sweeps import SweepVerdict, differences, ranked, ratings_table, training_table
from reports.text import (
    alike_of,
    compared_of,
    cut,
    extent_of,
    good_news_of,
    identity_of,
    is_state,
    limit_of,
    name_of,
    names_of,
    plain,
    project_version,
    tally,
    unrequired_of,
    value_of,
    worst_of,
)
from trainhealth.charts import Chart, Histogram
from trainhealth.verdicts import Change, Compared, Judgement, RunVerdict, Verdict

_CSS = Path(__file__).with_name("report.css")
_VIEWPORT = '<meta name="viewport" content="width=device-width, initial-scale=1">'
_COLUMNS = ("Value", "Limit", "Window, points", "Worst at", "Action")
_CLASSES = ("col-value", "col-limit", "col-window", "col-worst", "col-action")
_SHOWN_AT_ONCE = 8
_OPEN_RUNS = 3
"""More runs than this on a page, and their charts are opened one by one."""

_MANY = 10
"""More runs than this on a page, and it shows what did not pass, and of that the essence."""

_THIN = 16
"""Stretches that the lines of many runs are thinned to; each keeps its lowest and its highest point."""

_MANY_ROWS = 5
_LEFT_OUT = (
    '<p class="note">Of this many runs, the table below leaves out what does not apply, and has no evidence for what '
    "passed: verdict.json of each run has both.</p>"
)
_SCRIPT = Path(__file__).with_name("report.js")
_WITHOUT = "#results-table, .controls, .filter, #environment-header { display: none; }"
_ROWS = re.compile('data-jsonblob="([^"]*)"')
_NO_SCRIPT = f"<noscript><style>{_WITHOUT}</style></noscript>"


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


@dataclass(frozen=True, slots=True)
class _Pictures:
    """What is drawn of a run."""

    charts: Sequence[Chart] = ()
    histograms: Sequence[Histogram] = ()


def _packed(rows: str) -> str:
    """JSON for an attribute in single quotes, in which nothing but these and ``&`` need be escaped.

    pytest-html has the attribute in double quotes, so that every one of the JSON's own takes five characters.
    """
    text = json.dumps(json.loads(rows), separators=(",", ":"))
    return text.replace("&", "&amp;").replace("'", "&#39;")


class _Page:
    """pytest-html's hooks for one session that judges runs."""

    def __init__(self, config: pytest.Config) -> None:
        self._config = config
        self._report: Any = None
        self._many = len(runs_to_judge(config)) > _MANY

    @pytest.hookimpl(wrapper=True, tryfirst=True)
    def pytest_sessionfinish(self) -> Generator[None, object, object]:
        """What pytest-html has no hook for: the page's language and kind, and its rows in fewer bytes."""
        result = yield
        file = Path(self._config.option.htmlpath)
        if file.is_file():
            page = file.read_text(encoding="utf-8")
            root = '<html lang="en" class="many">' if self._many else '<html lang="en">'
            page = _ROWS.sub(lambda found: f"data-jsonblob='{_packed(unescape(found[1]))}'", page)
            file.write_text(page.replace("<html>", root, 1), encoding="utf-8")
        return result

    @pytest.hookimpl(optionalhook=True)
    def pytest_html_report_title(self, report: Any) -> None:
        self._report = report
        report.title = "Training health"
        report.set_data("initialSort", "verdict")
        closed = ["passed", "skipped", "xfailed"]
        report.set_data("renderCollapsed", [*closed, "failed", "error"] if self._many else closed)

    @pytest.hookimpl(optionalhook=True)
    def pytest_html_results_table_header(self, cells: list[str]) -> None:
        # The first column, pytest's outcome, stays for the page's filters; the style sheet hides it.
        cells[1:] = [
            *(
                f'<th class="sortable" data-column-type="{kind}" scope="col" tabindex="0">{name}</th>'
                for kind, name in (("verdict", "Verdict"), ("testId", "Criterion"), ("run", "Run"))
            ),
            *(f'<th scope="col">{column}</th>' for column in _COLUMNS),
        ]

    @pytest.hookimpl(optionalhook=True)
    def pytest_html_results_table_row(self, report: pytest.TestReport, cells: list[str]) -> None:
        said = self._said(report)
        if said and self._many and said[0].verdict is Verdict.NOT_APPLICABLE and not report.failed:
            cells.clear()  # pytest-html has no row for what has no cells
        elif said:
            cells[1:] = _cells(said[0])
        else:
            cells[1:] = [f'<td class="col-testId" colspan="{3 + len(_COLUMNS)}">{safe(report.nodeid)}</td>']

    @pytest.hookimpl(optionalhook=True)
    def pytest_html_results_table_html(self, report: pytest.TestReport, data: list[str]) -> None:
        said = self._said(report)
        broken = report.failed and report.nodeid in self._collector.tracebacks
        captured = [f"<h4>{safe(title)}</h4><pre>{escape(text)}</pre>" for title, text in report.sections]
        if said and self._many and report.passed and said[0].verdict is Verdict.PASS:
            data.clear()
        elif said:
            traceback = [f"<h4>Traceback</h4><pre>{escape(report.longreprtext)}</pre>"] if broken else []
            data[:] = ["".join([*(_evidence(one, self._many) for one in said), *traceback, *captured])]

    @pytest.hookimpl(optionalhook=True)
    def pytest_html_results_summary(self, prefix: list[str]) -> None:
        runs, judged = self._collector.verdicts(), self._collector.judged()
        subject = name_of(judged[0].summary) if len(judged) == 1 else f"{len(judged)} runs"
        self._report.title = f"{subject}: {self._collector.deciding()[0].verdict}"
        sweep = self._collector.sweep()
        dossiers = (
            _dossier(
                run,
                _Pictures(self._collector.charts_of(run.summary.run), self._collector.histograms_of(run.summary.run)),
                len(runs),
                baseline=self._collector.is_baseline(run),
                decided=self._collector.decided(run),
            )
            for run in runs
        )
        script = f"<script>{_SCRIPT.read_text(encoding='utf-8')}</script>"
        notes = [_LEFT_OUT] if self._many else []
        prefix.extend([_VIEWPORT, _NO_SCRIPT, script, *([_sweep(sweep)] if sweep else []), *dossiers, *notes])

    @property
    def _collector(self) -> Collector:
        return self._config.stash[COLLECTOR]

    def _said(self, report: pytest.TestReport) -> list[Judgement]:
        return self._collector.judgements_of(report.nodeid)


def _cells(judgement: Judgement) -> list[str]:
    texts = (
        value_of(judgement) or cut(plain(judgement.reason), 120),
        limit_of(judgement),
        extent_of(judgement),
        worst_of(judgement),
        plain(judgement.action),
    )
    *ranks, faintness, _ = judgement.urgency
    rank = f"{''.join(f'{one:d}' for one in ranks)}{faintness:04}{judgement.criterion}"  # compared as text
    # Without quotes where HTML needs none: each is six characters in pytest-html's JSON.
    rest = "".join(f"<td class={kind}>{escape(text)}</td>" for kind, text in zip(_CLASSES, texts, strict=True))
    return [
        f"<td class=col-verdict tabindex=0>{badge(judgement.verdict, rank)}</td>",
        f"<td class=col-testId>{criterion(judgement)}{unrequired_of(judgement)}</td>",
        f"<td class=col-run>{safe(judgement.run)}</td>{rest}",
    ]


def _evidence(judgement: Judgement, brief: bool = False) -> str:
    """What a row opens to: the reason, and everything it rests on; the essence of it where it has to be `brief`."""
    facts = {"Detail": judgement.detail, "Keys": ", ".join(judgement.keys), "Waiver": judgement.waiver}
    if not brief:
        facts |= {
            "Warning limits": ", ".join(judgement.warn),
            "Fail limits": ", ".join(judgement.fail),
            "Against the baseline": _against(judgement.compared) if judgement.compared else "",
            "Source": judgement.source,
            "Required": "" if judgement.required else "no: undecided does not block",
        }
    terms = "".join(f"<dt>{name}</dt><dd>{safe(text)}</dd>" for name, text in facts.items() if text)
    rows = table(judgement.table, _MANY_ROWS if brief else TABLE_ROWS)
    return f"<p class=reason>{safe(judgement.reason)}</p><dl>{terms}</dl>{rows}"


def _dossier(
    run: RunVerdict, pictures: _Pictures, runs: int, *, baseline: bool = False, decided: Sequence[str] = ()
) -> str:
    """What a reader must know of one of `runs` runs if he reads nothing else; of many, charts open on demand.

    The verdict of a baseline is none of the gate's, and has not its colour.
    """
    worst = [j for j in run.judgements if j.blocks or j.verdict in (Verdict.WARN, Verdict.WAIVED)]
    lines = [
        f"<li>{badge(alike[0].verdict)} <span>{_headline(alike[0], names_of(alike, run))}</span></li>"
        for alike in alike_of(worst)
    ]
    many = runs > _MANY
    hidden = [] if many else lines[_SHOWN_AT_ONCE:]
    notes = "".join(f'<p class="note">{safe(note)}</p>' for note in run.summary.notes)
    told = "".join(f"<p><strong>{safe(text)}</strong></p>" for text in decided)
    learns = f"<p>Is it learning? {safe(news)}</p>" if (news := good_news_of(run)) else ""
    return (
        f'<section class="dossier {"baseline" if baseline else run.verdict.lower()}">'
        f"<h3>{badge(run.verdict)} <span>{'baseline ' if baseline else ''}{safe(name_of(run.summary))}</span></h3>"
        f'<p class="identity">{linked(identity_of(run.summary))}</p>'
        f"<p>{safe(run.reason[:1].upper() + run.reason[1:])}: {escape(tally(run) or 'nothing was judged')}.</p>"
        f"{told}{notes}{learns}{listed(lines[:_SHOWN_AT_ONCE])}"
        f"{folded(f'{len(hidden)} more', listed(hidden), kind='printed')}{_compared(run)}"
        f"{folded('Charts', _charts(pictures, many), opened=runs <= _OPEN_RUNS)}"
        f"{'' if many else tables_of(run) + seen(run)}{criteria_table(run, all_of_them=not many)}</section>"
    )


def _charts(pictures: _Pictures, many: bool) -> str:
    drawn = "".join(svg(chart.thinned(_THIN) if many else chart) for chart in pictures.charts)
    drawn += "".join(map(histogram, pictures.histograms))
    return drawn and f'<div class="charts">{drawn}</div>'


def _against(compared: Compared) -> str:
    return f"{compared.change}: {compared_of(compared)} ({compared.baseline}, {compared.extent})"


def _compared(run: RunVerdict) -> str:
    """What changed against the baseline, the worse first."""
    pairs = [(one, one.compared) for one in run.judgements if one.compared is not None]
    if not pairs:
        return ""
    counts = Counter(compared.change for _, compared in pairs)
    lines = [
        f"<li><span>{change}</span> <span><strong>{criterion(one)}</strong> {safe(compared_of(compared))}, "
        f"{safe(compared.extent)}</span></li>"
        for change in (Change.WORSE, Change.BETTER, Change.UNCLEAR)
        for one, compared in pairs
        if compared.change is change
    ]
    told = ", ".join(f"{counts[change]} {change}" for change in Change if counts[change])
    return f"<details><summary>Against {safe(pairs[0][1].baseline)}: {told}</summary>{listed(lines)}</details>"


def _sweep(sweep: SweepVerdict) -> str:
    """The runs side by side: who won, the tables, the rankings, and what differs in the configurations."""
    compared = sweep.comparison
    head = (
        f'<section class="dossier {sweep.verdict.lower()}">'
        f"<h3>{badge(sweep.verdict)} <span>Sweep {safe(sweep.name)}</span></h3>"
        f"<p><strong>{safe(sweep.call)}</strong></p>"
    )
    if compared is None:
        return f"{head}<p>{safe(sweep.reason)}</p></section>"
    notes = "".join(f'<p class="note">{safe(note)}</p>' for note in compared.notes)
    tables = "".join(text_table(*table) for table in (ratings_table(compared), training_table(compared)))
    rankings = "".join(f"<p>By {safe(ranked(one, compared, len(one.runs)))}</p>" for one in compared.rankings)
    differing = text_table(["config", "values"], [[key, values] for key, values in differences(compared, TABLE_ROWS)])
    config = f"<details><summary>What differs in their configs</summary>{differing}</details>" if differing else ""
    details = f"<details><summary>Rankings</summary>{rankings}</details>" if rankings else ""
    return f"{head}{notes}{tables}{details}{config}</section>"


def _headline(judgement: Judgement, names: str) -> str:
    # What a state was told by says more than the word.
    found = f". {judgement.detail}" if is_state(judgement) and judgement.detail else ""
    action = "" if not judgement.action else f' <span class="action">{safe(judgement.action)}</span>'
    waiver = f"; {judgement.waiver}" if judgement.waiver else ""
    return f"<strong>{breakable(names)}</strong> {escape(cut(plain(judgement.reason + waiver + found), 400))}{action}"
