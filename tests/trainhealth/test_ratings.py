from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
import pytest
from synthetic import ROOT, column, run

from trainhealth.ratings import Role, agent_name, role_of, sigma_of
from trainhealth.run import Run
from trainhealth.thresholds import AgentPatterns, load
from trainhealth.trajectory import Estimate
from trainhealth.verdicts import Inconclusive, NotApplicable

PATTERNS = load(ROOT / "thresholds.yaml").agents or AgentPatterns(())


def league(**agents: Sequence[float]) -> Run:
    return run({f"elo/{name}": column(values) for name, values in agents.items()} | {"_step": column(range(5))})


@pytest.mark.parametrize(
    "key",
    ["elo/step", "elo/challenger", "elo/win_rate", "elo/games_played", "elo/evaluation_step", "elo/vs_bot_win_rate",
     "elo/vs_chaos_bot_win_rate", "elo/mean", "elo/agents", "trueskill/base_model_mu", "elo/x/base_model",
     "Elo/base_model"],
)  # fmt: skip
def test_what_is_no_agent(key: str) -> None:
    assert agent_name(key, PATTERNS) is None


@pytest.mark.parametrize(
    ("key", "role"),
    [
        ("elo/base_model", (Role.BASE, None)),
        ("elo/agents/chaos_bot", (Role.REFERENCE, None)),
        ("elo/grpo-20251222-191408_adapter_v50", (Role.CHECKPOINT, 50)),
        ("elo/adapter_v0", (Role.CHECKPOINT, 0)),
    ],
)
def test_who_is_who(key: str, role: tuple[Role, int | None]) -> None:
    name = agent_name(key, PATTERNS)
    assert name is not None
    assert role_of(name, PATTERNS) == role


def test_checkpoints_are_ordered_by_their_step_not_their_name() -> None:
    ratings = league(adapter_v100=[1, 2, 3], adapter_v20=[1, 2, 3], adapter_v3=[1, 2, 3]).ratings
    assert [one.checkpoint_step for one in ratings.checkpoints()] == [3, 20, 100]


def test_peak_final_and_trend() -> None:
    agent = league(adapter_v0=[1000, 1030, 1030, 1012, 1009]).ratings.checkpoints()[0]
    assert (agent.initial, agent.peak, agent.peak_step, agent.final) == (1000, 1030, 1, 1009)
    assert (agent.change, agent.row()["from peak"]) == (9, "slight decline")
    # One lucky or unlucky evaluation is no result: medians of three ratings.
    assert (agent.standing, agent.shift, agent.drop) == (1010.5, 9, 19.5)  # medians of two, thirds of one, of five
    long = league(adapter_v0=[1000, 1002, 990, 1040, 1300, 1041, 1039]).ratings.checkpoints()[0]
    assert (long.standing, long.shift, long.drop) == (1041, 39, 0)  # of three of seven: 1300 was luck
    few = league(base_model=[1000, 1040, 1109]).ratings.base()
    assert (few.standing, few.shift) == (1109, 109)


def test_a_newest_checkpoint_that_is_no_longer_rated_is_not_believed() -> None:
    rated = {"elo/adapter_v9": column([1000, 1010, 1020], rows=[0, 1, 2]), "_step": column(range(1000))}
    with pytest.raises(Inconclusive, match="last logged at step 2 of 999"):
        run(rated).ratings.checkpoints()


def test_a_bot_that_is_hardly_rated_is_not_forgotten() -> None:
    one = run(
        {
            "_step": column(range(5)),
            "elo/chaos_bot": column([900, 890, 880, 870, 860]),
            "elo/random_bot": column([900, 1400], rows=[0, 4]),
        }
    )
    with pytest.raises(Inconclusive, match=r"one of the baseline bots is not rated 3 times .*random_bot \(2\)"):
        one.ratings.references()


def test_an_agent_that_is_no_longer_rated_is_not_believed() -> None:
    early = {"elo/base_model": column([1000, 990, 980], rows=[0, 1, 2]), "_step": column(range(1000))}
    with pytest.raises(Inconclusive, match="last logged at step 2 of 999"):
        run(early).ratings.base()


def test_ratings_of_unknown_agents_are_not_ignored() -> None:
    one = run({"_step": column(range(5)), "elo/my_baseline": column([900, 1000, 1200, 1400, 1500])})
    assert one.rated
    with pytest.raises(Inconclusive, match=r"agents that thresholds\.yaml does not know: my_baseline"):
        _ = one.ratings


def test_a_run_without_ratings() -> None:
    with pytest.raises(NotApplicable, match="the run logs no ratings"):
        _ = run({"elo/win_rate": column([0.5] * 5), "_step": column(range(5))}).ratings


def test_an_unrated_base_model_is_not_a_pass() -> None:
    with pytest.raises(Inconclusive, match=r"the base model is not rated .*chaos_bot \(3\)"):
        league(chaos_bot=[1, 2, 3]).ratings.base()
    with pytest.raises(Inconclusive, match="any checkpoint is not rated"):
        league(chaos_bot=[1, 2, 3]).ratings.checkpoints()
    with pytest.raises(Inconclusive, match="only one checkpoint"):
        league(
            base_model=[1000, 990, 1003, 995, 997], chaos_bot=[900, 905, 893, 899, 903],
            defensive_bot=[940, 930, 944, 928, 941], adapter_v0=[1000, 1012, 999, 1008, 1003],
        ).ratings.newer_over_older()  # fmt: skip


def learning(newest: Sequence[float]) -> Run:
    """Eighteen checkpoints that gain 10 Elo each, ratings around their strengths; another that is rated `newest`."""
    random = np.random.default_rng(0)
    steps, columns = 100, {"_step": column(range(100))}
    strengths = {"base_model": 0, "chaos_bot": -100, **{f"adapter_v{5 * k}": 10 * k for k in range(18)}}
    for name, strength in strengths.items():
        first = int(name.removeprefix("adapter_v")) if name.startswith("adapter_v") else 0
        rows = np.arange(first, steps, 2)
        columns[f"elo/{name}"] = column(1000 + strength + 45 * random.normal(size=len(rows)), rows)
    columns["elo/adapter_v90"] = column(newest, rows=100 - 2 * np.arange(len(newest), 0, -1))
    return run(columns)


def test_a_newest_checkpoint_far_below_is_not_explained_away() -> None:
    """Its neighbours say 180 above the base model, its own ratings say 150 below."""
    with pytest.raises(Inconclusive, match=r"adapter_v90 is rated 850, the base model \d+: against the checkpoints"):
        learning([840, 860]).ratings.diagnosis()
    with pytest.raises(Inconclusive, match="adapter_v90 is rated 850"):
        learning([840, 860]).ratings.gain()
    assert learning([1170, 1190]).ratings.diagnosis().value == "learning"


def test_the_newest_checkpoint_is_named_and_so_is_one_rated_once() -> None:
    assert "newest: adapter_v90. " in learning([1170, 1190]).ratings.diagnosis().detail + " "
    assert "newest: adapter_v85 (adapter_v90 rated only once)" in learning([1180]).ratings.diagnosis().detail


def test_nan_in_a_rating_is_counted() -> None:
    ratings = league(base_model=[1000, math.nan, 990]).ratings
    assert ratings.estimated(Estimate(1.0, 0.0, 2.0), [ratings.base()]).non_finite == 1


def test_sigma_stands_beside_its_rating() -> None:
    one = run({"elo/base_model": column([1000, 990, 980]), "trueskill/base_model_sigma": column([8.0, 4.0, 2.0]),
               "trueskill/chaos_bot_mu": column([1, 2, 3]), "_step": column(range(3))})  # fmt: skip
    sigma = one.ratings.base().trajectory.sigma
    assert sigma is not None
    assert sigma.tolist() == [320, 160, 80]  # 40 Elo a unit
    assert sigma_of("trueskill/base_model_rating", PATTERNS) is None
    assert sigma_of("trueskill/rollout_updates_sigma", PATTERNS) is None


def test_a_sigma_that_was_never_measured_is_none() -> None:
    values = [1000 + 7 * (-1) ** at * (at % 5) for at in range(12)]
    base = {"elo/base_model": column([*values]), "elo/chaos_bot": column([900 - one / 10 for one in values]),
            "elo/adapter_v0": column([1010 + one / 9 for one in values])}  # fmt: skip
    zero = {f"trueskill/{name}_sigma": column(np.zeros(12)) for name in ("base_model", "chaos_bot", "adapter_v0")}
    plain, beside = (run(columns).ratings.gap() for columns in (base, base | zero))
    assert beside.value == pytest.approx(plain.value)
    assert beside.interval == pytest.approx(plain.interval)
