"""The suite as its users start it: a process of its own, real runs, exit status and reports."""

from __future__ import annotations

import gzip
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from session import Session
from synthetic import ROOT

HEALTHY = ["--run-id", "demo-healthy", "--events", "examples/events/demo-healthy.ndjson.gz"]
COLLAPSED = ["--run-id", "demo-collapsed", "--events", "examples/events/demo-collapsed.ndjson.gz"]
RECORD = next(ROOT.glob("examples/wandb/*demo-healthy/*.wandb"))

Judge = Callable[..., Session]


@pytest.fixture
def judge(tmp_path: Path) -> Judge:
    def judge(*arguments: str, cwd: Path = ROOT) -> Session:
        session = Session(tmp_path / "reports", *arguments, cwd=cwd)
        assert "Traceback" not in session.output
        assert "INTERNALERROR" not in session.output
        return session

    return judge


def test_the_healthy_demo_passes(judge: Judge) -> None:
    session = judge(*HEALTHY)
    assert session.status == 0
    verdicts = session.of("demo-healthy")
    assert set(verdicts.values()) == {"PASS", "NOT_APPLICABLE"}
    ruled_out = {id_ for id_, verdict in verdicts.items() if verdict == "NOT_APPLICABLE"}
    assert "learning.reward_gain" in ruled_out  # ratings carry the verdict
    of_every_run = ("stability.kl", "stability.grad", "learning.", "performance.", "integrity.m", "integrity.re")
    assert {id_ for id_ in ruled_out if id_.startswith(of_every_run)} == {
        "learning.reward_gain", "learning.task_gain", "learning.checkpoint_rating",
        "learning.incumbent_gap", "learning.games_gap", "learning.games_incumbent", "learning.games_references",
    }  # fmt: skip
    assert (session.reports / "demo-healthy" / "report.html").is_file()


def test_the_collapsed_demo_fails_with_reasons(judge: Judge) -> None:
    session = judge(*COLLAPSED)
    assert session.status == 1
    judgements = {one["criterion"]: one for one in session.verdict("demo-collapsed")["judgements"]}
    for id_ in (
        "integrity.run_state", "integrity.completion", "learning.baselines_exploited", "learning.newest_checkpoint",
        "learning.reward_trend", "learning.reward_decline", "learning.early_reward_drop",
        "stability.kl_level", "stability.kl_spikes",
        "stability.non_finite_values", "performance.rollout_p95", "performance.extraction_rate",
        "performance.error_rate",
    ):  # fmt: skip
        one = judgements[id_]
        assert one["verdict"] == "FAIL", id_
        assert one["value_text"], id_
        assert one["limit"], id_
        assert one["limit_origin"].startswith("thresholds.yaml:"), id_
        assert one["action"], id_
        assert id_ in session.output
    assert judgements["stability.kl_level"]["worst_at"] == 121
    assert judgements["stability.non_finite_values"]["worst_at"] == 137


@pytest.mark.parametrize("demo", [HEALTHY, COLLAPSED], ids=["healthy", "collapsed"])
def test_xdist_changes_nothing(judge: Judge, demo: list[str], tmp_path: Path) -> None:
    alone = judge(*demo)
    run = demo[1]
    expected = alone.verdict(run)
    both = judge(*demo, "-n", "2")
    found = both.verdict(run)
    assert both.status == alone.status
    for document in (expected, found):
        del document["judged_at"]
    assert found == expected


def test_several_runs_in_one_session(judge: Judge) -> None:
    session = judge("--run-id", "demo-healthy,demo-collapsed", "-n", "2")
    assert session.status == 1
    assert session.verdict("demo-healthy")["verdict"] == "PASS"
    assert session.verdict("demo-collapsed")["verdict"] == "FAIL"


def test_without_events_performance_is_said_not_to_be_judged(judge: Judge) -> None:
    session = judge("--run-id", "demo-healthy")
    assert session.status == 0
    assert session.of("demo-healthy")["performance.rollout_p95"] == "NOT_APPLICABLE"
    assert "no events were given" in session.output
    required = judge("--run-id", "demo-healthy", "--profile", "promotion")
    assert required.status == 10
    assert required.of("demo-healthy")["performance.rollout_p95"] == "INCONCLUSIVE"


@pytest.mark.parametrize("workers", [[], ["-n", "2"]], ids=["alone", "xdist"])
def test_flaws_of_events_that_pass_are_noted(judge: Judge, tmp_path: Path, workers: list[str]) -> None:
    events = tmp_path / "events" / "below"
    events.mkdir(parents=True)
    good = gzip.decompress((ROOT / HEALTHY[-1]).read_bytes())
    (events / "app.ndjson").write_bytes(good + b'{"event": "torn\n')
    (events / "app.ndjson.1").touch()
    session = judge("--run-id", "demo-healthy", "--events", str(events.parent), *workers)
    assert session.status == 0, session.output
    notes = session.verdict("demo-healthy")["summary"]["notes"]
    place = f"{events / 'app.ndjson'}:{len(good.splitlines()) + 1}"
    malformed = f"1 malformed record among the events left out, the first: {place}"
    empty = f"1 empty file among those of events: {events / 'app.ndjson.1'}"
    assert notes.count(malformed) == notes.count(empty) == 1
    assert f"note: {malformed}" in session.output
    assert f"note: {empty}" in session.output


def test_a_path_outside_the_suite_is_judged(judge: Judge, tmp_path: Path) -> None:
    file = tmp_path / "elsewhere" / RECORD.name
    file.parent.mkdir()
    file.write_bytes(RECORD.read_bytes())
    for given in ([str(file)], [str(file.parent)]):
        session = judge("--run-id", *given)
        assert session.status == 0, session.output
        assert session.verdict("demo-healthy")["verdict"] == "PASS"
    assert judge("--run-id", str(file), cwd=ROOT / "checks").status == 0


def test_the_display_name_finds_the_run(judge: Judge) -> None:
    session = judge("--run-id", "grpo-demo-healthy")
    assert session.status == 0
    assert session.verdict("grpo-demo-healthy")["summary"]["id"] == "demo-healthy"


def test_no_run_says_how_to_give_one(judge: Judge) -> None:
    for arguments in ([], ["-n", "2"], ["checks"], ["."]):
        session = judge(*arguments)
        assert session.status == 4
        assert "pytest --run-id demo-healthy" in session.output
    listed = judge("--collect-only", "-q")
    assert listed.status == 0
    assert "checks/stability/test_kl.py::test_kl_level" in listed.output


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--run-id", "no-such-run"], "demo-healthy"),
        (["--run-id", "../../etc"], "etc"),
        (["--run-id", "/etc"], "/etc"),
        (["--run-id", ""], "--run-id is empty"),
        (["--run-id", "demo-healthy", "--profile", "smok"], "smoke"),
        (["--run-id", "demo-healthy", "--trainer", "verk"], "did you mean 'verl'"),
        (["--run-id", "demo-healthy", "--events", "no/such.ndjson"], "no/such.ndjson"),
        (["--run-id", "demo-healthy", "--thresholds", "none.yaml"], "none.yaml"),
        (["--run-id", "demo-healthy", "--set", "stability.kl_levl.fail=> 1"], "stability.kl_level"),
        (["--run-id", "demo-healthy", "--wandb-dir", "nowhere"], "there is no such directory"),
    ],
)  # fmt: skip
def test_usage_errors_end_with_4_and_write_nothing(judge: Judge, arguments: list[str], message: str) -> None:
    session = judge(*arguments)
    assert session.status == 4
    assert message in session.output
    assert not session.reports.exists()


@pytest.mark.parametrize("workers", [[], ["-n", "2"]], ids=["alone", "xdist"])
def test_a_check_without_an_entry_is_an_error(judge: Judge, tmp_path: Path, workers: list[str]) -> None:
    shipped = (ROOT / "thresholds.yaml").read_text(encoding="utf-8")
    bad = tmp_path / "bad.yaml"
    bad.write_text(shipped.replace("  stability.kl_level:", "  stability.kl_lvel:"), encoding="utf-8")
    session = judge("--run-id", "demo-healthy", "--thresholds", str(bad), *workers)
    assert session.status == 4
    assert "stability.kl_level" in session.output
    assert "stability.kl_lvel" in session.output


def test_a_damaged_file_is_an_error(judge: Judge, tmp_path: Path) -> None:
    data = bytearray(RECORD.read_bytes())
    data[len(data) // 2] ^= 0x10
    file = tmp_path / "run-broken.wandb"
    file.write_bytes(data)
    session = judge("--run-id", str(file))
    assert session.status == 11
    assert set(session.of("demo-healthy").values()) <= {"ERROR", "NOT_APPLICABLE"}
    assert "the checksum of the chunk at byte" in " ".join(session.output.split())


def test_a_file_with_nothing_in_it_is_inconclusive(judge: Judge, tmp_path: Path) -> None:
    file = tmp_path / "run-empty.wandb"
    file.write_bytes(b":W&B\xe1\xbe\x00")
    assert judge("--run-id", str(file)).status == 10
    file.write_bytes(b"")
    assert judge("--run-id", str(file)).status == 11


def test_overrides_waivers_and_custom_criteria(judge: Judge, tmp_path: Path) -> None:
    own = tmp_path / "own.yaml"
    own.write_text(
        "schema: 1\nextends: default\n"
        "criteria:\n"
        "  stability.kl_level: {warn: '> 0.01', fail: '> 0.02'}\n"
        "  custom.ppo_clip: {metric: ppo/clip_fraction, statistic: p95, fail: '> 0.4', action: act}\n"
        "  custom.gone: {metric: no/such, statistic: max, fail: '> 1', required: false}\n"
        "off: [performance.*]\n"
        "waivers:\n"
        "  - {criterion: stability.kl_level, run: demo-healthy, until: 2999-12-31, reason: on purpose}\n",
        encoding="utf-8",
    )
    session = judge("--run-id", "demo-healthy", "--thresholds", str(own))
    verdicts = session.of("demo-healthy")
    assert session.status == 0, session.output
    assert verdicts["stability.kl_level"] == "WAIVED"
    assert verdicts["custom.ppo_clip"] == "PASS"
    assert verdicts["custom.gone"] == "INCONCLUSIVE"
    assert verdicts["performance.rollout_p95"] == "NOT_APPLICABLE"
    assert "on purpose" in session.output
    without = judge("--run-id", "demo-healthy", "--thresholds", str(own), "--set", "waivers=[]")
    assert without.status == 1
    strict = judge("--run-id", "demo-healthy", "--set", "stability.kl_level.warn=> 0.001", "--strict")
    assert strict.status == 1
    assert strict.of("demo-healthy")["stability.kl_level"] == "WARN"


def test_a_part_of_the_checks_is_no_gate(judge: Judge) -> None:
    session = judge("--run-id", "demo-healthy", "checks/stability")
    assert session.status == 10
    assert "not all criteria were judged" in session.output
    assert judge("--run-id", "demo-healthy", "-k", "not test_kl").status == 10
    assert judge("--run-id", "demo-healthy", "tests").status == 4


def test_events_of_another_run_are_not_believed(judge: Judge) -> None:
    session = judge("--run-id", "demo-healthy", *COLLAPSED[2:])
    assert session.status == 10
    assert session.of("demo-healthy")["performance.rollout_p95"] == "INCONCLUSIVE"


def test_offline_sessions_do_not_import_what_they_do_not_need() -> None:
    program = (
        "import sys, pytest; code = pytest.main(sys.argv[1:]); "
        "heavy = {'wandb', 'matplotlib', 'scipy', 'pandas', 'requests', 'duckdb', 'hypothesis'} & set(sys.modules); "
        "print('HEAVY', sorted(heavy), int(code))"
    )
    for arguments in (["--help"], ["--collect-only", "-q"], ["--run-id", "demo-healthy", "-p", "no:html"]):
        done = subprocess.run(
            [sys.executable, "-c", program, *arguments, "-p", "no:cacheprovider"],
            capture_output=True, text=True, cwd=ROOT, timeout=300,
        )  # fmt: skip
        assert "HEAVY [] 0" in done.stdout, arguments
