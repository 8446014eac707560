"""``--publish``: the verdict goes back to the server that the run came from, and nowhere without that flag.

What is written is decided here; how, is a matter of the run's publisher, which fixtures/publishing.py has made.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any, Protocol

import pytest

from reports.collect import COLLECTOR
from reports.paths import complain
from reports.text import name_of, plain, project_version
from trainhealth.errors import TrainhealthError
from trainhealth.verdicts import RunVerdict, Verdict

PUBLISHED = pytest.StashKey[list[str]]()
"""Sentences on what was written where."""

_JUDGED = (0, 1, 10, 11)


class Publisher(Protocol):
    """Writes to one run on a server. Both raise TrainhealthError where that did not succeed."""

    @property
    def alias(self) -> str: ...

    def verdict(self, tag: str, summary: Mapping[str, str | int]) -> str: ...

    def promote(self) -> str: ...


@pytest.hookimpl(tryfirst=True)
def pytest_sessionfinish(session: pytest.Session) -> None:
    """After the collector, which has settled the exit status, and before the reports that state it."""
    config = session.config
    plugin: Any = config.pluginmanager.get_plugin("trainhealth-publishers")
    collector = config.stash.get(COLLECTOR, None)
    if collector is None or plugin is None:
        return
    if collector.exit_status not in _JUDGED:
        complain(config, "nothing was published, as the session was not finished")
        return
    written = [
        _publish(config, verdict, plugin.by_run[verdict.summary.run], collector.exit_status)
        for verdict in collector.verdicts()
        if verdict.summary.run in plugin.by_run
    ]
    if not all(written):
        collector.fall_short(session, "not published", 11)


def _publish(config: pytest.Config, verdict: RunVerdict, publisher: Publisher, status: int) -> bool:
    name = name_of(verdict.summary)
    said = config.stash.setdefault(PUBLISHED, [])
    try:
        where = publisher.verdict(tag(verdict.verdict), summary(verdict, status))
        said.append(f"published {tag(verdict.verdict)} to {where}")
        if publisher.alias and status == 0:
            said.append(f"{publisher.promote()} has the alias {publisher.alias}")
    except TrainhealthError as error:
        complain(config, f"the verdict on {name} was not published, or not all of it: {plain(error)}")
        return False
    return True


def tag(verdict: Verdict) -> str:
    return f"trainhealth:{verdict.lower()}"


def summary(run: RunVerdict, status: int) -> dict[str, str | int]:
    """The keys of the run's summary that are ours."""
    blocking = [one.criterion for one in run.judgements if one.blocks]
    return {
        "trainhealth/verdict": run.verdict,
        "trainhealth/exit_status": status,
        "trainhealth/failed": sum(one.verdict is Verdict.FAIL for one in run.judgements),
        "trainhealth/warned": sum(one.verdict is Verdict.WARN for one in run.judgements),
        "trainhealth/blocking": ", ".join(blocking),
        "trainhealth/judged_at": datetime.now(UTC).isoformat(timespec="seconds"),
        "trainhealth/version": project_version(),
    }
