"""Tells pytest the suite's options before it reads the command line.

Options that only a conftest.py defines are unknown while pytest looks for its root: it takes the path in
``--run-id /some/path`` for a test to collect, and finds neither this checkout's settings nor its conftest.py.
Installed with ``pip install -e .``, this entry point mends that, and does nothing in sessions started elsewhere.
"""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent
QUIET = "ignore:Module already imported:pytest.PytestAssertRewriteWarning"
SETTINGS = ("-c", str(ROOT / "pyproject.toml"), "-W", QUIET)
OURS = (
    "--run-id",
    "--sweep",
    "--filter",
    "--compare",
    "--events",
    "--wandb-dir",
    "--thresholds",
    "--report-dir",
    "--suggest",
    "--tracker",
)


def pytest_addoption(pluginmanager: pytest.PytestPluginManager) -> None:
    if not Path.cwd().is_relative_to(ROOT):
        return
    sys.path.insert(0, str(ROOT))
    pluginmanager.import_plugin("fixtures.command_line")
    config = pluginmanager.get_plugin("pytestconfig")
    assert isinstance(config, pytest.Config)
    given = config.invocation_params.args
    if given[: len(SETTINGS)] == SETTINGS or not any(str(argument).startswith(OURS) for argument in given):
        return
    # The folder of the reports misleads nobody until it is made, and then the workers of pytest-xdist.
    if config.rootpath != ROOT or "--report-dir" in given:
        # Where its root lies cannot be told to a session that has begun, so another takes its place.
        raise SystemExit(pytest.main([*SETTINGS, *given], plugins=config.invocation_params.plugins))
