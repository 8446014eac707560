"""sweep.json: which run of a sweep is ahead and what that rests on, for machines.

``python -m reports.sweep_json`` writes its JSON Schema anew (reports/sweep.schema.json).
"""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import Literal

import pytest
from pydantic import Field

from reports.collect import COLLECTOR
from reports.paths import complain, remove, replace, report_dir, safe_folder, writable
from reports.sweeps import SweepVerdict
from reports.text import project_version
from reports.verdict_json import json_text, schema_of

SCHEMA = Path(__file__).with_name("sweep.schema.json")


class SweepFile(SweepVerdict):
    """One sweep's sweep.json. NaN and infinite numbers are the strings NaN, Infinity and -Infinity."""

    schema_: Literal[1] = Field(serialization_alias="schema")
    trainhealth: str = Field(description="The version of trainhealth that judged.")
    exit_status: int = Field(description="The exit status of the whole pytest session, all runs together.")
    judged_at: str = Field(description="UTC, ISO 8601.")


def schema() -> str:
    """The JSON Schema of sweep.json."""
    return schema_of(SweepFile)


def sweep_path(config: pytest.Config, name: str) -> Path:
    """Where the sweep.json of a sweep lies."""
    return report_dir(config) / safe_folder(name) / "sweep.json"


@pytest.hookimpl(tryfirst=True)
def pytest_sessionstart(session: pytest.Session) -> None:
    """Take the last session's comparison away, so that a session that is killed leaves none behind."""
    config = session.config
    if COLLECTOR in config.stash and (name := config.getoption("sweep_name", None)):
        remove(config, sweep_path(config, name))


def pytest_sessionfinish(session: pytest.Session) -> None:
    config = session.config
    collector = config.stash.get(COLLECTOR, None)
    sweep = collector.sweep() if collector is not None else None
    if collector is None or sweep is None:
        return
    path = sweep_path(config, sweep.name)
    if not writable(config, path):
        return
    file = SweepFile(
        **dict(sweep),
        schema_=1,
        trainhealth=project_version(),
        exit_status=collector.exit_status,
        judged_at=datetime.now(UTC).isoformat(timespec="seconds"),
    )
    try:
        replace(path, json_text(file))
    except OSError as error:
        complain(config, f"{path} was not written: {error.strerror or error}")


if __name__ == "__main__":
    SCHEMA.write_text(schema(), encoding="utf-8", newline="\n")
