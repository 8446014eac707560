"""Tables of events for reports: the figures beside those that are judged."""

from __future__ import annotations

from collections.abc import Sequence

from trainhealth.aggregates import TIME, Row, Value, score_of
from trainhealth.answers import Answer
from trainhealth.attribution import moment

Table = tuple[Row, ...]


def by_horizon(horizons: Sequence[Answer]) -> Table:
    """Durations in seconds."""
    return tuple(
        {
            "horizon": answer.text("horizon") or "(not given)",
            "rollouts": answer.count("rollouts"),
            "completed": answer.count("rollout_duration_s.usable"),
            "mean s": answer.mean("rollout_duration_s"),
            "p50 s": answer.number("p50"),
            "p95 s": answer.number("p95"),
            "max s": answer.number("longest"),
            "trajectories": answer.number("trajectories"),
            "trajectories per rollout": answer.mean("trajectories"),
        }
        for answer in horizons
    )


def by_power(powers: Sequence[Answer]) -> Table:
    """Answers, worst extraction first."""

    def judged(answer: Answer) -> int:
        return answer.count("extracted") + answer.count("empty") + answer.count("partial")

    def rate(answer: Answer) -> float:
        return answer.count("extracted") / judged(answer) if judged(answer) else 1.0

    return tuple(
        {
            "power": answer.text("power") or "(not given)",
            "answers": judged(answer),
            "extracted": answer.count("extracted"),
            "empty": answer.count("empty"),
            "partial": answer.count("partial"),
            "nothing to do": answer.count("nothing_to_do"),
            "extraction %": 100 * rate(answer) if judged(answer) else None,
        }
        for answer in sorted(powers, key=rate)
    )


def by_adapter(requests: Sequence[Answer]) -> Table:
    """Requests of one kind, by adapter; means over those that have the field, times in seconds."""
    return tuple(
        {
            "adapter": answer.text("adapter") or "(base model)",
            "requests": answer.count("events"),
            "total s": answer.mean("inference_time_s"),
            "generation s": answer.mean("generation_time_s"),
            "adapter load s": answer.mean("adapter_load_s"),
            "longest load s": answer.number("adapter_load_max"),
            "output tokens/s": speed(answer),
            "input tokens/s": speed(answer, "input"),
            "output tokens": answer.number("output_tokens"),
            "batch size": answer.mean("batch_size"),
            "cache hits %": hit_rate(answer),
        }
        for answer in requests
    )


def speed(answer: Answer, direction: str = "output") -> float | None:
    """Tokens per second of generation; None where there is no time."""
    tokens, seconds = answer.number(f"{direction}_tokens"), answer.number(f"{direction}_time_s")
    return tokens / seconds if tokens is not None and seconds else None


def hit_rate(answer: Answer) -> float | None:
    """Hits of the prefix cache over queries, in percent; where they are not counted, the mean of the rates reported."""
    hits, queries = answer.number("cache_hits"), answer.number("cache_queries")
    if hits is not None and queries:
        return 100 * hits / queries
    mean = answer.mean("cache_hit_rate")
    return None if mean is None else 100 * mean


def problems(recent: Sequence[Row]) -> Table:
    """The latest errors and warnings."""
    columns = ("event", "level", "message", "run_name", "rollout_id")
    return tuple({"time": _time(row.get(TIME)), **{name: row.get(name) for name in columns}} for row in recent)


def outcomes(rollouts: Answer, players: Sequence[str]) -> Table:
    """How each power ended in the games that completed."""
    won = rollouts.count("games_won")
    return tuple(
        {
            "power": power,
            "games": rollouts.count(f"{score_of(power)}.usable"),
            "mean score": rollouts.mean(score_of(power)),
            "max score": rollouts.number(f"{score_of(power)}.max"),
            "wins": rollouts.count(f"wins.{power}"),
            "wins %": 100 * rollouts.count(f"wins.{power}") / won if won else None,
        }
        for power in players
    )


def overview(kinds: Sequence[Answer], gauges: Sequence[Answer], request: str, adapters: Sequence[Answer]) -> Table:
    """What there is, and figures that have no target."""
    loads = [answer.number("adapter_load_s") or 0.0 for answer in adapters]
    loaded = sum(answer.count("adapter_load_s.usable") for answer in adapters)
    figures = {f"{request}: mean adapter load s": sum(loads) / loaded if loaded else None}
    for answer in gauges:
        said = answer.text("event")
        for figure in ("kl", "grad_norm", "loss", "reward", "training_time_s", "gpu_utilisation"):
            figures[f"{said}: mean {figure}"] = answer.mean(figure)
        for figure in ("step", "kl", "grad_norm"):
            figures[f"{said}: highest {figure}"] = answer.number(f"{figure}.max")
        memory, available = answer.number("gpu_memory.max"), answer.number("gpu_memory_total.max")
        figures[f"{said}: highest memory %"] = 100 * memory / available if memory is not None and available else None
        figures[f"{said}: hits %"] = hit_rate(answer)
        figures[f"{said}: queries"] = answer.number("cache_queries")
    found: list[Row] = [{"figure": name, "value": value} for name, value in figures.items() if value is not None]
    found += [
        {"figure": f"events: {kind.text('event') or '(no name)'}", "value": kind.count("events")} for kind in kinds
    ]
    return tuple(found)


def _time(value: Value) -> str:
    return moment(value) if isinstance(value, int | float) else ""
