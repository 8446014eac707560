"""``--suggest FILE``: limits learned from the runs of this session, to be read and edited before they are used."""

from __future__ import annotations

from pathlib import Path

import pytest

from reports.collect import COLLECTOR
from reports.paths import complain, shown
from trainhealth.errors import UsageError
from trainhealth.suggestions import suggest

_WRITTEN = pytest.StashKey[Path]()


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
    except UsageError as error:
        complain(config, str(error))
    except FileExistsError:
        complain(config, f"--suggest {given}: there is such a file already; name a new one")
    except OSError as error:
        complain(config, f"--suggest {given}: was not written: {error.strerror or error}")
    else:
        config.stash[_WRITTEN] = path


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    path = config.stash.get(_WRITTEN, None)
    if path is not None:
        terminalreporter.write_line(f"suggested limits: {shown(config, path)}")
