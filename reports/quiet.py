"""``--quiet-report``: the terminal shows a line for each run and the gate's; files are written as ever."""

from __future__ import annotations

import io
from collections.abc import Generator

import pytest

from reports.collect import COLLECTOR, Collector
from reports.github import annotate
from reports.terminal import one_liners

_JUDGED = (0, 1, 10, 11)


@pytest.hookimpl(trylast=True)
def pytest_configure(config: pytest.Config) -> None:
    """After pytest has made its reporter."""
    collector, reporter = config.stash.get(COLLECTOR, None), config.pluginmanager.get_plugin("terminalreporter")
    if collector is not None and reporter is not None and config.getoption("quiet_report", False):
        config.pluginmanager.register(_Hush(config, reporter, collector), "trainhealth-hush")


class _Hush:
    """Keeps back what pytest and its plugins print, and shows it after all where the session did not come to an end."""

    def __init__(self, config: pytest.Config, reporter: pytest.TerminalReporter, collector: Collector) -> None:
        self._config, self._reporter, self._collector = config, reporter, collector
        self._kept = io.StringIO()
        self._writer = config.get_terminal_writer()
        self._file = self._writer._file
        self._writer._file = self._kept
        self._spoken = False

    @pytest.hookimpl(wrapper=True, tryfirst=True)
    def pytest_terminal_summary(self) -> Generator[None, None, None]:
        yield
        if self._collector.exit_status in _JUDGED:
            self._writer._file = self._file
            one_liners(self._reporter, self._config, self._collector)
            annotate(self._reporter, self._collector)
            self._writer._file = self._kept
            self._spoken = True

    @pytest.hookimpl(trylast=True)
    def pytest_unconfigure(self) -> None:
        self._writer._file = self._file
        if not self._spoken:
            self._file.write(self._kept.getvalue())
            self._file.flush()
