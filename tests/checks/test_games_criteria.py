"""The criteria on games: what passes them, what fails them, what leaves them open, and what has no bearing on them."""

from __future__ import annotations

import importlib.util
import json
import os
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
from synthetic import ROOT
from tournament import play, tables

from trainhealth.games import Flaws, Game, Games, Seat
from trainhealth.incumbent import Incumbent
from trainhealth.judge import Judge
from trainhealth.thresholds import load
from trainhealth.verdicts import Inconclusive, Judgement, NotApplicable

THRESHOLDS = load(ROOT / "thresholds.yaml")
GAP, INCUMBENT, REFERENCES = "learning.games_gap", "learning.games_incumbent", "learning.games_references"
NEW, OLD, BASE, BOT = "adapter_v200", "adapter_v100", "base_model", "chaos_bot"
GOOD = {NEW: 1150.0, OLD: 1050.0, BASE: 1000.0, BOT: 930.0}


def judgement(id_: str, games: Sequence[Game], flaws: Flaws | None = None, incumbent: str = OLD) -> Judgement:
    spec: Any = importlib.util.spec_from_file_location("checks_games", ROOT / "checks/learning/test_games.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    agents = THRESHOLDS.agents
    assert agents is not None
    judge = Judge(THRESHOLDS.criteria[id_], "demo")
    try:
        check = getattr(module, f"test_{id_.partition('.')[2]}")
        given: dict[str, Any] = {
            "games": Games("a test", tuple(games), agents, flaws or Flaws({}), incumbent=incumbent)
        }
        if id_ == INCUMBENT:
            given |= {"incumbent": Incumbent(incumbent, played=True)}
        check(**given, criterion=judge)
    except (Inconclusive, NotApplicable) as error:
        return judge.undecided(error)
    assert judge.judgement is not None
    return judge.judgement


def league(number: int = 1000, **elo: float) -> list[Game]:
    return play({**GOOD, **elo}, tables(list(GOOD), 4, number, 0), 1)


@pytest.mark.parametrize("id_", [GAP, INCUMBENT, REFERENCES])
def test_a_better_checkpoint_passes(id_: str) -> None:
    assert judgement(id_, league()).verdict == "PASS"


@pytest.mark.parametrize("id_", [GAP, INCUMBENT, REFERENCES])
def test_a_worse_one_fails_with_action_and_reason(id_: str) -> None:
    found = judgement(id_, league(adapter_v200=850.0))
    assert found.verdict == "FAIL"
    assert found.action
    assert found.keys[0] == NEW


@pytest.mark.parametrize("id_", [GAP, INCUMBENT, REFERENCES])
def test_a_few_games_leave_it_open(id_: str) -> None:
    assert judgement(id_, league(15)).verdict == "INCONCLUSIVE"
    assert judgement(id_, league(15, adapter_v200=850.0)).verdict == "INCONCLUSIVE"


@pytest.mark.parametrize("id_", [GAP, INCUMBENT, REFERENCES])
@pytest.mark.parametrize("flaws", [Flaws({}, non_finite=1), Flaws({"one seat": 100})], ids=["NaN", "unusable"])
def test_damaged_games_never_pass(id_: str, flaws: Flaws) -> None:
    assert judgement(id_, league(), flaws).verdict == "INCONCLUSIVE"


@pytest.mark.parametrize("id_", [GAP, INCUMBENT, REFERENCES])
def test_games_of_others_never_pass(id_: str) -> None:
    games = play({BASE: 1000, BOT: 900}, [[BASE, BOT]] * 300, 0)
    assert judgement(id_, games, incumbent="").verdict in ("INCONCLUSIVE", "NOT_APPLICABLE")
    assert judgement(id_, []).verdict == "INCONCLUSIVE"


def test_equal_strength_is_no_promotion() -> None:
    """The sequential test says so, or not yet; the other two do not ask for a gain."""
    verdicts = {
        str(judgement(INCUMBENT, play({NEW: 1000, OLD: 1000}, [[NEW, OLD]] * 1500, seed)).verdict) for seed in range(5)
    }
    assert "FAIL" in verdicts
    assert "PASS" not in verdicts


def test_the_verdict_carries_its_table() -> None:
    table = judgement(GAP, league()).table
    assert [row["agent"] for row in table] == [NEW, OLD, BASE, BOT]
    assert all(row["low"] <= row["Elo"] <= row["high"] for row in table)
    (row,) = (row for row in judgement(REFERENCES, league()).table if row["reference"] == BOT)
    assert row["low"] < row["change"] < row["high"]


def test_undecided_games_block_a_promotion_only() -> None:
    promotion = load(ROOT / "thresholds.yaml", profile="promotion").criteria
    assert [THRESHOLDS.criteria[id_].required for id_ in (GAP, INCUMBENT, REFERENCES)] == [False, True, False]
    assert all(promotion[id_].required for id_ in (GAP, INCUMBENT, REFERENCES))


def test_an_undefeated_checkpoint_is_promoted_but_not_rated() -> None:
    won = [Game(f"w{at}", f"w{at}", (Seat(NEW, 1), Seat(OLD, 0))) for at in range(60)]
    rest = play(GOOD, [[OLD, BASE, BOT]] * 60, 0)
    assert judgement(INCUMBENT, [*won, *rest]).verdict == "PASS"
    assert judgement(GAP, [*won, *rest]).verdict == "INCONCLUSIVE"


def written(path: Path, games: Sequence[Game]) -> Path:
    lines = [
        {"event": "match_complete", "run_name": "demo-healthy", "game_id": game.id,
         "agents": [seat.agent for seat in game.seats], "scores": [seat.score for seat in game.seats]}
        for game in games
    ]  # fmt: skip
    path.write_text("".join(f"{json.dumps(line)}\n" for line in lines), encoding="utf-8")
    return path


def session(reports: Path, *arguments: str) -> tuple[int, str, dict[str, dict[str, Any]]]:
    """(exit status, output, criterion -> judgement) of a session that a user starts."""
    command = [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", "-k", "games", "--run-id", "demo-healthy"]
    done = subprocess.run(
        [*command, *arguments, "--report-dir", str(reports)],
        capture_output=True, text=True, cwd=ROOT, env={**os.environ, "COLUMNS": "500"}, timeout=120,
    )  # fmt: skip
    assert "Traceback" not in done.stdout + done.stderr
    file = reports / "demo-healthy" / "verdict.json"
    judgements = json.loads(file.read_text(encoding="utf-8"))["judgements"] if file.exists() else []
    return done.returncode, done.stdout + done.stderr, {one["criterion"]: one for one in judgements}


def test_a_session_with_games_judges_them(tmp_path: Path) -> None:
    events = written(tmp_path / "games.ndjson", league())
    _, output, found = session(tmp_path, "--events", str(events), "--incumbent", OLD)
    assert {id_: found[id_]["verdict"] for id_ in (GAP, INCUMBENT, REFERENCES)} == dict.fromkeys(found, "PASS"), output
    status, _, found = session(tmp_path / "misspelt", "--events", str(events), "--incumbent", "adapter_v10O")
    assert status == 10
    assert "did you mean 'adapter_v100'" in found[INCUMBENT]["reason"]
    assert found[GAP]["verdict"] == "PASS"


def test_a_session_without_games_is_as_it_was(tmp_path: Path) -> None:
    events = "examples/events/demo-healthy.ndjson.gz"
    _, _, found = session(tmp_path, "--events", events)
    assert {one["verdict"] for one in found.values()} == {"NOT_APPLICABLE"}
    assert "tell of no games" in found[GAP]["reason"]
    _, _, found = session(tmp_path / "none", "--profile", "promotion")
    assert {one["verdict"] for one in found.values()} == {"NOT_APPLICABLE"}
    assert "no events were given" in found[GAP]["reason"]
