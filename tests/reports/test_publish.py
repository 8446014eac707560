"""``--publish`` against the loopback server, through the real client: what is written, and that nothing else is."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Callable, Iterator
from copy import deepcopy
from pathlib import Path
from typing import Any

import pytest
from synthetic import ROOT
from wandb_server import Request, WandbServer
from wandb_server_faults import Drop, Errors, Fault, Status
from wandb_server_runs import ServedArtifact, ServedRun

from fixtures.publishing import Publisher, check_alias
from fixtures.sources import wandb_process
from fixtures.sources.wandb_cloud import CloudRun, find_run
from fixtures.sources.wandb_place import Access, Place
from trainhealth.errors import DataError, UsageError

OWN = ("WANDB_PROJECT", "WANDB_ENTITY", "WANDB_MODE", "WANDB_SERVICE", "GITHUB_STEP_SUMMARY", "GITHUB_ACTIONS")
QUICK = {
    "WANDB_X_GRAPHQL_RETRY_MAX": "1",
    "WANDB_X_GRAPHQL_RETRY_WAIT_MIN_SECONDS": "0.1",
    "WANDB_X_GRAPHQL_RETRY_WAIT_MAX_SECONDS": "0.2",
}
MUTATIONS = ("UpsertBucket", "AddAliases")
FILE = next(ROOT.glob("examples/wandb/*demo-healthy/*.wandb"))
OTHERS: dict[str, Any] = {"loss": 0.1, "best": {"elo": 1500.0}, "grad": "NaN", "n": 2**60, "name": "größer"}
SUMMARY: dict[str, str | int] = {"trainhealth/verdict": "PASS", "trainhealth/exit_status": 0}


@pytest.fixture(scope="module")
def shared() -> Iterator[WandbServer]:
    with WandbServer() as server, pytest.MonkeyPatch.context() as patch:
        for name in OWN:
            patch.delenv(name, raising=False)
        for name, value in (server.environment() | QUICK).items():
            patch.setenv(name, value)
        yield server
        wandb_process.close_clients()


@pytest.fixture
def server(shared: WandbServer) -> Iterator[WandbServer]:
    shared.heal()
    shared.forget()
    yield shared
    shared.heal()
    shared.before = lambda request: None


def served(server: WandbServer, id_: str, **attributes: Any) -> ServedRun:
    return server.add(
        ServedRun(
            id_,
            [{"_step": 0, "loss": 0.1}],
            tags=["baseline", "trainhealth:fail", "trainhealth:note"],
            summary=deepcopy(OTHERS),
            config={"lr": 0.1},
            notes="by hand",
            name="shown",
            **attributes,
        )
    )


def publisher(server: WandbServer, run: ServedRun, artifact: str = "", alias: str = "") -> Publisher:
    found = find_run(run.id, Place(server.url, run.project, run.entity), Access(timeout=120))
    assert isinstance(found, CloudRun)
    server.forget()
    return Publisher(found, (artifact,), alias)


def mutations(server: WandbServer) -> list[Request]:
    return [request for request in server.requests if request.operation in MUTATIONS]


def kept(run: ServedRun) -> tuple[Any, ...]:
    """What nobody but its writers may change."""
    return run.config, run.notes, run.name, run.group, run.job_type, run.description, run.state, run.rows


# What is written -----------------------------------------------------------------------------------------------------


def test_exactly_the_intended_fields_change(server: WandbServer) -> None:
    run = served(server, "exact")
    before = deepcopy(kept(run))
    assert publisher(server, run).verdict("trainhealth:pass", SUMMARY).endswith("/team/league/runs/exact")
    assert run.tags == ["baseline", "trainhealth:note", "trainhealth:pass"]
    assert run.summary == OTHERS | SUMMARY
    assert kept(run) == before
    assert [sorted(request.variables) for request in mutations(server)] == [["id", "tags"], ["id", "summaryMetrics"]]


def test_what_stands_is_not_written_again(server: WandbServer) -> None:
    run = served(server, "twice")
    once = publisher(server, run)
    once.verdict("trainhealth:pass", SUMMARY)
    server.forget()
    once.verdict("trainhealth:pass", SUMMARY)
    assert mutations(server) == []
    assert run.tags.count("trainhealth:pass") == 1


def test_a_run_without_tags_and_summary(server: WandbServer) -> None:
    run = server.add(ServedRun("bare", tags=[], summary={}))
    publisher(server, run).verdict("trainhealth:error", SUMMARY)
    assert run.tags == ["trainhealth:error"]
    assert run.summary == SUMMARY


def at(server: WandbServer, operation: str, number: int, action: Callable[[], None]) -> None:
    """Let another writer act right before the server answers the `number`-th request for `operation`."""
    seen = 0

    def before(request: Request) -> None:
        nonlocal seen
        seen += request.operation == operation
        if request.operation == operation and seen == number:
            action()

    server.before = before


def test_what_others_write_after_the_run_was_found_is_kept(server: WandbServer) -> None:
    run = served(server, "meanwhile")
    ours = publisher(server, run)

    def tagged() -> None:
        run.tags = [*run.tags, "theirs"]
        run.summary = {**(run.summary or {}), "theirs": 1}

    for number in (1, 2):  # before the first reading, and between writing tags and summary
        at(server, "PublishedRun", number, tagged)
        run.tags, run.summary = ["trainhealth:warn"], deepcopy(OTHERS)
        ours.verdict("trainhealth:pass", SUMMARY)
        assert sorted(run.tags) == ["theirs", "trainhealth:pass"]
        assert run.summary == OTHERS | SUMMARY | {"theirs": 1}


def test_a_summary_written_while_tags_are_is_kept(server: WandbServer) -> None:
    run = served(server, "between")
    ours = publisher(server, run)

    def logged() -> None:
        run.summary = OTHERS | {"theirs": 1}

    at(server, "UpsertBucket", 1, logged)
    ours.verdict("trainhealth:pass", SUMMARY)
    assert run.summary == OTHERS | SUMMARY | {"theirs": 1}


def test_a_writer_who_takes_ours_away_is_written_after(server: WandbServer) -> None:
    run = served(server, "stale")

    def stale() -> None:
        run.tags = ["baseline", "theirs"]
        run.summary = OTHERS | {"theirs": 1}

    ours = publisher(server, run)
    at(server, "PublishedRun", 3, stale)
    ours.verdict("trainhealth:pass", SUMMARY)
    assert run.tags == ["baseline", "theirs", "trainhealth:pass"]
    assert run.summary == OTHERS | SUMMARY | {"theirs": 1}


def test_a_writer_who_never_rests_is_reported(server: WandbServer) -> None:
    run = served(server, "restless")
    ours = publisher(server, run)

    def before(request: Request) -> None:
        if request.operation == "PublishedRun":
            run.tags = ["theirs"]

    server.before = before
    with pytest.raises(DataError, match="does another write"):
        ours.verdict("trainhealth:pass", SUMMARY)


def test_the_client_own_update_keeps_what_was_published(server: WandbServer) -> None:
    """That the server is as strict as W&B: run.update() of the real client rewrites tags, config and summary."""
    run = served(server, "updated")
    publisher(server, run).verdict("trainhealth:pass", SUMMARY)
    program = (
        "import sys, wandb; run = wandb.Api().run(sys.argv[1]); "
        "run.tags.append('mine'); run.summary['mine'] = 1; run.config['mine'] = 2; run.update()"
    )
    done = subprocess.run([sys.executable, "-c", program, run.path], capture_output=True, text=True, timeout=200)
    assert done.returncode == 0, done.stderr
    assert run.tags == ["baseline", "trainhealth:note", "trainhealth:pass", "mine"]
    assert run.summary == OTHERS | SUMMARY | {"mine": 1}
    assert run.config == {"lr": 0.1, "mine": 2}


# Artifacts -----------------------------------------------------------------------------------------------------------


def test_an_alias_goes_to_one_version_and_nothing_else(server: WandbServer) -> None:
    older, newer = (
        ServedArtifact("adapter", 49, ["promoted", "base"]),
        ServedArtifact("adapter", 50, ["latest"], linked=["promoted"]),
    )
    other = ServedArtifact("notes", 50, ["promoted"])
    run = served(server, "promoted", artifacts=[older, newer, other, ServedArtifact("adapter", 51, state="PENDING")])
    for artifact in ("adapter:v50", "adapter:latest"):
        assert publisher(server, run, artifact, "promoted").promote() == "adapter:v50"
    assert (older.aliases, newer.aliases, other.aliases) == (["base"], ["latest", "promoted"], ["promoted"])
    assert run.tags == ["baseline", "trainhealth:fail", "trainhealth:note"]
    assert mutations(server) == []  # of the second time


def test_a_checkpoint_is_found_by_its_name_among_many(server: WandbServer) -> None:
    logged = [ServedArtifact(f"adapter_v{k}", 0, ["latest"]) for k in range(450)]
    run = served(server, "many", artifacts=logged)
    assert publisher(server, run, "adapter_v444", "promoted").promote() == "adapter_v444:v0"
    assert [one.name for one in logged if "promoted" in one.aliases] == ["adapter_v444"]
    assert mutations(server)[0].variables["input"]["artifactID"] == logged[444].id


@pytest.mark.parametrize("artifact", ["adapter:v9", "adapter", "adapter:v51", "elsewhere:v1"])
def test_what_is_not_one_artifact_of_the_run_gets_no_alias(server: WandbServer, artifact: str) -> None:
    served(server, "elsewhere", artifacts=[ServedArtifact("elsewhere", 1)])
    logged = [
        ServedArtifact("adapter", 1),
        ServedArtifact("adapter", 2),
        ServedArtifact("adapter", 51, state="PENDING"),
    ]
    run = served(server, "unclear", artifacts=logged)
    with pytest.raises(DataError, match="adapter:v1, adapter:v2"):
        publisher(server, run, artifact, "promoted").promote()
    assert mutations(server) == []


# Refusals ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("mishap", "words"),
    [
        (Status(403), "has no access to it"),
        (Status(401), "API key is not valid"),
        (Errors("permission denied: read only project"), "read only project"),
        (Drop(), "could not be asked"),
    ],
)
def test_a_refusal_is_said_in_words(server: WandbServer, mishap: Any, words: str) -> None:
    run = served(server, "refused")
    ours = publisher(server, run)
    server.fault(Fault("UpsertBucket", mishap))
    with pytest.raises(DataError, match=words) as error:
        ours.verdict("trainhealth:pass", SUMMARY)
    assert server.api_key not in str(error.value)
    assert (run.tags, run.summary) == (["baseline", "trainhealth:fail", "trainhealth:note"], OTHERS)


def test_a_run_that_was_deleted_meanwhile(server: WandbServer) -> None:
    run = served(server, "deleted")
    ours = publisher(server, run)
    server.remove(run)
    with pytest.raises(DataError, match="not there any more"):
        ours.verdict("trainhealth:pass", SUMMARY)


# Sessions ------------------------------------------------------------------------------------------------------------


def judge(tmp_path: Path, *arguments: str) -> tuple[int, str]:
    command = [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", "--no-cache", *arguments]
    inherited = {name: value for name, value in os.environ.items() if name != "PYTEST_XDIST_WORKER"}
    done = subprocess.run(
        [*command, "--report-dir", str(tmp_path / "reports")],
        capture_output=True, text=True, cwd=ROOT, timeout=300, env={**inherited, "COLUMNS": "200"},
    )  # fmt: skip
    output = done.stdout + done.stderr
    assert "Traceback (most recent" not in output
    assert "INTERNALERROR" not in output
    return done.returncode, output


@pytest.fixture
def demo(server: WandbServer) -> ServedRun:
    run = ServedRun.from_wandb_file(FILE, exported=60)
    run.tags, run.artifacts = ["baseline", "trainhealth:fail"], [ServedArtifact("adapter", 50)]
    run.summary = run.last_values
    return server.add(run)


@pytest.mark.parametrize("workers", [[], ["-n", "2"]], ids=["alone", "xdist"])
def test_a_promotion(server: WandbServer, demo: ServedRun, tmp_path: Path, workers: list[str]) -> None:
    before = deepcopy(demo.summary)
    promotion = ("--publish", "--publish-alias", "promoted", "--publish-artifact", "adapter:v50")
    status, output = judge(tmp_path, "--run-id", demo.path, *promotion, *workers)
    assert status == 0, output
    assert demo.tags == ["baseline", "trainhealth:pass"]
    assert demo.summary is not None
    assert before is not None
    assert before.items() <= demo.summary.items()
    ours = {key: demo.summary[key] for key in demo.summary.keys() - before.keys()}
    assert ours["trainhealth/verdict"] == "PASS"
    assert (ours["trainhealth/exit_status"], ours["trainhealth/failed"], ours["trainhealth/blocking"]) == (0, 0, "")
    assert all(key.startswith("trainhealth/") for key in ours)
    assert demo.artifacts[0].aliases == ["promoted"]
    assert len(mutations(server)) == 3
    assert "published trainhealth:pass to" in output


@pytest.mark.parametrize("given", ["190", "adapter_v190", "grpo-demo-healthy/adapter_v190"])
def test_the_checkpoint_that_was_meant_is_promoted(
    server: WandbServer, demo: ServedRun, tmp_path: Path, given: str
) -> None:
    """By its step, too; its artifact goes by the end of the name, or by all of it where both are there."""
    demo.artifacts = [ServedArtifact(name, 0) for name in ("adapter", "adapter_v19", "adapter_v190", "190")]
    if "/" in given:
        demo.artifacts.append(ServedArtifact("grpo-demo-healthy_adapter_v190", 0))
    promotion = ("--publish", "--publish-alias", "promoted", "--checkpoint", given)
    status, output = judge(tmp_path, "--run-id", demo.path, *promotion)
    assert status == 0, output
    expected = "grpo-demo-healthy_adapter_v190" if "/" in given else "adapter_v190"
    assert [one.name for one in demo.artifacts if one.aliases] == [expected]


def test_a_checkpoint_without_an_artifact_promotes_none(server: WandbServer, demo: ServedRun, tmp_path: Path) -> None:
    promotion = ("--publish", "--publish-alias", "promoted", "--checkpoint", "190")
    status, output = judge(tmp_path, "--run-id", demo.path, *promotion)
    assert status == 11
    assert "'grpo-demo-healthy_adapter_v190' or 'adapter_v190'" in output
    assert not any(one.aliases for one in demo.artifacts)


def test_a_failure_is_published_and_not_promoted(server: WandbServer, demo: ServedRun, tmp_path: Path) -> None:
    promotion = ("--publish", "--publish-alias", "promoted", "--publish-artifact", "adapter:v50")
    status, _ = judge(tmp_path, "--run-id", demo.path, *promotion, "--set", "stability.kl_level.fail=> 1e-6",
                      "--set", "stability.kl_level.warn=> 1e-7")  # fmt: skip
    assert status == 1
    assert demo.tags == ["baseline", "trainhealth:fail"]
    assert demo.summary is not None
    assert demo.summary["trainhealth/blocking"] == "stability.kl_level"
    assert demo.artifacts[0].aliases == []


def test_without_the_flag_nothing_is_written(server: WandbServer, demo: ServedRun, tmp_path: Path) -> None:
    assert judge(tmp_path, "--run-id", demo.path)[0] == 0
    assert mutations(server) == []
    assert not [request for request in server.requests if request.operation == "PublishedRun"]


def test_a_verdict_that_cannot_be_published_is_no_pass(server: WandbServer, demo: ServedRun, tmp_path: Path) -> None:
    server.fault(Fault("UpsertBucket", Status(403)))
    status, output = judge(tmp_path, "--run-id", demo.path, "--publish")
    assert status == 11
    assert "was not published" in output
    assert '"exit_status": 11' in next(tmp_path.glob("reports/*/verdict.json")).read_text("utf-8")
    assert server.api_key not in output


def test_a_history_in_the_cache_stands_though_the_verdict_was_published(
    server: WandbServer, demo: ServedRun, tmp_path: Path
) -> None:
    access = Access(timeout=120, cache=tmp_path)
    place = Place(server.url, demo.project, demo.entity)
    first = find_run(demo.id, place, access)
    Publisher(first).verdict("trainhealth:pass", SUMMARY)
    assert find_run(demo.id, place, access).digest == first.digest


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--publish"], "read from this disk"),
        (["--publish-alias", "promoted"], "without --publish"),
        (["--publish", "--publish-alias", "v3", "--publish-artifact", "a:v1"], "not v3 or latest"),
    ],
)
def test_what_cannot_be_published_is_said_before_anything_is_judged(
    tmp_path: Path, arguments: list[str], words: str
) -> None:
    status, output = judge(tmp_path, "--run-id", "demo-healthy", *arguments)
    assert status == 4
    assert words in output
    assert not (tmp_path / "reports").exists()


@pytest.mark.parametrize(
    ("alias", "artifact", "given", "runs", "words"),
    [
        ("promoted", None, None, 1, "--publish-artifact NAME:VERSION"),
        (None, "a:v1", "a:v1", 1, "--publish-alias"),
        ("ok", "a", "a", 1, "should be NAME:VERSION"),
        ("a/b", "a:v1", "a:v1", 1, "without : and /"),
        ("latest", "a:v1", "a:v1", 1, "not v3 or latest"),
        ("ok", "a:v1", "a:v1", 2, "2 runs are judged"),
    ],
)
def test_an_alias_is_for_one_artifact_of_one_run(
    alias: str | None, artifact: str | None, given: str | None, runs: int, words: str
) -> None:
    with pytest.raises(UsageError, match=re.escape(words)):
        check_alias(alias, [artifact] if artifact else [], given, runs)
    check_alias("promoted", ["adapter:v50"], "adapter:v50", 1)
    check_alias("promoted", ["adapter_v50"], None, 1)
    check_alias(None, [], None, 100)
