"""Rollout workers, inference engine and trainer of a scenario: their timeline and the events they log."""

from __future__ import annotations

import heapq
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import numpy as np

from simulation.scenario import Scenario, Service
from simulation.training import Floats

Event = dict[str, Any]

WORKERS = 2
POWERS = ("AUSTRIA", "ENGLAND", "FRANCE", "GERMANY", "ITALY", "RUSSIA", "TURKEY")
WEAK_POWER = "AUSTRIA"
"""Its answers are read less often than those of the others."""
STRONG_POWER = "FRANCE"
"""What a collapsed policy is over-fitted to."""
INFERENCE_FAILURES = (
    "engine did not answer within 30 s",
    "CUDA out of memory while loading adapter",
    "connection reset by inference engine",
)


@dataclass(frozen=True, slots=True)
class Rollout:
    """One rollout of all powers: times in seconds since the run began."""

    id: str
    worker: int
    began: float
    ended: float
    failed: bool


@dataclass(frozen=True, slots=True)
class Timeline:
    """All rollouts begun while the trainer ran, and when each training step ended."""

    rollouts: tuple[Rollout, ...]
    step_ends: Floats
    rollout_times: Floats
    training_times: Floats


def timeline(scenario: Scenario) -> Timeline:
    """Workers roll out back to back; each training step takes the next rollout that completed."""
    rng = np.random.default_rng([scenario.seed, 3])
    service = scenario.service
    free = [(float(rng.uniform(0, 5)), worker) for worker in range(WORKERS)]
    heapq.heapify(free)
    rollouts: list[Rollout] = []
    completed = 0
    while completed < scenario.steps + WORKERS:
        began, worker = heapq.heappop(free)
        failed = bool(rng.random() < service.error_rate)
        ended = began + _duration(rng, service)
        rollouts.append(Rollout(f"rollout-{len(rollouts):04d}", worker, began, ended, failed))
        completed += not failed
        heapq.heappush(free, (ended + float(rng.uniform(0.5, 2)), worker))
    rollouts.sort(key=lambda rollout: rollout.ended)
    batches = [rollout for rollout in rollouts if not rollout.failed][: scenario.steps]
    training = 9.0 * np.exp(0.12 * rng.standard_normal(scenario.steps))
    ends = np.empty(scenario.steps)
    now = 0.0
    for step, batch in enumerate(batches):
        now = max(now, batch.ended) + training[step]
        ends[step] = now
    seen = tuple(rollout for rollout in rollouts if rollout.began <= now)
    durations = np.array([batch.ended - batch.began for batch in batches])
    return Timeline(seen, ends, durations, training)


def _duration(rng: np.random.Generator, service: Service) -> float:
    if rng.random() < service.hanging:
        return float(service.hanging_s * np.exp(0.15 * rng.standard_normal()))
    return float(service.rollout_median_s * np.exp(service.rollout_spread * rng.standard_normal()))


def events(scenario: Scenario, times: Timeline, metrics: Mapping[str, Floats]) -> list[Event]:
    """Everything the run sent to its event store, in order of time."""
    rng = np.random.default_rng([scenario.seed, 4])
    games = np.random.default_rng([scenario.seed, 5])
    start = scenario.started.timestamp()
    end = float(times.step_ends[-1])
    timed = [*_trainer_events(scenario, times, metrics)]
    for rollout in times.rollouts:
        # Rollouts under way when the trainer stops never complete.
        timed += [(at, event) for at, event in _rollout_events(scenario, rollout, rng, games) if at <= end]
    rate = scenario.service.error_rate
    errors = rate / (1 - rate) * len(timed) - sum(event.get("level") == "error" for _, event in timed)
    for _ in range(round(errors)):
        rollout = times.rollouts[int(rng.integers(len(times.rollouts)))]
        message = INFERENCE_FAILURES[int(rng.integers(len(INFERENCE_FAILURES)))]
        failure = {"event": "inference_error", "level": "error", "message": message, "rollout_id": rollout.id}
        timed.append((float(rng.uniform(rollout.began, min(rollout.ended, end))), failure))
    timed.sort(key=lambda pair: pair[0])
    # The project renamed fields while runs were on: events of the second half use the newer spelling.
    renamed = end / 2
    return [{"_time": _iso(start + at), **(_newer_spelling(event) if at > renamed else event)} for at, event in timed]


def _iso(seconds: float) -> str:
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")


def _newer_spelling(event: Event) -> Event:
    newer: Event = {}
    for name, value in event.items():
        match name:
            case "total_duration_ms":
                newer["duration_s"] = value / 1000
            case "trajectories_count":
                newer["trajectory_count"] = value
            case "power_name":
                newer["power"] = value
            case "kl":
                newer["kl_divergence"] = value
            case _:
                newer[name] = value
    return newer


def _trainer_events(
    scenario: Scenario, times: Timeline, metrics: Mapping[str, Floats]
) -> Iterator[tuple[float, Event]]:
    run = {"run_name": scenario.name}
    yield 0.0, {"event": "training_start", **run, "total_steps": scenario.total_steps}
    for step in range(scenario.steps):
        numbers = {
            field: _json_number(metrics[metric][step])
            for field, metric in (
                ("loss", "benchmark/loss"),
                ("kl", "kl/mean"),
                ("grad_norm", "benchmark/grad_norm"),
                ("reward_mean", "benchmark/reward_mean"),
            )
        }
        end = float(times.step_ends[step])
        yield end, {"event": "training_step", **run, "step": step, **numbers}
        if step % 10 == 0:
            path = f"{scenario.name}/adapter_v{step}"
            yield end + 0.2, {"event": "checkpoint_saved", **run, "step": step, "adapter_path": path}
    last = float(times.step_ends[-1])
    if scenario.exit_code == 0:
        duration = int(last * 1000)
        done = {"event": "training_complete", **run, "total_steps": scenario.steps, "total_duration_ms": duration}
        yield last + 0.5, done
    else:
        message = "RuntimeError: probability tensor contains either inf, nan or element < 0"
        lost = {"event": "training_error", **run, "step": scenario.steps, "level": "error", "message": message}
        yield last + 0.5, lost


def _json_number(value: float) -> float | None:
    """An event store takes JSON, which has no NaN: the logger sends null."""
    return round(float(value), 6) if np.isfinite(value) else None


def _rollout_events(
    scenario: Scenario, rollout: Rollout, rng: np.random.Generator, games: np.random.Generator
) -> Iterator[tuple[float, Event]]:
    service = scenario.service
    ident = {"rollout_id": rollout.id}
    length = rollout.ended - rollout.began
    yield rollout.began, {"event": "rollout_start", **ident, "samples_per_group": 8, **_horizon(rollout)}
    for part in (0.35, 0.8):
        yield from _inference_events(service, rollout.began + part * length, rng)
    phase = f"S{1901 + int(rng.integers(6))}M"
    for power in POWERS:
        at = rollout.began + float(rng.uniform(0.4, 0.95)) * length
        yield at, {**_orders(service, power, rng), **ident, "power_name": power, "phase": phase}
    if rng.random() < 0.04:
        text = "order rejected by the game engine: A PAR - LON"
        warning = {"event": "orders_invalid", **ident, "level": "warning", "message": text}
        yield rollout.began + 0.9 * length, warning
    if rollout.failed:
        text = "game did not reach the horizon"
        yield rollout.ended, {"event": "rollout_error", **ident, "level": "error", "message": text, "phase": phase}
        return
    yield (
        rollout.ended,
        {
            "event": "rollout_complete",
            **ident,
            "trajectories_count": 7 + int(rng.random() < 0.5),
            "total_inference_calls": 2,
            "total_duration_ms": int(length * 1000),
            **_outcome(scenario, games),
        },
    )


def _horizon(rollout: Rollout) -> Event:
    long = int(rollout.id[-1]) % 4 == 0
    return {"horizon_years": 8, "horizon_type": "long"} if long else {"horizon_years": 4, "horizon_type": "short"}


def _outcome(scenario: Scenario, rng: np.random.Generator) -> Event:
    """How the 34 supply centres are shared in the end, and who leads; a collapsed policy plays one position only."""
    shares = np.ones(len(POWERS))
    if scenario.collapse is not None:
        shares[POWERS.index(STRONG_POWER)] = 4
    centres = rng.multinomial(34, rng.dirichlet(3 * shares))
    winner = {"winner": POWERS[int(np.argmax(centres))]} if centres.max() >= 10 else {}
    return {"final_scores": dict(zip(POWERS, map(int, centres), strict=True)), **winner}


def _orders(service: Service, power: str, rng: np.random.Generator) -> Event:
    """What was read from one answer. A power without units has nothing to order."""
    expected = int(rng.integers(3, 9)) if rng.random() > 0.03 else 0
    missed = 1 - service.extraction
    missed *= 1.6 if power == WEAK_POWER else 0.9
    if expected == 0 or rng.random() >= missed:
        return {"event": "orders_extracted", "orders_count": expected, "expected_count": expected}
    if rng.random() < 0.4:
        return {"event": "orders_empty", "level": "warning", "orders_count": 0, "expected_count": expected}
    count = int(rng.integers(1, expected))
    return {"event": "orders_partial", "level": "warning", "orders_count": count, "expected_count": expected}


def _inference_events(service: Service, at: float, rng: np.random.Generator) -> Iterator[tuple[float, Event]]:
    batch = max(1, service.batch_size + int(rng.integers(-1, 2)))
    output_tps = service.output_tps * float(np.exp(0.15 * rng.standard_normal()))
    input_tps = service.input_tps * float(np.exp(0.15 * rng.standard_normal()))
    tokens = batch * int(rng.integers(35, 60))
    generation = tokens / output_tps
    load = float(rng.uniform(0.8, 2.5)) if rng.random() < 0.08 else 0.0
    hit_rate = float(np.clip(service.cache_hit_rate + 0.06 * rng.standard_normal(), 0, 1))
    yield (
        at,
        {
            "event": "inference_response",
            "rollout_id": "inference-engine",
            "batch_size": batch,
            "duration_ms": int((generation + load) * 1000),
            "tokens_generated": tokens,
            "tokens_per_second": round(output_tps, 1),
        },
    )
    yield (
        at + 0.001,
        {
            "event": "inference_timing_breakdown",
            "batch_size": batch,
            "lora_name": None if rng.random() < 0.15 else "latest",
            "adapter_load_time_s": round(load, 3),
            "generation_time_s": round(generation, 3),
            "total_time_s": round(generation + load, 3),
            "tokens_generated": tokens,
            "prompt_tokens": int(input_tps * generation),
            "input_tokens_per_second": round(input_tps, 1),
            "output_tokens_per_second": round(output_tps, 1),
        },
    )
    if batch >= 4 or rng.random() < 0.5:
        queries = batch * 40
        yield (
            at + 0.002,
            {
                "event": "prefix_cache_stats",
                "hit_rate": round(hit_rate, 4),
                "queries": queries,
                "hits": round(queries * hit_rate),
            },
        )
