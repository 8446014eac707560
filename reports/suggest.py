"""``--suggest FILE``: limits learned from the runs of this session, to be read and edited before they are used."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from reports.collect import COLLECTOR, runs_to_judge
from reports.paths import complain, shown
from trainhealth.errors import UsageError
from trainhealth.suggestions import require_runs, suggest

_WRITTEN = pytest.StashKey[Path]()


def pytest_sessionstart(session: pytest.Session) -> None:
    """Refuse before anything is judged what could teach nothing, or could not be written."""
    config = session.config
    given = config.getoption("suggest", None)
    if not given or COLLECTOR not in config.stash:
        return
    path = config.invocation_params.dir / given
    try:
        require_runs(len(runs_to_judge(config)), "to be judged")
        if os.path.lexists(path):  # a link that leads nowhere too
            raise UsageError(f"--suggest {given}: there is such a file already; name a new one")
        if not path.parent.is_dir():
            raise UsageError(f"--suggest {given}: there is no folder {path.parent}")
    except UsageError as error:
        raise pytest.UsageError(str(error)) from None


def pytest_sessionfinish(session: pytest.Session) -> None:
    config = session.config
    collector, given = config.stash.get(COLLECTOR, None), config.getoption("suggest", None)
    if collector is None or not given:
        return
    path = config.invocation_params.dir / given
    try:
        text = suggest(collector.verdicts())
        with path.open("x", encoding="utf-8", newline="\n") as file:
            file.write(text)
    except UsageError as error:  # which no second session would mend
        complain(config, f"--suggest {given}: was not written: {error}")
        collector.fall_short(session, "no limits were learned", 10)
    except OSError as error:
        complain(config, f"--suggest {given}: was not written: {error.strerror or error}")
        collector.fall_short(session, "no limits were learned", 11)
    else:
        config.stash[_WRITTEN] = path


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    path = config.stash.get(_WRITTEN, None)
    if path is not None:
        terminalreporter.write_line(f"suggested limits: {shown(config, path)}")
