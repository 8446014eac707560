"""``--tracker FILE``: what was found goes into the experiment tracker, in the form of the published guide.

Of ``--sweep`` and ``--filter`` that is the comparison, else the results of each run.

Nothing in the text tells when it was written, so that the same verdict a second time changes no byte.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

import pytest

from reports.collect import COLLECTOR
from reports.file_lock import alone_with
from reports.markdown import safe, table
from reports.paths import complain, replace, shown
from reports.sweeps import SweepVerdict, ratings_table, training_table
from reports.text import cut, is_state, learning_of, limit_of, plain, value_of
from reports.tracker_file import Subject, require_certain, with_results
from trainhealth.charts import Chart
from trainhealth.errors import DataError, TrainhealthError, UsageError
from trainhealth.verdicts import Judgement, RunVerdict, Verdict

_ISSUES = 12
_STATUS = {"finished": "completed", "crashed": "failed", "failed": "failed", "killed": "failed", "running": "running"}


def pytest_sessionstart(session: pytest.Session) -> None:
    """Refuse what could not be written before anything is judged."""
    config = session.config
    given = config.getoption("tracker", None)
    if given is None or COLLECTOR not in config.stash:
        return
    try:
        path = _path(config)
        require_certain(_read(path))
        if not path.parent.is_dir():
            raise UsageError(f"--tracker {given}: there is no folder {path.parent}")
    except UsageError as error:
        raise pytest.UsageError(str(error)) from None
    except DataError as error:
        raise pytest.UsageError(f"--tracker {given}: {error}") from None


def pytest_sessionfinish(session: pytest.Session) -> None:
    config = session.config
    collector = config.stash.get(COLLECTOR, None)
    if config.getoption("tracker", None) is None or collector is None:
        return
    path = config.invocation_params.dir / config.getoption("tracker")
    sweep = collector.sweep() if config.getoption("sweep") or config.getoption("filter") else None
    if sweep is not None:
        found = [(subject_of_sweep(sweep), list(sweep_results(sweep)))]
    else:
        runs = sorted(collector.verdicts(), key=lambda run: run.summary.run)
        found = [(subject_of(run), list(results(run, collector.charts_of(run.summary.run)))) for run in runs]
    try:
        record(_path(config), found)
    except TrainhealthError as error:  # which stays until somebody looks at the file
        complain(config, f"{shown(config, path)} was not written: {error}")
        collector.fall_short(session, "not recorded in the tracker", 10)
    except OSError as error:
        complain(config, f"{shown(config, path)} was not written: {error.strerror or error}")
        collector.fall_short(session, "not recorded in the tracker", 11)


def record(path: Path, found: Iterable[tuple[Subject, Sequence[str]]]) -> None:
    """Write results into the tracker at `path`, whole or not at all, and after whoever else is writing there.

    Raises:
        TrainhealthError: where they belong is not certain, or the file is no text.
        OSError: it cannot be written.
    """
    with alone_with(path):
        before = text = _read(path)
        for subject, lines in found:
            text = with_results(text, subject, lines)
        if text != before:
            replace(path, text)


def _path(config: pytest.Config) -> Path:
    """The file itself where a link stands in its place: it is the file that is to change.

    Raises:
        UsageError: there is something else, such as a folder, a device or a pipe.
    """
    given = config.invocation_params.dir / config.getoption("tracker")
    if os.path.exists(given) and not os.path.isfile(given):
        raise UsageError(f"--tracker {given}: this is no regular file; name a Markdown file, or a new one")
    return Path(os.path.realpath(given))


def _read(path: Path) -> str:
    """The text of the tracker; nothing where there is none yet.

    Raises:
        UsageError: it is no text.
    """
    try:
        return path.read_bytes().decode("utf-8")
    except FileNotFoundError:
        return ""
    except UnicodeDecodeError as error:
        raise UsageError(f"--tracker {path}: this is no UTF-8 text (byte {error.start})") from None
    except OSError as error:
        raise UsageError(f"--tracker {path}: cannot be read: {error.strerror or error}") from None


# What is written ------------------------------------------------------------------------------------------------------


def subject_of(run: RunVerdict) -> Subject:
    summary = run.summary
    name = summary.name or summary.run
    facts = [f"- run name: {safe(name)}"]
    if summary.entity and summary.project:
        facts.append(f"- wandb: {safe('/'.join((summary.entity, summary.project, summary.id)))}")
    return Subject(summary.id or summary.run, safe(name), (name, summary.id, summary.run), tuple(facts))


def subject_of_sweep(sweep: SweepVerdict) -> Subject:
    names = [row.title for row in sweep.comparison.rows] if sweep.comparison else []
    return Subject(f"sweep/{sweep.name}", f"{safe(sweep.name)} (sweep)", tuple(names), several=True)


def results(run: RunVerdict, charts: Sequence[Chart]) -> Iterator[str]:
    """The results of one run as lines of Markdown, in the form of the guide."""
    said = {one.criterion: one for one in run.judgements}
    yield f"- **Verdict**: {run.verdict} - {safe(run.reason)}"
    yield f"- **Learning signal**: {safe(learning_of(run))}"
    if exploited := _evaluated(said.get("learning.baselines_exploited")):
        yield f"- **Baseline exploitation**: {safe(exploited.detail)} ({safe(value_of(exploited))} in all)"
    metrics = list(_metrics(said, charts))
    if metrics:
        yield "- **Final metrics**:"
        yield from (f"  - {line}" for line in metrics)
    issues = [one for one in run.judgements if one.blocks or one.verdict in (Verdict.WARN, Verdict.WAIVED)]
    yield f"- **Issues found**:{'' if issues else ' none'}"
    for one in issues[:_ISSUES]:
        yield f"  - {one.verdict} {safe(one.criterion)}: {_finding(one)}"
    if len(issues) > _ISSUES:
        yield f"  - and {len(issues) - _ISSUES} more"
    last = f" at step {run.summary.last_step:.15g}" if run.summary.last_step is not None else ""
    yield f"- **Status found**: `{_STATUS.get(run.summary.state, 'unknown')}`{last}"


def sweep_results(sweep: SweepVerdict) -> Iterator[str]:
    """The comparison of a sweep as lines of Markdown."""
    yield f"- **Verdict**: {sweep.verdict} - {safe(sweep.call)}"
    comparison = sweep.comparison
    if comparison is None:
        return
    if comparison.step is not None:
        yield f"- **Compared**: at step {comparison.step:.15g} ({safe(comparison.axis)})"
    for columns, rows in (ratings_table(comparison), training_table(comparison)):
        yield ""
        yield from table(list(map(safe, columns)), rows)
    if comparison.notes:
        yield ""
        yield from (f"- {safe(note)}" for note in comparison.notes)


def _metrics(said: dict[str, Judgement], charts: Sequence[Chart]) -> Iterator[str]:
    if gap := _evaluated(said.get("learning.elo_gap")):
        yield f"Best Elo: {safe(gap.detail)}"
        yield f"Improvement over base_model: {safe(value_of(gap))}"
    for chart in charts:
        line = chart.lines[0]
        if chart.title == "Reward" and line.values:
            yield f"{safe(line.name)}: {line.values[0]:.4g} → {max(line.values):.4g} (peak) → {line.values[-1]:.4g}"
    for name, criterion in (
        ("KL", "stability.kl_level"),
        ("Gradient norm", "stability.grad_norm_level"),
        ("Extraction rate", "performance.extraction_rate"),
        ("Rollout p95", "performance.rollout_p95"),
        ("Error rate", "performance.error_rate"),
    ):
        if found := _evaluated(said.get(criterion)):
            yield f"{name}: {safe(value_of(found))}"


def _evaluated(judgement: Judgement | None) -> Judgement | None:
    return judgement if judgement is not None and judgement.verdict.evaluated else None


def _finding(judgement: Judgement) -> str:
    if judgement.verdict.evaluated and value_of(judgement) and judgement.limit and not is_state(judgement):
        return safe(f"{value_of(judgement)} against {limit_of(judgement)}")
    return safe(cut(plain(judgement.reason), 200))
