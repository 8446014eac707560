"""In a GitHub workflow: a summary of the job, and an annotation for whatever forbids promotion."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import pytest

from reports.collect import COLLECTOR, Collector
from reports.markdown import safe, table
from reports.paths import complain
from reports.text import cut, good_news_of, identity_of, limit_of, name_of, plain, tally, value_of
from trainhealth.verdicts import Judgement, RunVerdict, Verdict

_RUNS, _LINES = 100, 40
"""A summary may hold 1 MiB; so many runs and lines of each stay far below it."""

_ANNOTATIONS = 10
"""GitHub shows ten errors of a step."""

_MARK = {Verdict.PASS: "✅", Verdict.WARN: "⚠️", Verdict.FAIL: "❌", Verdict.WAIVED: "☑️"}


@pytest.hookimpl(trylast=True)
def pytest_sessionfinish(session: pytest.Session) -> None:
    collector, file = session.config.stash.get(COLLECTOR, None), os.environ.get("GITHUB_STEP_SUMMARY")
    if collector is None or not file:
        return
    try:
        with Path(file).open("a", encoding="utf-8") as stream:
            lines = [*gate(collector), *summary(collector.verdicts(), collector.decided, collector.baseline)]
            stream.writelines(f"{line}\n" for line in lines)
    except OSError as error:
        complain(session.config, f"the job's summary was not written to {file}: {error.strerror or error}")


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    collector = config.stash.get(COLLECTOR, None)
    if collector is not None:
        annotate(terminalreporter, collector)


def annotate(terminal: pytest.TerminalReporter, collector: Collector) -> None:
    if os.environ.get("GITHUB_ACTIONS") == "true":
        for line in commands(collector.judged()):
            terminal.write_line(line)


def gate(collector: Collector) -> Iterator[str]:
    """What becomes of the session: the word of the terminal's last line."""
    yield f"**{safe(': '.join([collector.gate, *collector.decisions()[:1]]))}**"
    yield ""


def summary(
    runs: list[RunVerdict],
    decided: Callable[[RunVerdict], Sequence[str]] = lambda run: (),
    baseline: str | None = None,
) -> Iterator[str]:
    """Lines of Markdown: every run with what is `decided` of it and what is wrong in it, worst first.

    The run called `baseline` decides nothing, and has no mark.
    """
    for run in runs[:_RUNS]:
        mark = "baseline" if run.summary.run == baseline else _MARK.get(run.verdict, "❔")
        yield f"## {mark} {safe(name_of(run.summary))}: {run.verdict}"
        yield ""
        yield f"{safe(run.reason)}: {tally(run) or 'nothing was judged'}. {safe(identity_of(run.summary))}"
        yield ""
        yield from (f"- **{safe(text)}**" for text in decided(run))
        for note in run.summary.notes:
            yield f"- {safe(note)}"
        if news := good_news_of(run):
            yield f"- {safe(news)}"
        wrong = [one for one in run.judgements if one.blocks or one.verdict in (Verdict.WARN, Verdict.WAIVED)]
        if wrong:
            yield ""
            yield from table(("verdict", "criterion", "value", "limit", "what to do"), map(_cells, wrong[:_LINES]))
        if len(wrong) > _LINES:
            yield f"\n… and {len(wrong) - _LINES} more"
        yield ""
    if len(runs) > _RUNS:
        yield f"… and {len(runs) - _RUNS} more runs"


def commands(runs: list[RunVerdict]) -> Iterator[str]:
    """Workflow commands, at most so many as are shown; blocking ones first."""
    found = [one for run in runs for one in run.judgements if one.blocks]
    for one in found[:_ANNOTATIONS]:
        title = _property(f"{one.run}: {one.criterion} {one.verdict}")
        yield f"::error title={title}::{_data(cut(plain(f'{one.reason}. {one.action}'.strip()), 600))}"


def _cells(judgement: Judgement) -> tuple[str, ...]:
    return (
        judgement.verdict,
        judgement.criterion,
        (judgement.verdict.evaluated and value_of(judgement)) or cut(plain(judgement.reason), 160),
        limit_of(judgement),
        judgement.action,
    )


def _data(text: str) -> str:
    return text.replace("%", "%25").replace("\r", "%0D").replace("\n", "%0A")


def _property(text: str) -> str:
    return _data(plain(text)).replace(":", "%3A").replace(",", "%2C")
