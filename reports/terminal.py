"""The terminal report: run by run, worst first, what is wrong and what to do about it."""

from __future__ import annotations

import re
import shutil
import textwrap
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path

import pytest

from reports.collect import COLLECTOR, Collector, on_worker, runs_to_judge
from reports.paths import COMPLAINTS, shown, verdict_path
from reports.publish import PUBLISHED
from reports.sweeps import SweepVerdict, differences, ranked, ratings_table, training_table
from reports.text import (
    alike_of,
    compared_of,
    cut,
    extent_of,
    good_news_of,
    identity_of,
    is_state,
    kept_of,
    limit_of,
    name_of,
    names_of,
    origin_of,
    plain,
    tally,
    unrequired_of,
    value_of,
    visible,
    worst_of,
)
from trainhealth.verdicts import Change, Judgement, RunVerdict, Verdict

_COLOURS: dict[Verdict, dict[str, bool]] = {
    Verdict.PASS: {"green": True},
    Verdict.WAIVED: {"cyan": True},
    Verdict.WARN: {"yellow": True},
    Verdict.INCONCLUSIVE: {"purple": True},
    Verdict.ERROR: {"red": True},
    Verdict.FAIL: {"red": True},
    Verdict.NOT_APPLICABLE: {},
}
_EXCUSES, _MISSING = 5, 6  # lines for criteria that do not apply; metrics named among them
_UNWRAPPED = 100_000
_LONGEST = 400
_MANY = 12  # more runs than this are told of briefly
_TABLE_LINES, _RANKED, _KEYS, _NAME = 20, 5, 12, 32
_CI_COMMAND = re.compile(r"(^\s*(?=::|##)|#(?=#(?:vso)?\[))")


def pytest_configure(config: pytest.Config) -> None:
    # The summary below says it better than one line per failed test. "fE" is pytest's default.
    if runs_to_judge(config) and not on_worker(config) and config.option.reportchars == "fE":
        config.option.reportchars = ""


@pytest.hookimpl(tryfirst=True)
def pytest_sessionfinish(session: pytest.Session) -> None:
    # Not earlier: with "no" from the start, the tracebacks of broken checks would not even be made.
    option = session.config.option
    if COLLECTOR in session.config.stash and option.tbstyle == "auto":
        option.tbstyle = "no"


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    collector = config.stash.get(COLLECTOR, None)
    if collector is None:
        return
    runs, sweep = collector.verdicts(), collector.sweep()
    verbosity = config.get_verbosity()
    page = _Page(terminalreporter, min(verbosity, -1) if len(runs) > _MANY and verbosity == 0 else verbosity)
    terminalreporter.write_sep("=", "training health")
    page.rules(collector.rules)
    for run in runs:
        page.run(run, collector.is_baseline(run))
    if sweep is not None:
        page.sweep(sweep)
    if config.option.tbstyle == "no":
        page.tracebacks(collector.tracebacks)
    for sentence in config.stash.get(PUBLISHED, []):
        page.paragraph("", plain(sentence), Verdict.PASS)
    for complaint in config.stash.get(COMPLAINTS, []):
        page.paragraph("", plain(complaint), Verdict.ERROR)
    page.gate(collector, _reports(config, runs))


def one_liners(terminal: pytest.TerminalReporter, config: pytest.Config, collector: Collector) -> None:
    """``--quiet-report``: a line for each run, the rules, what was not written, and the gate."""
    page = _Page(terminal, -1, width=_UNWRAPPED)
    runs, sweep = collector.verdicts(), collector.sweep()
    page.rules(collector.rules)
    for run in runs:
        page.headline(run, collector.is_baseline(run))
        for waiver in collector.waivers(run):
            page.paragraph("", f"note: {plain(waiver)}", Verdict.NOT_APPLICABLE, indent=2)
    if sweep is not None:
        page.paragraph(f"{cut(plain(sweep.name), 80)}  {sweep.verdict}", plain(sweep.call), sweep.verdict)
    for complaint in config.stash.get(COMPLAINTS, []):
        page.paragraph("", plain(complaint), Verdict.ERROR)
    page.gate(collector, _reports(config, runs))


def _reports(config: pytest.Config, runs: list[RunVerdict]) -> str:
    """Where to read on."""
    html: str | None = config.getoption("htmlpath", None)
    written = [path for run in runs if (path := verdict_path(config, run.summary.run)).is_file()]
    return shown(config, Path(html)) if html else ", ".join(shown(config, path) for path in written)


class _Page:
    """Writes wrapped paragraphs that begin with a coloured verdict."""

    def __init__(self, terminal: pytest.TerminalReporter, verbosity: int, width: int | None = None) -> None:
        self._terminal = terminal
        self._brief = verbosity < 0
        self._full = verbosity > 0
        self._width = width or max(40, shutil.get_terminal_size().columns)

    def paragraph(self, head: str, text: str, verdict: Verdict, indent: int = 0, hanging: int = 4) -> None:
        """`head` in the colour of the verdict, then `text`, wrapped."""
        space = " " * indent
        # A line that begins with :: or ## is a command to some CI services; a run's name must not give any.
        text = _CI_COMMAND.sub(r"\1'", f"{head}  {text}".strip())
        lines = textwrap.wrap(
            text,
            self._width,
            initial_indent=space,
            subsequent_indent=space + " " * hanging,
            break_on_hyphens=False,
            break_long_words=False,
        )
        start = indent + len(head) if lines[0].startswith(space + head) else 0
        self._terminal.write(lines[0][:start], bold=True, **_COLOURS[verdict])
        self._terminal.write_line(lines[0][start:])
        for line in lines[1:]:
            self._terminal.write_line(_CI_COMMAND.sub(r"\1'", line))

    def rules(self, rules: Iterable[str]) -> None:
        """Once for all runs where these have no room for notes."""
        for rule in rules if self._brief else ():
            self.paragraph("", f"note: {plain(rule)}", Verdict.NOT_APPLICABLE)

    def headline(self, run: RunVerdict, baseline: bool = False) -> None:
        """The verdict of a baseline is none of the gate's, and has not its colour."""
        head = f"{'baseline ' if baseline else ''}{cut(name_of(run.summary), 80)}  {run.verdict}"
        colour = Verdict.NOT_APPLICABLE if baseline else run.verdict
        self.paragraph(head, f"{plain(run.reason)}: {tally(run) or 'nothing was judged'}", colour)

    def run(self, run: RunVerdict, baseline: bool = False) -> None:
        self.headline(run, baseline)
        if self._brief:
            self._blocking(run)
            return
        notes = (f"note: {self._cut(plain(note))}" for note in run.summary.notes)
        for line in (identity_of(run.summary), *notes, good_news_of(run)):
            if line:
                self.paragraph("", line, Verdict.NOT_APPLICABLE, indent=2, hanging=2)
        quiet = () if self._full else (Verdict.PASS, Verdict.NOT_APPLICABLE)
        for alike in alike_of(one for one in run.judgements if one.verdict not in quiet):
            self.judgement(alike[0], names_of(alike, run))
        self._compared(run.judgements)
        if not self._full:
            self._passed(run.judgements)
            self._not_applicable(run)
        self._terminal.write_line("")

    def _blocking(self, run: RunVerdict) -> None:
        """One line for whatever forbids promotion, or would but for a waiver."""
        for alike in alike_of(one for one in run.judgements if one.blocks or one.verdict is Verdict.WAIVED):
            head, one = f"{alike[0].verdict} {names_of(alike, run)}", alike[0]
            limit = plain(one.limit or "")
            measured = one.verdict.evaluated and limit and not is_state(one)
            text = f"{value_of(one)} against {limit}" if measured else plain(one.reason)
            left = self._width - len(head) - 4
            self.paragraph(head, cut(text, left if left >= 20 else self._width), one.verdict, indent=2)

    def judgement(self, judgement: Judgement, criteria: str) -> None:
        """What `judgement` says, of all `criteria` that say the same."""
        head = f"{judgement.verdict} {criteria}{unrequired_of(judgement)}"
        self.paragraph(head, self._cut(self._evidence(judgement)), judgement.verdict, indent=2)
        if judgement.action:
            self.paragraph("", f"-> {self._cut(plain(judgement.action))}", judgement.verdict, indent=6, hanging=3)
        if self._full:
            for line in (judgement.reason, judgement.detail, _provenance(judgement)):
                if line:
                    self.paragraph("", plain(line), judgement.verdict, indent=6, hanging=0)

    def tracebacks(self, tracebacks: Mapping[str, str]) -> None:
        for nodeid, traceback in tracebacks.items():
            self._terminal.write_sep("_", plain(nodeid), red=True)
            for line in traceback.splitlines():
                self._terminal.write_line(_CI_COMMAND.sub(r"\1'", visible(line)))

    def sweep(self, sweep: SweepVerdict) -> None:
        """Who won, the tables, the rankings and what differs in the configurations."""
        self._terminal.write_sep("-", f"sweep {plain(sweep.name)}")
        self.paragraph(f"sweep  {sweep.verdict}", plain(sweep.call), sweep.verdict)
        compared = sweep.comparison
        if compared is not None:
            for note in compared.notes:
                self.paragraph("", f"note: {self._cut(plain(note))}", Verdict.NOT_APPLICABLE, indent=2, hanging=2)
            for table in (ratings_table(compared), training_table(compared)):
                self._table(*table)
            most = len(compared.rows) if self._full else _RANKED
            for ranking in compared.rankings:
                self.paragraph("", f"by {ranked(ranking, compared, most)}", Verdict.PASS, indent=2)
            for key, values in differences(compared, most)[: None if self._full else _KEYS]:
                self.paragraph("", f"config {key} = {self._cut(values)}", Verdict.PASS, indent=2)
        for judgement in sweep.judgements:
            if judgement.verdict not in (Verdict.PASS, Verdict.NOT_APPLICABLE) or self._full:
                self.judgement(judgement, judgement.criterion)
        self._terminal.write_line("")

    def _table(self, heads: list[str], lines: list[list[str]]) -> None:
        shown = lines if self._full else lines[:_TABLE_LINES]
        cells = [[cut(line[0], _NAME), *line[1:]] for line in (heads, *shown)]
        widths = [max(map(len, column)) for column in zip(*cells, strict=True)]
        for first, *others in cells:
            numbers = (text.rjust(wide) for text, wide in zip(others, widths[1:], strict=True))
            padded = [first.ljust(widths[0]), *numbers]
            self._terminal.write_line(_CI_COMMAND.sub(r"\1'", "  " + "  ".join(padded)))
        if len(lines) > len(shown):
            self._terminal.write_line(f"  and {len(lines) - len(shown)} more: -v, report.html or sweep.json")

    def gate(self, collector: Collector, reports: str) -> None:
        text = "; ".join(filter(None, [*collector.decisions(), reports]))
        self.paragraph(collector.gate, text, collector.deciding()[0].verdict)

    def _evidence(self, judgement: Judgement) -> str:
        """Value against limit with what they rest on, or the reason where there is neither."""
        value, limit = value_of(judgement), limit_of(judgement)
        if judgement.verdict is Verdict.WAIVED:
            return plain(f"{judgement.reason}; {judgement.waiver or ''}".rstrip("; "))
        if not (judgement.verdict.evaluated and value and limit):
            return plain(judgement.reason)
        if is_state(judgement):
            return plain(judgement.reason + origin_of(judgement))
        worst = worst_of(judgement)
        parts = (f"{value} against {limit}", extent_of(judgement), f"worst at {worst}" if worst else "")
        return ", ".join(part for part in parts if part)

    def _compared(self, judgements: Iterable[Judgement]) -> None:
        """What got worse or better than in the baseline run, and how much did neither."""
        pairs = [(one.criterion, one.compared) for one in judgements if one.compared is not None]
        if not pairs:
            return
        extents = Counter(compared.extent for _, compared in pairs)
        head = f"against {plain(pairs[0][1].baseline)}"
        self.paragraph(head, plain(extents.most_common(1)[0][0]), Verdict.PASS, indent=2)
        for change, verdict in ((Change.WORSE, Verdict.WARN), (Change.BETTER, Verdict.PASS)):
            for criterion, compared in pairs:
                if compared.change is change:
                    self.paragraph(f"{change} {criterion}", self._cut(compared_of(compared)), verdict, indent=4)
        for change in (Change.UNCLEAR, Change.ALIKE):
            names = [criterion for criterion, compared in pairs if compared.change is change]
            if names:
                self.paragraph(str(change), ", ".join(names), Verdict.NOT_APPLICABLE, indent=4)

    def _not_applicable(self, run: RunVerdict) -> None:
        """Each with its reason where that is short; else how many of each area for which reason."""
        criteria = [one for one in run.judgements if one.verdict is Verdict.NOT_APPLICABLE]
        if not criteria:
            return
        groups = alike_of(criteria)
        text = "; ".join(f"{names_of(alike, run)}: {self._cut(plain(alike[0].reason))}" for alike in groups)
        if len(text) > _EXCUSES * self._width:
            told = "; ".join(_excuses(criteria, run))
            text = f"{len(criteria)} criteria, which -v and the report name: {told}"
        self.paragraph(str(Verdict.NOT_APPLICABLE), text, Verdict.NOT_APPLICABLE, indent=2)

    def _passed(self, judgements: Iterable[Judgement]) -> None:
        by_area: defaultdict[str, list[str]] = defaultdict(list)
        for judgement in judgements:
            if judgement.verdict is Verdict.PASS:
                name = plain(judgement.criterion.partition(".")[2] or judgement.criterion)
                kept = kept_of(judgement)
                parts = (name, cut(value_of(judgement), 40), f"({kept})" if kept else "")
                by_area[plain(judgement.area)].append(" ".join(part for part in parts if part))
        for area, passed in sorted(by_area.items()):
            self.paragraph(f"{Verdict.PASS} {area}", ", ".join(passed), Verdict.PASS, indent=2)

    def _cut(self, text: str) -> str:
        return text if self._full else cut(text, _LONGEST)


def _excuses(criteria: Iterable[Judgement], run: RunVerdict) -> Iterator[str]:
    """Reasons in short, those of most criteria first, with how many of each area; those of one alone by name."""
    groups: defaultdict[str, list[Judgement]] = defaultdict(list)
    missing: dict[str, None] = {}
    for one in criteria:
        reason = re.split(r"[;:(]", plain(one.reason), maxsplit=1)[0].strip()
        metric, unlogged, _ = reason.partition(" is not logged")
        missing |= dict.fromkeys([metric] if unlogged else [])
        groups["not logged" if unlogged else reason].append(one)
    for reason, alike in sorted(groups.items(), key=lambda group: -len(group[1])):
        if len(alike) > 1:
            keys = [*list(missing)[:_MISSING], *(["…"] if len(missing) > _MISSING else [])]
            which = f" ({', '.join(keys)})" if reason == "not logged" else ""
            areas = Counter(plain(one.area) for one in alike)
            yield f"{cut(reason, 80)}{which}: {', '.join(f'{number} of {area}' for area, number in areas.items())}"
    alone = [alike[0] for alike in groups.values() if len(alike) == 1]
    if alone:
        yield f"each for its own reason: {names_of(alone, run)}"


def _provenance(judgement: Judgement) -> str:
    limits = "; ".join(
        f"{name} {', '.join(limits)}" for name, limits in (("warn", judgement.warn), ("fail", judgement.fail)) if limits
    )
    keys = f"keys {', '.join(judgement.keys)}" if judgement.keys else ""
    return "; ".join(part for part in (limits, keys, judgement.source) if part)
