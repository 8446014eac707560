"""What counting events costs, against the one best DuckDB query that a person would write. It prints; it never judges.

    python benchmarks/events.py                          # 10 million events as Parquet, 1 million as NDJSON: minutes
    python benchmarks/events.py --rows 100000 --rounds 3

Both sides are whole processes, taken in turn: ours, by hand, ours, by hand; the median of each, and the ratio of
neighbours from its lowest to its highest. Ours is everything that a verdict takes: eight questions, with damaged
values told apart, times of any spelling, and names of any writer. The other is one query that knows names and types
beforehand, and answers the same.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
RUN, BEGAN = "bench", 1_735_689_600
SECONDS_BETWEEN = 0.01
POWERS = ("AUSTRIA", "ENGLAND", "FRANCE", "GERMANY", "ITALY", "RUSSIA", "TURKEY")
MEGABYTE = 1 << 20

EVENTS = f"""
WITH numbered AS (
    SELECT i, i % 20 AS kind, i // 20 AS rollout, (hash(i) % 100000) / 1e5 AS chance,
           (hash(i + 7777777) % 100000) / 1e5 AS other
    FROM range($rows) AS numbers(i)
)
SELECT
    make_timestamp(({BEGAN} * 1000000::BIGINT) + (i * {SECONDS_BETWEEN} * 1e6)::BIGINT) AS _time,
    CASE
        WHEN kind = 0 THEN 'rollout_start'
        WHEN kind = 1 THEN if(chance < 0.98, 'rollout_complete', 'rollout_error')
        WHEN kind < 9 THEN if(chance < 0.965, 'orders_extracted', if(chance < 0.985, 'orders_empty', 'orders_partial'))
        WHEN kind < 13 THEN 'inference_timing_breakdown'
        WHEN kind < 16 THEN 'inference_response'
        WHEN kind = 16 THEN 'prefix_cache_stats'
        WHEN kind = 17 THEN 'gpu_stats'
        WHEN kind = 18 THEN 'training_step'
        ELSE 'span_duration'
    END AS event,
    if(chance < 0.004, 'error', if(chance < 0.02, 'warning', 'info')) AS level,
    if(kind = 18, '{RUN}', NULL) AS run_name,
    if(kind < 9, 'rollout-' || rollout, NULL) AS rollout_id,
    if(kind < 2, if(rollout % 4 = 0, 'long', 'short'), NULL) AS horizon_type,
    if(kind = 1 AND chance < 0.98, (20000 + 50000 * other)::BIGINT, NULL) AS total_duration_ms,
    if(kind = 1 AND chance < 0.98, 7 + rollout % 2, NULL) AS trajectories_count,
    if(kind BETWEEN 2 AND 8, [{", ".join(repr(power) for power in POWERS)}][kind - 1], NULL) AS power_name,
    if(kind BETWEEN 2 AND 8, (other * 6)::BIGINT, NULL) AS expected_count,
    if(kind BETWEEN 9 AND 12 AND chance > 0.1, 'adapter_v' || (rollout % 5), NULL) AS lora_name,
    if(kind BETWEEN 9 AND 12, round(other * 5, 3), NULL) AS generation_time_s,
    if(kind BETWEEN 9 AND 12, round(other * 5 + 0.5, 3), NULL) AS total_time_s,
    if(kind BETWEEN 9 AND 12, 0.5, NULL) AS adapter_load_time_s,
    if(kind BETWEEN 9 AND 15, (other * 400)::BIGINT + 20, NULL) AS tokens_generated,
    if(kind BETWEEN 9 AND 12, (other * 6000)::BIGINT + 300, NULL) AS prompt_tokens,
    if(kind BETWEEN 9 AND 12, 80 + 10 * chance, NULL) AS output_tokens_per_second,
    if(kind BETWEEN 9 AND 12, 1000 + 100 * chance, NULL) AS input_tokens_per_second,
    if(kind BETWEEN 13 AND 15, 80 + 10 * chance, NULL) AS tokens_per_second,
    if(kind BETWEEN 13 AND 15 OR kind = 19, (other * 5000)::BIGINT, NULL) AS duration_ms,
    if(kind BETWEEN 9 AND 15, 4 + rollout % 8, NULL) AS batch_size,
    if(kind = 16, chance, NULL) AS hit_rate,
    if(kind = 16, 400, NULL) AS queries,
    if(kind = 16, (400 * chance)::BIGINT, NULL) AS hits,
    if(kind = 17, 50 + 50 * chance, NULL) AS gpu_utilization,
    if(kind = 17, 60000000000 + (chance * 1e10)::BIGINT, NULL) AS memory_used,
    if(kind = 17, 80000000000, NULL) AS memory_total,
    if(kind = 18, rollout, NULL) AS step,
    if(kind = 18, other - 0.5, NULL) AS loss,
    if(kind = 18, 0.05 * other, NULL) AS kl,
    if(kind = 18, 3 + other, NULL) AS grad_norm,
    if(kind = 18, 10 + other, NULL) AS reward_mean,
    if(chance < 0.02, 'message ' || (i % 50), NULL) AS message
FROM numbered
"""

COLUMNS = {
    "_time": "TIMESTAMP", "event": "VARCHAR", "level": "VARCHAR", "run_name": "VARCHAR", "rollout_id": "VARCHAR",
    "horizon_type": "VARCHAR", "total_duration_ms": "DOUBLE", "trajectories_count": "DOUBLE", "power_name": "VARCHAR",
    "expected_count": "DOUBLE", "lora_name": "VARCHAR", "generation_time_s": "DOUBLE", "total_time_s": "DOUBLE",
    "adapter_load_time_s": "DOUBLE", "tokens_generated": "DOUBLE", "prompt_tokens": "DOUBLE", "batch_size": "DOUBLE",
    "hit_rate": "DOUBLE", "queries": "DOUBLE", "hits": "DOUBLE", "gpu_utilization": "DOUBLE", "memory_used": "DOUBLE",
    "memory_total": "DOUBLE", "step": "DOUBLE", "loss": "DOUBLE", "kl": "DOUBLE", "grad_norm": "DOUBLE",
    "reward_mean": "DOUBLE", "message": "VARCHAR",
}  # fmt: skip
"""What the query by hand reads."""

BY_HAND = """
WITH e AS {materialized} (SELECT * FROM {events}),
rollouts AS MATERIALIZED (
    SELECT event, _time, rollout_id, horizon_type, total_duration_ms / 1000 AS duration, trajectories_count
    FROM e WHERE event IN ('rollout_start', 'rollout_complete', 'rollout_error')
),
fates AS (
    SELECT rollout_id, max(horizon_type) AS horizon, count(*) FILTER (event = 'rollout_start') AS starts,
           count(*) FILTER (event = 'rollout_complete') AS completions, max(duration) AS duration,
           max(_time) FILTER (event = 'rollout_start') AS begun, max(trajectories_count) AS trajectories
    FROM rollouts GROUP BY rollout_id
)
SELECT
    (SELECT list(x) FROM (SELECT run_name, count(*), min(_time), max(_time) FROM e GROUP BY run_name) x),
    (SELECT list(x) FROM (
        SELECT event, count(*), count(level), count(*) FILTER (level = 'error' OR ends_with(event, '_error')),
               count(*) FILTER (level = 'warning'), min(_time), max(_time), max(step), avg(kl), max(kl),
               avg(grad_norm), max(grad_norm), avg(loss), avg(reward_mean), sum(hits), sum(queries), avg(hit_rate),
               avg(gpu_utilization), max(memory_used), max(memory_total)
        FROM e GROUP BY event) x),
    (SELECT x FROM (
        SELECT count(*) FILTER (event = 'rollout_start') AS a, count(*) FILTER (event = 'rollout_complete') AS b,
               min(_time) FILTER (event = 'rollout_start') AS c, max(_time) FILTER (event = 'rollout_complete') AS d,
               avg(duration) AS f, quantile_cont(duration, [0.5, 0.95]) AS g, arg_max(rollout_id, duration) AS h,
               sum(trajectories_count) AS i
        FROM rollouts) x),
    (SELECT list(x) FROM (
        SELECT horizon, count(*), count(*) FILTER (starts > 0 AND completions > 0), max(begun), avg(duration),
               quantile_cont(duration, [0.5, 0.95]), max(duration), sum(trajectories)
        FROM fates GROUP BY horizon) x),
    (SELECT list(x) FROM (
        SELECT power_name, count(*), count(*) FILTER (expected_count = 0),
               count(*) FILTER (event = 'orders_extracted' AND expected_count > 0),
               count(*) FILTER (event = 'orders_empty' AND expected_count > 0),
               count(*) FILTER (event = 'orders_partial' AND expected_count > 0)
        FROM e WHERE event IN ('orders_extracted', 'orders_empty', 'orders_partial') GROUP BY power_name) x),
    (SELECT list(x) FROM (
        SELECT lora_name, count(*), sum(generation_time_s), avg(total_time_s), avg(adapter_load_time_s),
               max(adapter_load_time_s), sum(tokens_generated), sum(prompt_tokens), avg(batch_size)
        FROM e WHERE event = 'inference_timing_breakdown' GROUP BY lora_name) x),
    (SELECT list(x) FROM (
        SELECT _time, event, level, message, run_name, rollout_id FROM e
        WHERE level IN ('error', 'warning') OR ends_with(event, '_error') ORDER BY _time DESC LIMIT 20) x)
"""


@dataclass(frozen=True)
class Sample:
    """One whole process."""

    seconds: float
    peak_bytes: int


class Unmeasured(Exception):
    """One side did not do its work."""


def write(folder: Path, parquet_rows: int, ndjson_rows: int) -> list[Path]:
    """The same events as Parquet and as NDJSON."""
    import duckdb

    paths = [folder / "events.parquet", folder / "events.ndjson"]
    with duckdb.connect() as database:
        database.execute(f"COPY ({EVENTS.replace('$rows', str(parquet_rows))}) TO '{paths[0]}' (FORMAT parquet)")
        # As a writer of events does it: what an event does not have is not in it.
        lines = (
            "SELECT regexp_replace(regexp_replace(to_json(e)::VARCHAR, '\"[a-z_]+\":null,?', '', 'g'), ',}$', '}') "
            f"FROM ({EVENTS.replace('$rows', str(ndjson_rows))}) AS e"
        )
        layout = "FORMAT csv, HEADER false, QUOTE '', ESCAPE '', DELIMITER '\x01'"
        database.execute(f"COPY ({lines}) TO '{paths[1]}' ({layout})")
    return paths


def ours(path: str) -> None:
    from fixtures.sources.event_files import read_events
    from trainhealth.attribution import Scope
    from trainhealth.thresholds import load

    events = load(ROOT / "thresholds.yaml").events
    scope = Scope((RUN,), (BEGAN, BEGAN + 1e7))
    found = read_events([path], events.fields, scope, events.powers)
    print(json.dumps([found.total, found.rollout_duration(0.95).value, found.extraction_rate().value]))


def by_hand(path: str) -> None:
    import duckdb

    if path.endswith(".parquet"):
        events, materialized = f"read_parquet('{path}')", "NOT MATERIALIZED"
    else:
        columns = ", ".join(f"{name}: '{kind}'" for name, kind in COLUMNS.items())
        events = f"read_json('{path}', format = 'newline_delimited', columns = {{{columns}}})"
        materialized = "MATERIALIZED"
    with duckdb.connect(config={"threads": 2}) as database:
        (row,) = database.execute(BY_HAND.format(events=events, materialized=materialized)).fetchall()
    orders = [sum(column) for column in zip(*(list(one.values())[1:] for one in row[4]), strict=True)]
    total = sum(list(one.values())[1] for one in row[1])
    print(json.dumps([total, row[2]["g"][1], orders[2] / sum(orders[2:])]))


def measure(side: str, path: Path) -> tuple[Sample, list[float]]:
    command = [sys.executable, str(Path(__file__)), "--side", side, str(path)]
    with tempfile.TemporaryFile() as output:
        began = time.perf_counter()
        process = subprocess.Popen(command, cwd=ROOT, stdout=output, stderr=subprocess.STDOUT)
        _, status, usage = os.wait4(process.pid, 0)
        seconds = time.perf_counter() - began
        process.returncode = os.waitstatus_to_exitcode(status)
        output.seek(0)
        said = output.read().decode(errors="replace")
    if process.returncode:
        raise Unmeasured(f"{side} on {path.name} ended with {process.returncode}:\n{said[-1500:]}")
    return Sample(seconds, usage.ru_maxrss * 1024), json.loads(said.splitlines()[-1])


def compare(path: Path, rows: int, rounds: int) -> str:
    """One line; both sides must give the same numbers."""
    found: dict[str, list[Sample]] = {"ours": [], "by_hand": []}
    for _ in range(rounds):
        answers = []
        for side, samples in found.items():
            sample, answer = measure(side, path)
            samples.append(sample)
            answers.append(answer)
        if any(abs(one - other) > 1e-9 * abs(other) for one, other in zip(*answers, strict=True)):
            raise Unmeasured(f"the sides disagree on {path.name}: {answers}")
    ratios = sorted(one.seconds / other.seconds for one, other in zip(*found.values(), strict=True))
    times = [statistics.median(sample.seconds for sample in samples) for samples in found.values()]
    peaks = [max(sample.peak_bytes for sample in samples) / MEGABYTE for samples in found.values()]
    return (
        f"{path.suffix[1:]:8} {rows:>11,} events {path.stat().st_size / MEGABYTE:7.0f} MB   ours {times[0]:6.2f} s  "
        f"by hand {times[1]:6.2f} s   ratio {statistics.median(ratios):.2f} ({ratios[0]:.2f} to {ratios[-1]:.2f})   "
        f"peak memory {peaks[0]:,.0f} MB, {peaks[1]:,.0f} MB"
    )


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", type=int, help="events of both files (default: 10 million and 1 million)")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--keep", type=Path, help="where the files are written, to be looked at")
    parser.add_argument("--side", choices=("ours", "by_hand"), help=argparse.SUPPRESS)
    parser.add_argument("path", nargs="?", help=argparse.SUPPRESS)
    given = parser.parse_args(arguments)
    if given.side:
        {"ours": ours, "by_hand": by_hand}[given.side](given.path)
        return 0
    parquet, ndjson = (given.rows, given.rows) if given.rows else (10_000_000, 1_000_000)
    with tempfile.TemporaryDirectory(prefix="trainhealth-events-") as scratch:
        folder = given.keep or Path(scratch)
        folder.mkdir(parents=True, exist_ok=True)
        for path, rows in zip(write(folder, parquet, ndjson), (parquet, ndjson), strict=True):
            print(compare(path, rows, given.rounds), flush=True)
    return 0


if __name__ == "__main__":
    sys.path.insert(0, str(ROOT))
    sys.exit(main())
