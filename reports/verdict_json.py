"""verdict.json: what the gate says of a run and what it rests on, for machines.

``python -m reports.verdict_json`` writes its JSON Schema anew (reports/verdict.schema.json).
"""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Literal

import pytest
from pydantic import BaseModel, Field
from pydantic.json_schema import GenerateJsonSchema, JsonSchemaValue
from pydantic_core import core_schema

from reports.collect import COLLECTOR, runs_to_judge
from reports.paths import complain, remove, replace, verdict_path, writable
from reports.text import project_version
from trainhealth.verdicts import Decision, RunVerdict, decision

SCHEMA = Path(__file__).with_name("verdict.schema.json")


class VerdictFile(RunVerdict):
    """One run's verdict.json. NaN and infinite numbers are the strings NaN, Infinity and -Infinity."""

    schema_: Literal[1] = Field(serialization_alias="schema")
    trainhealth: str = Field(description="The version of trainhealth that judged.")
    exit_status: int = Field(description="The exit status of the whole pytest session, all runs together.")
    decision: Decision = Field(description="What follows from that for a pipeline: docs/ci.md.")
    judged_at: str = Field(description="UTC, ISO 8601.")


def json_text(file: BaseModel) -> str:
    """A file of ours as JSON: keys in order, no constants that JSON lacks."""
    plain: Any = json.loads(file.model_dump_json(by_alias=True))
    return json.dumps(plain, indent=2, sort_keys=True, ensure_ascii=False, allow_nan=False) + "\n"


class _WithNonFinite(GenerateJsonSchema):
    """pydantic writes NaN as a string here, but its schemas do not say so."""

    def float_schema(self, schema: core_schema.FloatSchema) -> JsonSchemaValue:
        return {"anyOf": [super().float_schema(schema), {"enum": ["NaN", "Infinity", "-Infinity"]}]}


def schema() -> str:
    """The JSON Schema of verdict.json."""
    return schema_of(VerdictFile)


def schema_of(file: type[BaseModel]) -> str:
    """The JSON Schema of a file of ours."""
    found = file.model_json_schema(mode="serialization", schema_generator=_WithNonFinite)
    found["$schema"] = GenerateJsonSchema.schema_dialect
    return json.dumps(found, indent=2, sort_keys=True, ensure_ascii=False) + "\n"


@pytest.hookimpl(tryfirst=True)
def pytest_sessionstart(session: pytest.Session) -> None:
    """Take the last session's verdicts away, so that a session that is killed leaves none behind."""
    config = session.config
    if COLLECTOR in config.stash:
        for run in runs_to_judge(config):
            remove(config, verdict_path(config, run))


@pytest.hookimpl(trylast=True)
def pytest_sessionfinish(session: pytest.Session) -> None:
    config = session.config
    collector = config.stash.get(COLLECTOR, None)
    if collector is None:
        return
    judged_at = datetime.now(UTC).isoformat(timespec="seconds")
    for verdict in collector.verdicts():
        path = verdict_path(config, verdict.summary.run)
        if not writable(config, path):
            continue
        file = VerdictFile(
            **dict(verdict),
            schema_=1,
            trainhealth=project_version(),
            exit_status=collector.exit_status,
            decision=decision(collector.exit_status),
            judged_at=judged_at,
        )
        try:
            replace(path, json_text(file))
        except OSError as error:
            complain(config, f"{path} was not written: {error.strerror or error}")


if __name__ == "__main__":
    SCHEMA.write_text(schema(), encoding="utf-8", newline="\n")
