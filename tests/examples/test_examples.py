"""The bundled demo runs, read with the client's own protobuf classes and nothing of ours."""

from __future__ import annotations

import gzip
import json
import math
import re
import socket
import struct
import subprocess
import sys
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).parents[2]
EXAMPLES = ROOT / "examples"
DEMOS = ("demo-healthy", "demo-collapsed")
RATINGS_EVERY = 5
BASELINES = {"base_model", "chaos_bot", "defensive_bot", "territorial_bot", "coordinated_bot", "random_bot"}
BLOCK = 32768

Row = dict[str, Any]


@dataclass(frozen=True)
class RunFile:
    """What one `.wandb` file holds."""

    id: str
    name: str
    host: str
    started: float
    config: dict[str, Any]
    rows: list[Row]
    exit_codes: list[int]

    def column(self, key: str) -> dict[int, float]:
        """Training step -> value."""
        return {row["benchmark/step"]: row[key] for row in self.rows if key in row}


def records(data: bytes) -> Iterator[bytes]:
    """The records of a LevelDB-style log, checksums verified."""
    assert data[:7] == b":W&B\xe1\xbe\x00"
    at, body = 7, b""
    while at < len(data):
        if BLOCK - at % BLOCK < 7:
            at += BLOCK - at % BLOCK
            continue
        checksum, length, kind = struct.unpack_from("<IHB", data, at)
        chunk = data[at + 6 : at + 7 + length]
        assert zlib.crc32(chunk) == checksum
        body += chunk[1:]
        at += 7 + length
        if kind in (1, 4):
            yield body
            body = b""
    assert body == b"", "the file ends inside a record"


def read(path: Path) -> RunFile:
    from wandb.proto.wandb_internal_pb2 import Record  # type: ignore[attr-defined]

    rows: list[Row] = []
    exit_codes: list[int] = []
    run: Any = None
    for body in records(path.read_bytes()):
        record = Record.FromString(body)
        match record.WhichOneof("record_type"):
            case "run":
                run = record.run
            case "history":
                rows.append({item.nested_key[0]: json.loads(item.value_json) for item in record.history.item})
            case "exit":
                exit_codes.append(record.exit.exit_code)
    config = {item.key: json.loads(item.value_json) for item in run.config.update}
    return RunFile(run.run_id, run.display_name, run.host, run.start_time.seconds, config, rows, exit_codes)


def run_file(folder: Path, run_id: str) -> Path:
    (path,) = folder.glob(f"wandb/offline-run-*-{run_id}/run-{run_id}.wandb")
    return path


@cache
def demo(run_id: str) -> RunFile:
    return read(run_file(EXAMPLES, run_id))


@cache
def events(run_id: str) -> list[Row]:
    with gzip.open(EXAMPLES / "events" / f"{run_id}.ndjson.gz", "rt") as lines:
        return [json.loads(line) for line in lines]


def make(out: Path, *options: str) -> None:
    command = [sys.executable, str(EXAMPLES / "make_runs.py"), *options, "--out", str(out)]
    subprocess.run(command, check=True, timeout=300, stdout=subprocess.DEVNULL)


def agents(row: Row) -> set[str]:
    return {key.removeprefix("trueskill/").removesuffix("_mu") for key in row if key.endswith("_mu")}


@pytest.mark.parametrize(
    ("run_id", "steps", "evaluations", "exit_code"), [("demo-healthy", 200, 41, 0), ("demo-collapsed", 164, 34, 1)]
)
def test_run_is_as_long_as_its_story(run_id: str, steps: int, evaluations: int, exit_code: int) -> None:
    run = demo(run_id)
    assert (run.id, run.name) == (run_id, f"grpo-{run_id}")
    assert run.config["total_steps"] == 200
    assert run.config["kl_beta"] == 0.04
    assert len(run.rows) == steps + evaluations
    assert [row["_step"] for row in run.rows] == list(range(steps + evaluations))
    assert list(run.column("benchmark/loss")) == list(range(steps))
    assert run.exit_codes == [exit_code]


@pytest.mark.parametrize("run_id", DEMOS)
def test_ratings_are_in_rows_of_their_own(run_id: str) -> None:
    run = demo(run_id)
    rated = [row for row in run.rows if any(key.startswith(("elo/", "trueskill/")) for key in row)]
    assert all("benchmark/loss" not in row for row in rated)
    steps = [row["benchmark/step"] for row in rated]
    assert steps[:-1] == list(range(0, steps[-1], RATINGS_EVERY))
    for row in rated:
        saved = {f"grpo-{run_id}_adapter_v{step}" for step in range(0, row["benchmark/step"] + 1, 10)}
        assert agents(row) == BASELINES | saved
        assert {"elo/step", "elo/win_rate", "elo/games_played", "elo/challenger", "elo/vs_bot_win_rate"} <= row.keys()


@pytest.mark.parametrize("run_id", DEMOS)
def test_elo_is_the_same_rating_as_trueskill(run_id: str) -> None:
    last = demo(run_id).rows[-1]
    for agent in agents(last):
        mu, sigma = last[f"trueskill/{agent}_mu"], last[f"trueskill/{agent}_sigma"]
        assert last[f"elo/{agent}"] == pytest.approx((mu - 25) * 40 + 1000, abs=0.01)
        assert last[f"trueskill/{agent}_rating"] == pytest.approx(mu - 3 * sigma, abs=3e-4)


def test_healthy_run_learned() -> None:
    run = demo("demo-healthy")
    last = run.rows[-1]
    best = max(last[f"elo/{agent}"] for agent in agents(last) - BASELINES)
    assert best - last["elo/base_model"] > 100
    drops = {agent: run.column(f"elo/{agent}")[0] - last[f"elo/{agent}"] for agent in BASELINES}
    assert all(drop > 30 for drop in drops.values())
    kl = list(run.column("kl/mean").values())
    assert 0.02 < sorted(kl[-50:])[25] < 0.05
    assert all(math.isfinite(value) for row in run.rows for value in row.values())


def test_collapsed_run_comes_apart() -> None:
    run = demo("demo-collapsed")
    kl, reward, norm = (run.column(key) for key in ("kl/mean", "benchmark/reward_mean", "benchmark/grad_norm"))
    assert kl[121] == 392_000
    assert max(kl[step] for step in range(126, 131)) < 5, "recovered within five steps"
    assert sorted(kl[step] for step in range(114, 164))[25] > 0.3
    assert [step for step, value in norm.items() if math.isnan(value)] == [137]
    assert [step for step, value in run.column("benchmark/loss").items() if math.isnan(value)] == [137]
    assert norm[163] > 100
    assert run.column("policy/entropy_mean")[163] < 1e-3
    assert reward[0] > 13.5
    assert reward[8] < 8.8
    assert reward[163] < 5
    last = run.rows[-1]
    assert all(last[f"elo/{agent}"] > run.column(f"elo/{agent}")[0] for agent in BASELINES)
    newest = [run.column(f"elo/grpo-demo-collapsed_adapter_v{step}") for step in (130, 140, 150)]
    assert all(list(ratings.values())[-1] < next(iter(ratings.values())) for ratings in newest)


@pytest.mark.parametrize("run_id", DEMOS)
def test_events_fall_into_the_run_and_belong_to_it(run_id: str) -> None:
    run = demo(run_id)
    assert 2000 <= len(events(run_id)) <= 4000
    times = [event["_time"] for event in events(run_id)]
    assert times == sorted(times)
    steps = [event for event in events(run_id) if event["event"] == "training_step"]
    assert [event["step"] for event in steps] == list(run.column("benchmark/loss"))
    assert {event["run_name"] for event in steps} == {run.name}
    assert {"kl", "kl_divergence"} <= {key for event in steps for key in event}
    orders = [event for event in events(run_id) if event["event"].startswith("orders_")]
    assert any(event.get("expected_count") == 0 for event in orders)


@pytest.mark.parametrize(
    ("run_id", "p95", "error_rate"), [("demo-healthy", (75, 100), 0.003), ("demo-collapsed", (270, 340), 0.07)]
)
def test_events_tell_how_the_pipeline_did(run_id: str, p95: tuple[float, float], error_rate: float) -> None:
    done = [event for event in events(run_id) if event["event"] == "rollout_complete"]
    durations = sorted(event.get("duration_s") or event["total_duration_ms"] / 1000 for event in done)
    assert p95[0] < durations[int(0.95 * len(durations))] < p95[1]
    assert {event.get("trajectory_count", event.get("trajectories_count")) for event in done} == {7, 8}
    errors = sum(event.get("level") == "error" for event in events(run_id))
    assert errors / len(events(run_id)) == pytest.approx(error_rate, rel=0.1)


@pytest.mark.parametrize("run_id", DEMOS)
def test_nothing_of_the_machine_is_inside(run_id: str) -> None:
    assert demo(run_id).host == "demo"
    data = run_file(EXAMPLES, run_id).read_bytes() + json.dumps(events(run_id)).encode()
    # The client keeps paths, the user, git and the command line in these words' neighbourhood.
    for word in (str(Path.home()), str(ROOT), socket.gethostname(), "github", "http", "git@", ".com"):
        if len(word) > 3:
            assert word.encode() not in data, word
    assert not re.search(rb"/(?:home|root|tmp|usr|Users|var)/", data)


def test_committed_runs_are_alone_in_their_folders_and_small() -> None:
    files = [path for path in (EXAMPLES / "wandb").rglob("*") if path.is_file()]
    assert len(files) == len(DEMOS)
    assert all(path.stat().st_size < 600_000 for path in files)
    assert all(path.stat().st_size < 400_000 for path in (EXAMPLES / "events").iterdir())


def test_regeneration_gives_the_same_values(tmp_path: Path) -> None:
    make(tmp_path, "--only", "demo-collapsed")
    again = read(run_file(tmp_path, "demo-collapsed"))
    stamped_by_client = "_runtime"

    def text(run: RunFile) -> str:
        rows = [{key: row[key] for key in sorted(row) if key != stamped_by_client} for row in run.rows]
        return json.dumps([run.started, run.config, rows])

    assert text(again) == text(demo("demo-collapsed"))
    name = "demo-collapsed.ndjson.gz"
    assert gzip.decompress((tmp_path / "events" / name).read_bytes()) == gzip.decompress(
        (EXAMPLES / "events" / name).read_bytes()
    )


def test_walkthrough_is_the_published_table(tmp_path: Path) -> None:
    make(tmp_path, "--walkthrough")
    run = read(run_file(tmp_path, "grpo-20251222-191408"))
    assert len(run.rows) == 114
    assert run.exit_codes == [0]
    main, rated = run.rows[0::2], run.rows[1::2]
    assert [row["benchmark/step"] for row in main] == list(range(57))
    assert not any("elo/base_model" in row for row in main)
    assert not any("benchmark/step" in row for row in rated)
    published = {
        "adapter_v0": (1022.9, 24, 1006.2),
        "adapter_v10": (1035.9, 25, 1024.9),
        "adapter_v20": (1035.7, 23, 1020.7),
        "adapter_v30": (1034.1, 14, 1030.1),
        "adapter_v40": (1035.5, 13, 1032.8),
        "adapter_v50": (1035.8, 0, 1031.3),
    }
    for name, (peak, at, final) in published.items():
        elo = [row[f"elo/grpo-20251222-191408_{name}"] for row in rated]
        assert (max(elo), elo.index(max(elo)), elo[-1]) == (peak, at, final)
        assert elo.count(peak) == 1
    ends = {
        "coordinated_bot": (991, 851),
        "defensive_bot": (943, 763),
        "territorial_bot": (955, 986),
        "chaos_bot": (901, 916),
        "base_model": (999, 1008),
    }
    for name, (initial, final) in ends.items():
        assert (rated[0][f"elo/{name}"], rated[-1][f"elo/{name}"]) == (initial, final)
