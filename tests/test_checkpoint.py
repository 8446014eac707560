"""pytest --run-id RUN --checkpoint NAME, as it is started: the run as one checkpoint saw it, and what is decided."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import pytest
from session import SoundSession
from synthetic import ROOT
from tournament import play, tables


class Session(SoundSession):
    columns = 900

    def __init__(self, reports: Path, run: str, *arguments: str) -> None:
        given = () if "--events" in arguments else ("--events", "none")
        super().__init__(reports, "--run-id", run, *given, *arguments)
        self.page, file = reports / run / "report.html", reports / run / "verdict.json"
        self.document: dict[str, Any] = json.loads(file.read_text(encoding="utf-8")) if file.is_file() else {}

    @property
    def judged(self) -> dict[str, str]:
        return {one["criterion"]: one["verdict"] for one in self.document["judgements"]}


@pytest.mark.parametrize("workers", [[], ["-n", "2"]], ids=["alone", "xdist"])
def test_the_last_healthy_checkpoint_lies_before_the_collapse(tmp_path: Path, workers: list[str]) -> None:
    """The KL of the demo is 392,000 at step 121; learning is off in this profile, as it never learned."""
    session = Session(tmp_path, "demo-collapsed", "--checkpoint", "adapter_v150", "--profile", "smoke", *workers)
    assert session.status == 1
    assert session.document["decision"] == "reject"
    assert session.document["candidate"]["name"] == "grpo-demo-collapsed_adapter_v150"
    assert session.document["candidate"]["last_healthy"] == "grpo-demo-collapsed_adapter_v120"
    assert session.document["summary"]["last_step"] == 150
    assert "reject grpo-demo-collapsed_adapter_v150" in session.output
    assert "is grpo-demo-collapsed_adapter_v120 (WARN)" in session.page.read_text(encoding="utf-8")


def test_what_came_later_does_not_fail_a_checkpoint(tmp_path: Path) -> None:
    session = Session(tmp_path, "demo-collapsed", "--checkpoint", "100")
    for id_ in ("stability.non_finite_values", "stability.kl_level", "stability.kl_spikes"):
        assert session.judged[id_] == "PASS"
    for id_ in ("integrity.run_state", "integrity.completion"):
        assert session.judged[id_] == "NOT_APPLICABLE"
    assert session.judged["learning.early_reward_drop"] == "FAIL"  # which was before
    assert session.document["candidate"]["last_healthy"] is None


def test_a_healthy_checkpoint_is_promoted(tmp_path: Path) -> None:
    session = Session(tmp_path, "demo-healthy", "--checkpoint", "adapter_v190")
    assert session.status == 0
    assert session.document["decision"] == "promote"
    assert session.document["candidate"]["last_healthy"] is None


def test_what_is_too_early_to_tell_is_held(tmp_path: Path) -> None:
    session = Session(tmp_path, "demo-healthy", "--checkpoint", "adapter_v10")
    assert session.status == 10
    assert session.document["decision"] == "hold"


@pytest.mark.parametrize(
    ("run", "name", "said"),
    [
        (
            "demo-healthy",
            "adapter_v55",
            "is no checkpoint that the run rates; these are: grpo-demo-healthy_adapter_v0,",
        ),
        ("demo-healthy", "v", "is no checkpoint"),
        ("demo-healthy", "", "is no checkpoint"),
        ("demo-healthy,demo-collapsed", "adapter_v50", "here are 2 runs"),
    ],
)
def test_names_that_cannot_be_meant(tmp_path: Path, run: str, name: str, said: str) -> None:
    session = Session(tmp_path, run, "--checkpoint", name)
    assert session.status == 4
    assert said in session.output


# With events ----------------------------------------------------------------------------------------------------------

EVENTS = ROOT / "examples/events/demo-healthy.ndjson.gz"
NAME = "grpo-demo-healthy_adapter_v{}"
CANDIDATE, LATER, INCUMBENT = NAME.format(180), NAME.format(190), "grpo-5_adapter_v300"


def written(path: Path, events: Iterable[Mapping[str, Any]]) -> str:
    path.write_text("".join(f"{json.dumps(one)}\n" for one in events), encoding="utf-8")
    return str(path)


def storm(path: Path, minute: str) -> str:
    """A thousand errors within a minute of the run, which ends at 10:30:50 and saves v180 at 10:23."""
    return written(
        path,
        (
            {"_time": f"2025-12-20T{minute}:{at % 60:02}Z", "event": "worker", "level": "error", "message": "lost",
             "run_name": "demo-healthy"}
            for at in range(1000)
        ),
    )  # fmt: skip


def league(path: Path, **elo: float) -> str:
    """Games of three at a board, played when the run had ended."""
    strengths = {"base_model": 1000.0, INCUMBENT: 1050.0, CANDIDATE: 1170.0, LATER: 800.0, **elo}
    return written(
        path,
        (
            {"event": "match_complete", "run_name": "demo-healthy", "game_id": game.id,
             "_time": "2025-12-20T10:40:00Z",
             "agents": [seat.agent for seat in game.seats], "scores": [seat.score for seat in game.seats]}
            for game in play(strengths, tables(list(strengths), 3, 1200, 0), 1)
        ),
    )  # fmt: skip


def with_events(reports: Path, *arguments: str) -> Session:
    return Session(reports, "demo-healthy", "--events", str(EVENTS), "--checkpoint", "180", *arguments)


@pytest.mark.parametrize(
    ("minute", "status", "decision", "healthy"),
    [("10:29", 0, "promote", None), ("09:40", 1, "reject", NAME.format(170))],
)
def test_only_events_until_it_was_saved_count(
    tmp_path: Path, minute: str, status: int, decision: str, healthy: str | None
) -> None:
    """What the events say of earlier checkpoints is not asked, so the one before is healthy by the run alone."""
    session = with_events(tmp_path, "--events", storm(tmp_path / "storm.ndjson", minute))
    assert session.judged["performance.error_rate"] == ("PASS" if status == 0 else "FAIL")
    assert (session.status, session.document["decision"]) == (status, decision), session.output
    assert session.document["candidate"]["name"] == CANDIDATE
    assert session.document["candidate"]["last_healthy"] == healthy


def test_without_a_checkpoint_the_late_storm_counts(tmp_path: Path) -> None:
    events = ("--events", str(EVENTS), "--events", storm(tmp_path / "storm.ndjson", "10:29"))
    assert Session(tmp_path, "demo-healthy", *events).judged["performance.error_rate"] == "FAIL"


@pytest.mark.parametrize("workers", [[], ["-n", "2"]], ids=["alone", "xdist"])
def test_games_decide_on_the_checkpoint_and_not_on_a_later_one(tmp_path: Path, workers: list[str]) -> None:
    """The ratings do not know the incumbent; v190, which loses to everybody, is not the candidate."""
    games = league(tmp_path / "games.ndjson")
    session = with_events(tmp_path, "--events", games, "--incumbent", "grpo-5/adapter_v300", *workers)
    assert (session.status, session.document["decision"]) == (0, "promote"), session.output
    found = {one["criterion"]: one for one in session.document["judgements"]}
    assert found["learning.games_incumbent"]["keys"] == [CANDIDATE, INCUMBENT]
    assert found["learning.games_gap"]["keys"][0] == CANDIDATE
    assert found["learning.incumbent_gap"]["verdict"] == "NOT_APPLICABLE"
    assert "is not rated: the games judge it" in found["learning.incumbent_gap"]["reason"]


def test_a_checkpoint_that_loses_to_the_incumbent_is_rejected(tmp_path: Path) -> None:
    games = league(tmp_path / "games.ndjson", **{CANDIDATE: 950.0, LATER: 1300.0})
    session = with_events(tmp_path, "--events", games, "--incumbent", INCUMBENT)
    assert (session.status, session.document["decision"]) == (1, "reject")
    assert session.judged["learning.games_incumbent"] == "FAIL"
    assert session.document["candidate"]["last_healthy"] == NAME.format(170)


# Against an incumbent that is rated -----------------------------------------------------------------------------------


def test_ratings_judge_where_no_games_do(tmp_path: Path) -> None:
    """An earlier checkpoint of the same run is in use; it is not held against itself."""
    session = Session(tmp_path, "demo-healthy", "--checkpoint", "190", "--incumbent", "adapter_v180")
    assert session.judged["learning.games_incumbent"] == "NOT_APPLICABLE"
    assert session.judged["learning.incumbent_gap"] == "INCONCLUSIVE"
    assert session.document["decision"] == "hold"
    assert session.document["candidate"]["last_healthy"] == NAME.format(180)


def test_both_judge_an_incumbent_that_both_know(tmp_path: Path) -> None:
    games = league(tmp_path / "games.ndjson")
    session = with_events(tmp_path, "--events", games, "--incumbent", "base_model")
    assert session.judged["learning.games_incumbent"] == session.judged["learning.incumbent_gap"] == "PASS"


def test_an_incumbent_that_nobody_knows_is_no_pass(tmp_path: Path) -> None:
    session = Session(tmp_path, "demo-healthy", "--checkpoint", "190", "--incumbent", "base_mode1")
    assert (session.status, session.document["decision"]) == (10, "hold")
    reason = next(one for one in session.document["judgements"] if one["criterion"] == "learning.incumbent_gap")
    assert "did you mean 'base_model'" in reason["reason"]
    assert "no events were given" in reason["reason"]


def test_each_of_several_runs_has_a_candidate_and_the_baseline_none(tmp_path: Path) -> None:
    session = Session(tmp_path, "demo-collapsed", "--compare", "demo-healthy", "--incumbent", "base_model")
    assert session.judged["learning.incumbent_gap"] in ("FAIL", "INCONCLUSIVE")
    assert session.of("demo-healthy")["learning.incumbent_gap"] == "NOT_APPLICABLE"
    both = Session(tmp_path / "both", "demo-healthy,demo-collapsed", "--incumbent", NAME.format(100), "-n", "2")
    assert both.of("demo-collapsed")["learning.incumbent_gap"] == "INCONCLUSIVE"  # which does not rate it
    assert both.of("demo-healthy")["learning.incumbent_gap"] in ("PASS", "INCONCLUSIVE")


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--incumbent", ""], "--incumbent is empty"),
        (["--incumbent", "base_model", "--profile", "smoke"], "are off: nothing would judge it"),
        (["--checkpoint", "190", "--incumbent", "adapter_v190"], "is the incumbent itself"),
    ],
)
def test_incumbents_that_cannot_be_meant(tmp_path: Path, arguments: list[str], said: str) -> None:
    session = Session(tmp_path, "demo-healthy", *arguments)
    assert session.status == 4
    assert said in session.output
