"""Every criterion of a run: what passes it, what fails it, and that missing data, NaN and short runs never pass it."""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from bench import checks, judgements, verdict
from grpo_runs import ODDITIES as MORE_ODDITIES
from grpo_runs import PATHOLOGIES as MORE_PATHOLOGIES
from synthetic import ROOT, ar1, column, run

from trainhealth.history import Column
from trainhealth.run import Run
from trainhealth.thresholds import load
from trainhealth.verdicts import Judgement, Verdict

STEPS = 200
Columns = dict[str, Any]


def healthy(**changes: Column | None) -> Columns:
    """Columns of a GRPO run that learns; a change replaces a column, None removes it."""
    at = np.arange(STEPS)
    columns: Columns = {
        "_step": column(at),
        "benchmark/reward_mean": column(10 + 3 * at / STEPS + 0.5 * ar1(STEPS, 0.5, 1)),
        "kl/mean": column(0.02 * np.exp(0.2 * ar1(STEPS, 0.5, 2))),
        "kl/max": column(0.1 * np.exp(0.2 * ar1(STEPS, 0.5, 3))),
        "benchmark/reward_std": column(3 * np.exp(0.1 * ar1(STEPS, 0.5, 7))),
        "benchmark/grad_norm": column(3 * np.exp(0.1 * ar1(STEPS, 0.5, 4))),
        "benchmark/loss": column(0.1 * ar1(STEPS, 0.5, 5)),
        "policy/entropy_mean": column(1 + 0.1 * ar1(STEPS, 0.5, 6)),
    }
    rated = np.arange(0, STEPS, 10)
    for name, first, last in (
        ("base_model", 1000, 930), ("chaos_bot", 900, 850), ("defensive_bot", 940, 800),
        ("adapter_v0", 1010, 960), ("adapter_v50", 1030, 1000), ("adapter_v100", 1040, 1060),
    ):  # fmt: skip
        columns[f"elo/{name}"] = column(np.linspace(first, last, len(rated)), rated)
    return {key: value for key, value in {**columns, **changes}.items() if value is not None}


def cut(rows: int, **changes: Column) -> Columns:
    """The first `rows` rows of the healthy run, without ratings."""
    short = {key: Column(one.rows[:rows], one.values[:rows]) for key, one in without_ratings(healthy()).items()}
    return {**short, **changes}


def build(columns: Columns, **record: Any) -> Run:
    given = {"state": "finished", "exit_code": 0, "config": {"total_steps": STEPS}, **record}
    return run(columns, **given)


def with_value(key: str, at: int | slice, value: float) -> Columns:
    columns = healthy()
    old: Column = columns[key]
    values = old.values.copy()
    values[at] = value
    return {**columns, key: Column(old.rows, values)}


def elo(name: str, *values: float) -> Columns:
    return healthy(**{f"elo/{name}": column(np.interp(range(20), np.linspace(0, 19, len(values)), values),
                                            range(0, STEPS, 10))})  # fmt: skip


def without(key: str, columns: Columns) -> Columns:
    return {name: one for name, one in columns.items() if name != key}


def with_holes(key: str, share: float) -> Columns:
    columns = healthy()
    old: Column = columns[key]
    kept = np.sort(np.random.default_rng(0).permutation(len(old.rows))[: int(len(old.rows) * (1 - share))])
    return {**columns, key: Column(old.rows[kept], old.values[kept])}


def verdict_of(id_: str, columns: Columns, **record: Any) -> str:
    return str(next(judgements(build(columns, **record), id_)).verdict)


def reward(values: Any) -> Columns:
    return healthy(**{"benchmark/reward_mean": column(values)})


def without_ratings(columns: Columns) -> Columns:
    return {key: value for key, value in columns.items() if not key.startswith("elo/")}


def timed(seconds: float, restarted_at: int | None = None) -> Columns:
    """The healthy run with a row every so many `seconds`; its second half begins again at the time of a step."""
    times = seconds * np.arange(STEPS)
    if restarted_at is not None:
        times[STEPS // 2 :] -= times[STEPS // 2] - times[restarted_at]
    return healthy(_timestamp=column(1.7e9 + times))


def by_completion(kl: float) -> Columns:
    """The healthy run with its KL summed over completions, which rises to `kl`."""
    values = np.interp(np.arange(STEPS), [0, STEPS // 2], [0.1, kl])
    return without("kl/max", without("kl/mean", healthy(**{"objective/kl": column(values)})))


STEPS_150 = np.arange(150, dtype=np.uint32)
NOISE = 0.5 * ar1(STEPS, 0.5, 9)
FALLING_EARLY = np.concatenate([np.linspace(14, 8, 8), np.full(STEPS - 8, 8.0)]) + 0.1 * NOISE

PATHOLOGIES: dict[str, Callable[[], str]] = {
    "learning.base_model_elo": lambda: verdict_of("learning.base_model_elo", elo("base_model", 1000, 1109)),
    "learning.baseline_elo": lambda: verdict_of("learning.baseline_elo", elo("chaos_bot", 900, 1130)),
    "learning.baselines_exploited": lambda: verdict_of("learning.baselines_exploited", elo("chaos_bot", 700, 1000)),
    "learning.elo_gap": lambda: verdict_of(
        "learning.elo_gap", without("elo/adapter_v0", elo("base_model", 1000, 1270))
    ),
    "learning.elo_gap_trend": lambda: verdict_of("learning.elo_gap_trend", elo("adapter_v100", 1200, 705)),
    "learning.older_checkpoints": lambda: verdict_of("learning.older_checkpoints", elo("adapter_v100", 1100, 700)),
    "learning.newest_checkpoint": lambda: verdict_of("learning.newest_checkpoint", elo("adapter_v100", 1100, 900)),
    "learning.expected_gain": lambda: verdict_of("learning.expected_gain", elo("adapter_v100", 1040, 900)),
    "learning.diagnosis": lambda: verdict_of("learning.diagnosis", elo("adapter_v100", 1040, 900)),
    "learning.reward_trend": lambda: verdict_of("learning.reward_trend", reward(np.linspace(14, 8, STEPS) + NOISE)),
    "learning.reward_gain": lambda: verdict_of(
        "learning.reward_gain", without_ratings(reward(np.linspace(14, 8, STEPS) + NOISE))
    ),
    "learning.reward_spread": lambda: verdict_of(
        "learning.reward_spread",
        {**reward(10 + NOISE), "benchmark/reward_std": column(np.linspace(2, 12, STEPS))},
    ),
    "learning.reward_fall_at_the_end": lambda: verdict_of(
        "learning.reward_fall_at_the_end", reward(np.where(np.arange(STEPS) < STEPS - 10, 14, 8) + NOISE)
    ),
    "learning.early_reward_drop": lambda: verdict_of("learning.early_reward_drop", reward(FALLING_EARLY)),
    "learning.reward_decline": lambda: verdict_of(
        "learning.reward_decline", reward(np.interp(np.arange(STEPS), [0, 120, 199], [10, 20, 11]) + NOISE)
    ),
    "integrity.metric_coverage": lambda: verdict_of("integrity.metric_coverage", with_holes("kl/mean", 0.35)),
    "stability.grad_norm_runaway": lambda: verdict_of(
        "stability.grad_norm_runaway", with_value("benchmark/grad_norm", slice(185, None), 1e6)
    ),
    "stability.grad_norm_zero": lambda: verdict_of(
        "stability.grad_norm_zero", with_value("benchmark/grad_norm", slice(20, 180), 0)
    ),
    "stability.kl_level": lambda: verdict_of("stability.kl_level", with_value("kl/mean", slice(120, None), 0.3)),
    "stability.kl_spikes": lambda: verdict_of("stability.kl_spikes", with_value("kl/mean", slice(50, 58, 2), 392_000)),
    "stability.kl_runaway": lambda: verdict_of("stability.kl_runaway", with_value("kl/mean", slice(190, None), 9)),
    "stability.sequence_kl": lambda: verdict_of("stability.sequence_kl", by_completion(60)),
    "stability.value_loss_runaway": lambda: verdict_of(
        "stability.value_loss_runaway", healthy(critic_loss=column(0.9 * 1.06 ** np.arange(STEPS)))
    ),
    "stability.grad_norm_level": lambda: verdict_of(
        "stability.grad_norm_level", with_value("benchmark/grad_norm", slice(120, None), 34.5)
    ),
    "stability.grad_norm_spikes": lambda: verdict_of(
        "stability.grad_norm_spikes", with_value("benchmark/grad_norm", slice(30, None, 10), 40)
    ),
    "stability.non_finite_values": lambda: verdict_of(
        "stability.non_finite_values", with_value("policy/entropy_mean", 77, math.nan)
    ),
    "integrity.run_state": lambda: verdict_of("integrity.run_state", healthy(), state="crashed", exit_code=None),
    "integrity.completion": lambda: verdict_of(
        "integrity.completion", healthy(), state="crashed", config={"max_steps": 1000}
    ),
    "integrity.heartbeat": lambda: verdict_of(
        "integrity.heartbeat", timed(30), state="running", exit_code=None, heartbeat=time.time() - 700
    ),
    "integrity.concurrent_sessions": lambda: verdict_of(
        "integrity.concurrent_sessions", timed(30, restarted_at=50), segments=(0, 100)
    ),
    "integrity.missing_steps": lambda: verdict_of(
        "integrity.missing_steps", healthy(_step=column([*range(150), *range(200, 250)]))
    ),
    "integrity.repeated_steps": lambda: verdict_of(
        "integrity.repeated_steps", healthy(_step=column([*range(150), *range(100, 150)]))
    ),
    "integrity.steps_backwards": lambda: verdict_of(
        "integrity.steps_backwards", cut(150, _step=column([*range(50), *range(45, 95), *range(90, 140)]))
    ),
}  # fmt: skip

MORE = {*MORE_PATHOLOGIES, *MORE_ODDITIES}
"""Cases of tests/checks/test_trainer_criteria.py."""

WARN_ONLY: dict[str, Callable[[], str]] = {
    "integrity.vanished_metrics": lambda: verdict_of(
        "integrity.vanished_metrics", healthy(**{"kl/mean": Column(STEPS_150, healthy()["kl/mean"].values[:150])})
    ),
    "stability.grad_norm_peak": lambda: verdict_of(
        "stability.grad_norm_peak", with_value("benchmark/grad_norm", 9, 422)
    ),
    "learning.reward_without_rating": lambda: verdict_of(
        "learning.reward_without_rating", elo("adapter_v100", 1040, 900)
    ),
    "stability.kl_rise_at_the_end": lambda: verdict_of(
        "stability.kl_rise_at_the_end", with_value("kl/mean", slice(STEPS - 10, STEPS), 0.19)
    ),
    "stability.entropy_fall_at_the_end": lambda: verdict_of(
        "stability.entropy_fall_at_the_end", with_value("policy/entropy_mean", slice(STEPS - 8, STEPS), 0.01)
    ),
    "stability.kl_zero": lambda: verdict_of("stability.kl_zero", with_value("kl/mean", slice(20, 120), 0)),
    "integrity.rows_per_step": lambda: verdict_of(
        "integrity.rows_per_step", healthy(**{"benchmark/step": column(range(100), range(0, STEPS, 2))})
    ),
    "integrity.uninstrumented_metrics": lambda: verdict_of(
        "integrity.uninstrumented_metrics", with_value("policy/entropy_mean", slice(None), 0)
    ),
}


def test_the_healthy_run_passes_every_criterion() -> None:
    found = {one.criterion: str(one.verdict) for one in judgements(build(healthy())) if one.criterion not in MORE}
    for id_ in (
        "learning.reward_gain", "integrity.heartbeat", "integrity.concurrent_sessions", "stability.sequence_kl",
        "stability.value_loss_runaway", "learning.checkpoint_rating",
    ):  # fmt: skip
        assert found.pop(id_) == "NOT_APPLICABLE"
    assert set(found.values()) == {"PASS"}, found
    assert verdict(build(healthy())).verdict == "PASS"


def test_a_run_without_ratings_is_judged_by_its_reward() -> None:
    found = verdict(build(without_ratings(healthy())))
    assert found.verdict == "PASS"
    elo = {one.criterion: one.verdict for one in found.judgements if "elo" in one.criterion or "check" in one.criterion}
    assert set(elo.values()) == {"NOT_APPLICABLE"}
    flat = verdict(build(without_ratings(reward(10 + NOISE))))
    assert flat.verdict == "INCONCLUSIVE"


def test_every_criterion_of_a_run_has_its_pathology() -> None:
    elsewhere = {"integrity.history_complete", "learning.checkpoint_rating"}  # the latter: test_checkpoint_criteria.py
    assert {*PATHOLOGIES, *WARN_ONLY, *MORE, *elsewhere} == set(checks())


@pytest.mark.parametrize("id_", PATHOLOGIES)
def test_the_pathology_fails(id_: str) -> None:
    assert PATHOLOGIES[id_]() == "FAIL"


@pytest.mark.parametrize("id_", WARN_ONLY)
def test_the_oddity_warns(id_: str) -> None:
    assert WARN_ONLY[id_]() == "WARN"


@pytest.mark.parametrize(
    ("coverage", "expected"),
    [("incomplete", "FAIL"), ("sampled", "FAIL"), ("open", "WARN"), ("partial", "WARN"), ("restarted", "WARN")],
)
def test_rows_that_were_logged_and_are_not_here(coverage: str, expected: str) -> None:
    one = build(healthy(), coverage=coverage)
    assert next(judgements(one, "integrity.history_complete")).verdict == expected


@pytest.mark.parametrize("id_", sorted(checks()))
@pytest.mark.parametrize(
    "columns",
    [{}, {"_step": column(range(STEPS))}, {"_step": column(range(STEPS)), "other": column([0.5] * STEPS)}],
    ids=["nothing", "steps", "another metric"],
)
def test_without_its_data_no_criterion_passes(id_: str, columns: Columns) -> None:
    found = next(judgements(build(columns, exit_code=None), id_)).verdict
    allowed = {"INCONCLUSIVE", "NOT_APPLICABLE", "FAIL"}
    if columns and id_.startswith("integrity."):
        allowed |= {"PASS", "WARN"}  # the steps are all that these look at
    assert found in allowed
    assert verdict(build(columns, exit_code=None)).verdict in ("INCONCLUSIVE", "FAIL")


METRICS_OF = {
    "learning.reward_trend": "benchmark/reward_mean",
    "learning.early_reward_drop": "benchmark/reward_mean",
    "learning.reward_without_rating": "benchmark/reward_mean",
    "learning.reward_spread": "benchmark/reward_std",
    "stability.kl_level": "kl/mean",
    "stability.kl_spikes": "kl/mean",
    "stability.kl_runaway": "kl/mean",
    "stability.grad_norm_level": "benchmark/grad_norm",
    "stability.grad_norm_spikes": "benchmark/grad_norm",
    "stability.grad_norm_peak": "benchmark/grad_norm",
    "stability.non_finite_values": "benchmark/loss",
    "learning.base_model_elo": "elo/base_model",
    "learning.baseline_elo": "elo/chaos_bot",
    "learning.baselines_exploited": "elo/chaos_bot",
    "learning.elo_gap": "elo/adapter_v100",
    "learning.elo_gap_trend": "elo/adapter_v100",
    "learning.older_checkpoints": "elo/adapter_v0",
    "learning.newest_checkpoint": "elo/adapter_v100",
    "learning.expected_gain": "elo/adapter_v100",
    "learning.diagnosis": "elo/defensive_bot",
}


@pytest.mark.parametrize("id_", METRICS_OF)
@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf])
@pytest.mark.parametrize("at", [0, 9, -1, slice(None)], ids=["first", "early", "last", "all"])
def test_a_non_finite_point_never_passes(id_: str, value: float, at: int | slice) -> None:
    outside = {"stability.kl_level": (0, 9), "stability.grad_norm_level": (0, 9), "learning.early_reward_drop": (-1,)}
    found = verdict_of(id_, with_value(METRICS_OF[id_], at, value))
    if at not in outside.get(id_, ()):
        assert found in ("FAIL", "INCONCLUSIVE")
    assert verdict(build(with_value(METRICS_OF[id_], at, value))).verdict in ("FAIL", "INCONCLUSIVE")


@pytest.mark.parametrize("id_", METRICS_OF)
def test_two_points_are_too_few(id_: str) -> None:
    short = {key: Column(one.rows[:2], one.values[:2]) for key, one in healthy().items()}
    assert verdict_of(id_, short) in ("INCONCLUSIVE",) or id_ == "stability.non_finite_values"
    assert verdict(build(short)).verdict in ("INCONCLUSIVE", "FAIL")


def test_a_metric_that_stops_has_no_tail() -> None:
    """Clients before 0.28.1 drop a NaN of half precision: it shows as a missing key."""
    cut = healthy()["kl/mean"]
    columns = healthy(**{"kl/mean": Column(cut.rows[:150], cut.values[:150])})
    assert verdict_of("stability.kl_level", columns) == "INCONCLUSIVE"


@pytest.mark.parametrize(
    ("age", "step_time", "expected"),
    [(100, 1, "PASS"), (200, 1, "WARN"), (700, 1, "FAIL"), (1000, 600, "PASS"), (2000, 600, "WARN"),
     (6100, 600, "FAIL")],
)  # fmt: skip
def test_a_heartbeat_is_late_by_the_runs_own_pace(age: float, step_time: float, expected: str) -> None:
    one = build(timed(step_time), state="running", exit_code=None, heartbeat=time.time() - age)
    assert next(judgements(one, "integrity.heartbeat")).verdict == expected
    ended = build(timed(step_time), heartbeat=time.time() - age)
    assert next(judgements(ended, "integrity.heartbeat")).verdict == "NOT_APPLICABLE"


def test_sessions_one_after_the_other_are_no_concurrency() -> None:
    assert verdict_of("integrity.concurrent_sessions", timed(30), segments=(0, 100)) == "PASS"
    assert verdict_of("integrity.concurrent_sessions", healthy(), segments=(0, 100)) == "INCONCLUSIVE"


def test_a_lucky_last_step_does_not_rescue_a_collapsed_run() -> None:
    values = np.linspace(14, 2, STEPS) + NOISE
    values[-1] = 40.0
    assert verdict_of("learning.reward_trend", reward(values)) == "FAIL"


def test_entropy_has_no_absolute_limit() -> None:
    """A healthy public run starts at 0.117."""
    low = healthy(**{"policy/entropy_mean": column(0.117 + 0.01 * NOISE)})
    assert verdict(build(low)).verdict == "PASS"


def test_traps_beside_the_ratings_change_nothing() -> None:
    traps = {f"elo/{name}": column(np.linspace(0, 5000, STEPS)) for name in
             ("step", "challenger", "win_rate", "games_played", "evaluation_step", "vs_bot_win_rate")}  # fmt: skip
    ids = [id_ for id_ in checks() if id_.startswith("learning.")]
    plain = [one.model_dump() for one in judgements(build(healthy()), *ids)]
    assert [one.model_dump() for one in judgements(build(healthy(**traps)), *ids)] == plain


@pytest.mark.parametrize("profile", [None, "promotion"])
@pytest.mark.parametrize(
    ("state", "coverage"),
    [("running", "complete"), ("pending", "complete"), ("preempting", "complete"), ("finished", "open"),
     ("finished", "partial"), ("finished", "restarted")],
)  # fmt: skip
def test_what_may_still_change_warns_and_is_not_promoted(profile: str | None, state: str, coverage: str) -> None:
    thresholds = load(ROOT / "thresholds.yaml", profile=profile)
    judged = run({"kl/mean": column(range(50))}, thresholds, state=state, coverage=coverage)
    found = {one.verdict for one in judgements(judged, "integrity.run_state", "integrity.history_complete")}
    assert found == {Verdict.PASS, Verdict.FAIL if profile else Verdict.WARN}


def judged(id_: str, columns: Columns, **record: Any) -> Judgement:
    return next(judgements(build(columns, **record), id_))


def test_the_kl_of_completions_has_limits_of_its_own() -> None:
    assert verdict_of("stability.sequence_kl", by_completion(5)) == "PASS"
    assert verdict_of("stability.sequence_kl", by_completion(20)) == "WARN"
    assert verdict_of("stability.kl_level", by_completion(5)) == "NOT_APPLICABLE"
    assert verdict_of("stability.kl_spikes", by_completion(5)) == "NOT_APPLICABLE"
    assert verdict_of("stability.kl_runaway", by_completion(5)) == "PASS"
    exploded = by_completion(5)["objective/kl"].values.copy()
    exploded[150:] = 1e4
    columns = {**by_completion(5), "objective/kl": column(exploded)}
    assert verdict_of("stability.kl_runaway", columns) == "FAIL"
    for value in (math.nan, math.inf):
        exploded[-1] = value
        columns = {**by_completion(5), "objective/kl": column(np.where(exploded == 1e4, 5, exploded))}
        assert verdict_of("stability.sequence_kl", columns) == "INCONCLUSIVE"
    short = {key: Column(one.rows[:2], one.values[:2]) for key, one in by_completion(5).items()}
    assert verdict_of("stability.sequence_kl", short) == "INCONCLUSIVE"


@pytest.mark.parametrize(("level", "expected"), [(-0.0004, "INCONCLUSIVE"), (-0.15, "INCONCLUSIVE"), (-0.3, "FAIL")])
def test_a_kl_below_zero_does_not_pass(level: float, expected: str) -> None:
    found = judged("stability.kl_level", with_value("kl/mean", slice(100, None), level))
    assert found.verdict == expected
    assert expected == "FAIL" or "no KL is below 0" in found.reason


def test_an_estimate_of_kl_may_scatter_below_zero() -> None:
    assert verdict_of("stability.kl_level", healthy(**{"kl/mean": column(0.01 + 0.012 * NOISE)})) == "PASS"


def critic(values: Any, **changes: Column) -> Columns:
    return healthy(critic_loss=column(values), **changes)


def test_what_a_critic_may_be_wrong_by() -> None:
    id_ = "stability.value_loss_runaway"
    grown = 1e-6 + np.where(np.arange(STEPS) < 60, 0, 0.5)
    assert verdict_of(id_, critic(grown)) == "PASS"  # it was 0 as long as no reward was found
    large = critic(3000 * grown, **{"benchmark/reward_mean": column(100 * np.linspace(0, 1, STEPS) + NOISE)})
    assert verdict_of(id_, large) == "PASS"  # a return of 100 may be wrong by 100 squared
    assert verdict_of(id_, critic(np.where(np.arange(STEPS) < 150, 1, 5e3))) == "WARN"  # the reward's range is about 4
    recovered = np.ones(STEPS)
    recovered[80:120] = 1e6
    assert verdict_of(id_, critic(recovered)) == "WARN"
    recovered[-1] = math.nan
    assert verdict_of(id_, critic(recovered)) == "FAIL"
    broken = np.ones(STEPS)
    broken[77] = math.nan
    assert verdict_of(id_, critic(broken)) in ("FAIL", "INCONCLUSIVE")
    assert verdict_of("stability.non_finite_values", critic(broken)) == "FAIL"
    assert verdict_of(id_, healthy()) == "NOT_APPLICABLE"
    assert verdict_of(id_, {**healthy(), "critic_loss": column([1.0, 2.0])}) == "INCONCLUSIVE"


def test_a_reward_that_rises_may_scatter_more_than_when_nothing_was_solved() -> None:
    found = judged("learning.reward_spread", healthy(**{"benchmark/reward_std": column(np.linspace(2, 12, STEPS))}))
    assert found.verdict == "WARN"
    assert "only a warning, as the reward rises" in found.reason


def test_an_early_drop_that_the_run_recovers_from_is_a_warning() -> None:
    recovered = np.interp(np.arange(STEPS), [0, 8, 20, STEPS], [14, 8, 8, 40]) + 0.1 * NOISE
    assert verdict_of("learning.early_reward_drop", reward(recovered)) == "WARN"
    without_kl = without("kl/max", without("kl/mean", reward(FALLING_EARLY)))
    assert verdict_of("learning.early_reward_drop", without_kl) == "NOT_APPLICABLE"
    assert verdict_of("learning.early_reward_drop", without_kl, config={"beta": 0.04}) == "FAIL"
    assert verdict(build(without_ratings(without_kl))).verdict in ("FAIL", "INCONCLUSIVE")


def test_a_reward_at_steps_of_its_own_is_never_due() -> None:
    """An episode ends when it ends; one that stands beside the losses is missed."""
    rows = np.sort(np.random.default_rng(0).permutation(4 * STEPS)[: 3 * STEPS])
    at = np.arange(0, 4 * STEPS, 8)
    columns: Columns = {"_step": column(range(4 * STEPS)), "losses/loss": column(np.ones(len(at)), at)}
    episodes = np.setdiff1d(rows, at)
    columns |= {
        "charts/episodic_return": column(np.ones(len(episodes)), episodes),
        "loss": column(np.ones(len(at)), at),
    }
    assert verdict_of("integrity.metric_coverage", columns) == "INCONCLUSIVE"  # whose runs these are is not known
    columns |= {"charts/SPS": column(np.ones(len(at)), at)}
    assert verdict_of("integrity.metric_coverage", columns) == "PASS"
    assert verdict_of("integrity.metric_coverage", with_holes("benchmark/reward_mean", 0.35)) == "FAIL"
