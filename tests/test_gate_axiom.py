"""`--events axiom` as its users start it: a process of its own, a loopback server, exit status and reports."""

from __future__ import annotations

import gzip
import json
import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from axiom_kql import Dataset
from axiom_server import TOKEN, TRACE, AxiomServer, Hang, Status
from session import Session as AnySession
from synthetic import ROOT

FILE = "examples/events/demo-healthy.ndjson.gz"
HEALTHY = ["--run-id", "demo-healthy"]
PERFORMANCE = "checks/performance"  # a part of the checks is no gate, but quicker
ENDING = "checks/integrity/test_ending.py"  # reads the run, without which there are no notes


class Session(AnySession):
    """A session that is told where Axiom is, and its judgements by criterion."""

    def __init__(self, reports: Path, arguments: list[str], environment: dict[str, str]) -> None:
        clean = {name: value for name, value in os.environ.items() if not name.startswith("AXIOM_")}
        super().__init__(reports, *arguments, environment=clean | environment)

    @property
    def judgements(self) -> dict[str, dict[str, Any]]:
        document = json.loads((self.reports / "demo-healthy" / "verdict.json").read_text(encoding="utf-8"))
        return {one["criterion"]: one for one in document["judgements"]}

    @property
    def verdicts(self) -> dict[str, str]:
        return {id_: one["verdict"] for id_, one in self.judgements.items()}

    @property
    def performance(self) -> dict[str, str]:
        return {id_: verdict for id_, verdict in self.verdicts.items() if id_.startswith("performance.")}

    @property
    def everything(self) -> str:
        """All that was printed and written."""
        files = [
            path.read_text(encoding="utf-8", errors="replace") for path in self.reports.rglob("*") if path.is_file()
        ]
        return "\n".join([self.output, *files])


Judge = Callable[..., Session]


@pytest.fixture
def judge(tmp_path: Path) -> Judge:
    def judge(*arguments: str, **environment: str) -> Session:
        session = Session(tmp_path / f"reports-{len(list(tmp_path.iterdir()))}", [*HEALTHY, *arguments], environment)
        assert "Traceback" not in session.output
        assert "INTERNALERROR" not in session.output
        assert TOKEN not in session.everything
        assert TOKEN.removeprefix("xaat-") not in session.everything
        return session

    return judge


@pytest.fixture(scope="module")
def served() -> Iterator[AxiomServer]:
    with gzip.open(ROOT / FILE, "rt", encoding="utf-8") as lines:
        events = [json.loads(line) for line in lines]
    with AxiomServer({"events": Dataset(events)}) as server:
        yield server


@pytest.fixture
def server(served: AxiomServer) -> AxiomServer:
    served.heal()
    return served


def test_where_a_token_is_set_axiom_is_asked_and_gives_the_verdicts_of_the_file(
    server: AxiomServer, judge: Judge
) -> None:
    axiom = judge("--axiom-dataset", "events", AXIOM_TOKEN=TOKEN, AXIOM_URL=server.url)
    assert axiom.status == 0, axiom.output
    assert "note: events are asked of Axiom dataset 'events' at 127.0.0.1:" in axiom.output
    assert "as AXIOM_TOKEN is set (--events none asks for none)" in axiom.output
    assert len(server.queries) <= 9
    file = judge("--events", FILE)
    assert file.verdicts == axiom.verdicts
    for id_ in file.performance:
        one, other = (session.judgements[id_]["value"] for session in (file, axiom))
        tolerance = 0.02 if id_.startswith("performance.rollout_p") else 1e-6  # percentiles of 200 values
        assert other == one or other == pytest.approx(one, rel=tolerance), id_


def test_axiom_is_not_asked_unasked(server: AxiomServer, judge: Judge) -> None:
    without = judge("--events", "none", PERFORMANCE, ENDING, **server.environment("events"))
    assert set(without.performance.values()) == {"NOT_APPLICABLE"}
    assert "no events were wanted (--events none)" in without.output
    unknown = judge(PERFORMANCE, ENDING, AXIOM_TOKEN=TOKEN, AXIOM_URL=server.url)
    assert set(unknown.performance.values()) == {"NOT_APPLICABLE"}
    assert "none asked of Axiom, as AXIOM_TOKEN is set but no --axiom-dataset" in unknown.output
    assert server.queries == []


@pytest.mark.parametrize("workers", [[], ["-n", "2"]], ids=["alone", "xdist"])
def test_a_refused_token_is_an_error_of_the_performance_criteria_alone(
    server: AxiomServer, judge: Judge, workers: list[str]
) -> None:
    server.fault(Status(401, json.dumps({"code": "401", "message": f"bad token {TOKEN}"}).encode()))
    session = judge("--events", "axiom", *workers, **server.environment("events"))
    assert session.status == 11
    assert set(session.performance.values()) == {"ERROR"}
    others = {verdict for id_, verdict in session.verdicts.items() if id_ not in session.performance}
    assert others == {"PASS", "NOT_APPLICABLE"}
    assert f"HTTP 401: bad token [token] (trace id {TRACE})" in session.output
    assert len(server.queries) == 1


def test_a_server_that_does_not_answer_is_an_error_in_time(server: AxiomServer, judge: Judge) -> None:
    server.fault(Hang())
    session = judge("--events", "axiom", "--axiom-timeout", "1", PERFORMANCE, **server.environment("events"))
    assert session.status == 11
    assert set(session.performance.values()) == {"ERROR"}
    assert "no complete answer within 1 s (--axiom-timeout)" in session.output


def test_a_window_of_events(server: AxiomServer, judge: Judge) -> None:
    window = ["--since", "2025-12-20T10:00:00Z", "--until", "2025-12-20T10:01:00Z"]
    session = judge("--events", "axiom", *window, PERFORMANCE, **server.environment("events"))
    assert session.status == 10, session.output
    assert session.performance["performance.rollout_p95"] == "INCONCLUSIVE"
    assert "29 by the window that was asked for" in session.output
    assert {asked.body["startTime"] for asked in server.queries} == {"2025-12-20T10:00:00.000000Z"}
    assert {asked.body["endTime"] for asked in server.queries} == {"2025-12-20T10:01:00.000001Z"}


def test_events_of_another_time_are_no_pass_as_with_files(server: AxiomServer, judge: Judge) -> None:
    window = ["--since", "2025-12-10", "--until", "2025-12-11", PERFORMANCE]
    axiom = judge("--events", "axiom", *window, **server.environment("events"))
    file = judge("--events", FILE, *window)
    assert set(file.performance.values()) == {"INCONCLUSIVE"}
    assert axiom.performance == file.performance
    assert axiom.status == file.status == 10
    assert "belongs to this run: there are none 2025-12-10 00:00:00Z to 2025-12-11" in axiom.output
    # 222 name the run; 200 name none, and lie outside its time as all of them lie outside the window.
    reason = axiom.judgements["performance.power_wins"]["reason"]
    assert "within 30 days of that there are 3,251, 2025-12-20 " in reason


@pytest.mark.parametrize(
    ("arguments", "environment", "message"),
    [
        (["--events", "axiom"], {}, "the environment has no AXIOM_TOKEN"),
        (["--events", "axiom", "--events", FILE], {"AXIOM_TOKEN": TOKEN}, "would count twice"),
        (["--last", "six"], {}, "--last six: should be a length of time"),
    ],
)
def test_bad_options_end_with_4(judge: Judge, arguments: list[str], environment: dict[str, str], message: str) -> None:
    session = judge(*arguments, **environment)
    assert session.status == 4
    assert message in session.output
    assert not session.reports.exists()
