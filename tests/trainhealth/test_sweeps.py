"""Runs side by side: numbers counted by hand."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from synthetic import column, run

from trainhealth.errors import DataError
from trainhealth.history import Column
from trainhealth.run import Run
from trainhealth.sweeps import (
    COMPARABLE,
    Comparison,
    RunSheet,
    Standing,
    Sweep,
    completeness,
    lead,
    run_sheet,
    rungs,
    stability,
)
from trainhealth.verdicts import Inconclusive, NotApplicable

AXIS = "benchmark/step"


def trained(changes: Mapping[str, Column | None] | None = None, steps: int = 101) -> Run:
    """A run of `steps` steps, rated at every tenth: the base model falls by a point a step from 1000, a bot by two
    from 900, adapter_v0 stays at 1010 and adapter_v50 climbs by a point a step from 1000. A change replaces a column,
    None removes it."""
    at = np.arange(steps)
    rated = at[::10]
    columns = {
        "_step": column(at),
        "benchmark/step": column(at),
        "kl/mean": column(np.full(steps, 0.02)),
        "kl/max": column(0.1 + at / 1000),
        "benchmark/grad_norm": column(np.full(steps, 3.0)),
        "benchmark/reward_mean": column(at / 10),
        "game/avg_sc_count": column(np.full(steps, 7.5)),
        "game/win_bonus_rate": column(np.full(steps, 0.2)),
        "placement/top3_rate": column(np.full(steps, 0.6)),
        "elo/base_model": column(1000.0 - rated, rated),
        "elo/chaos_bot": column(900.0 - 2 * rated, rated),
        "elo/adapter_v0": column(np.full(len(rated), 1010.0), rated),
        "elo/adapter_v50": column(1000.0 + rated, rated),
        "elo/win_rate": column(np.linspace(0, 5000, len(rated)), rated),
        "elo/challenger": column(np.linspace(0, 9000, len(rated)), rated),
    }
    changed = {**columns, **(changes or {})}
    return run({key: one for key, one in changed.items() if one is not None}, state="finished", exit_code=0)


def test_the_sheet_of_a_run() -> None:
    """Ratings at 80, 90, 100: medians 910, 720, 1010 and 1090. First medians: of 0, 10, 20."""
    end = run_sheet(trained()).standings[-1]
    assert end.step == 100
    assert end.base_model == 910
    assert end.bots == {"chaos_bot": 720}
    assert end.lost == {"base_model": 80, "chaos_bot": 160}
    assert (end.best_checkpoint, end.best_elo, end.gap) == ("adapter_v50", 1090, 180)
    assert (end.kl_mean, end.grad_norm) == (0.02, 3)
    assert end.kl_max == pytest.approx(0.2)
    assert end.reward == pytest.approx(9.05)  # points 81 to 100 of 101: a fifth
    assert (end.supply_centres, end.win_rate, end.top3_rate) == (7.5, 0.2, 0.6)


def test_the_sheet_at_an_earlier_step_knows_nothing_of_later_ones() -> None:
    """At 52, a multiple of 4, the last ratings are those of 30, 40 and 50."""
    long, short = run_sheet(trained()), run_sheet(trained(steps=53))
    assert long.at(52) == short.standings[-1]
    assert (long.at(52).base_model, long.at(52).gap) == (960, 80)
    assert long.at(52).kl_max == pytest.approx(0.152)


def test_what_is_rated_nobody_changes_nothing() -> None:
    assert run_sheet(trained()) == run_sheet(trained({"elo/win_rate": None, "elo/challenger": None}))


def test_what_is_not_there_is_said_not_guessed() -> None:
    end = run_sheet(trained({"elo/base_model": None, "kl/mean": None, "kl/max": None})).standings[-1]
    assert (end.base_model, end.gap, end.kl_mean, end.kl_max) == (None, None, None, None)
    assert "the base model is not rated" in end.unrated
    assert end.bots == {"chaos_bot": 720}
    with pytest.raises(Inconclusive, match="no history rows"):
        run_sheet(run({}))


@pytest.mark.parametrize("agent", ["base_model", "adapter_v0", "adapter_v50"])
def test_a_rating_that_is_no_number_ranks_nobody(agent: str) -> None:
    rated = np.arange(0, 101, 10)
    end = run_sheet(trained({f"elo/{agent}": column(np.where(rated < 80, 1000.0, math.nan), rated)})).standings[-1]
    assert end.gap is None
    assert end.unrated


@pytest.mark.parametrize("value", [math.nan, math.inf, 11.0, -11.0])
def test_one_step_of_extreme_kl_makes_a_run_unstable(value: float) -> None:
    at = np.arange(101)
    for key in ("kl/mean", "kl/max"):
        sheet = run_sheet(trained({key: column(np.where(at == 90, value, 0.02))}))
        assert sheet.unstable
        assert sheet.at(80).kl_max is not None
        assert sheet.at(80).kl_max < 1  # type: ignore[operator]
    assert not run_sheet(trained()).unstable


@given(
    longest=st.one_of(st.integers(1, 30_000), st.floats(0.1, 1e6)),
    share=st.floats(COMPARABLE, 1),
    third=st.floats(0.5, 1),
)
def test_runs_share_the_step_they_are_cut_at(longest: float, share: float, third: float) -> None:
    ends = (longest, longest * share, longest * max(share, third))
    sheets = tuple(
        RunSheet(run=str(at), axis=AXIS, last_step=end, standings=tuple(Standing(step=step) for step in rungs(end)))
        for at, end in enumerate(ends)
    )
    sweep = Sweep("s", sheets)
    assert sweep.step is not None
    assert {one.step for one in sweep.standings.values()} == {sweep.step}
    assert min(ends) - longest / 16 <= sweep.step <= sorted(ends)[0]
    assert not sweep.apart
    assert all(len(sheet.standings) <= 18 for sheet in sheets)


# Sweeps of sheets ----------------------------------------------------------------------------------------------------


def sheet(run: str, gap: float | None, error: float | None = 5.0, last: float = 100, **fields: Any) -> RunSheet:
    """A sheet that stands as it does from the first of its rungs on."""
    of_sheet = {name: fields.pop(name) for name in ("state", "config", "axis", "name") if name in fields}
    fields = {"base_model": None if gap is None else 1000 - gap / 2, "gap": gap, "gap_error": error, **fields}
    standings = tuple(Standing(step=step, **fields) for step in rungs(last))
    return RunSheet(
        **{"run": run, "state": "finished", "axis": AXIS, "last_step": last, "standings": standings} | of_sheet
    )


def test_the_rankings() -> None:
    sweep = Sweep(
        "s",
        (
            sheet("a", 30, lost={"base_model": 10.0, "chaos_bot": 50.0}),
            sheet("b", 50, lost={"base_model": 20.0, "chaos_bot": 10.0, "random_bot": 500.0}),
            sheet("c", None),
            sheet("d", -10, lost={"base_model": -5.0, "chaos_bot": 0.0}),
        ),
    )
    assert sweep.by_gap().runs == (("b", 50), ("a", 30), ("d", -10))
    assert sweep.by_base_model().runs == (("b", 975), ("a", 985), ("d", 1005))
    assert sweep.by_references_lost().runs == (("a", 60), ("b", 30), ("d", -5))  # random_bot is not rated by all
    assert [row.run for row in sweep.compare().rows] == ["b", "a", "d", "c"]


def test_a_lead_has_an_interval() -> None:
    """Errors 3 and 4 make 5: 1.96 times that is 9.8."""
    found = lead(Sweep("s", (sheet("a", 60, 3.0), sheet("b", 30, 4.0), sheet("c", 0, 4.0))))
    assert found.value == 30
    assert found.interval == pytest.approx((20.2, 39.8), abs=0.01)
    assert found.detail == "a leads b"


def test_the_lead_over_a_run_that_is_not_the_second_may_be_the_less_sure() -> None:
    sweep = Sweep("s", (sheet("a", 60, 3.0), sheet("b", 30, 4.0), sheet("c", 28, 40.0)))
    found, race = lead(sweep), sweep.race()
    assert found.value == 30
    assert found.detail == "a leads b; not surely ahead of c"
    assert race is not None
    assert race.interval == pytest.approx((20.2, 39.8), abs=0.01)
    assert race.undecided == ("c",)
    assert found.interval is not None
    assert found.interval[0] == pytest.approx(32 - 1.96 * math.hypot(3, 40), abs=0.01)


def test_a_lead_that_nobody_can_tell() -> None:
    with pytest.raises(Inconclusive, match="too few to say how surely of b"):
        lead(Sweep("s", (sheet("a", 60, None), sheet("b", 30))))
    with pytest.raises(Inconclusive, match="a alone has a lead"):
        lead(Sweep("s", (sheet("a", 60), sheet("b", None))))
    with pytest.raises(NotApplicable, match="logs no ratings"):
        lead(Sweep("s", (sheet("a", None, unrated="logs no ratings"), sheet("b", None))))
    assert Sweep("s", ()).compare().race is None


def test_short_runs_are_compared_at_equal_steps() -> None:
    """The unit of a run of 200 steps is 8: 150 is cut to 144."""
    long, crashed = sheet("long", 80, last=200), sheet("crashed", 20, last=150, state="crashed")
    sweep = Sweep("s", (long, crashed, sheet("other", 70, last=200)))
    assert sweep.step == 144
    found = sweep.compare()
    assert found.notes[0] == "all are compared at step 144 of 200, because of crashed (crashed at 150)"
    assert found.notes[1] == "broke off and compared all the same: crashed"
    assert completeness(sweep).value == pytest.approx(2 / 3)


def test_one_that_broke_off_does_not_cut_all_others_short() -> None:
    """Three of four came to 200: it is compared with them at its own end, where its gap is between theirs."""
    long = tuple(sheet(f"long{gap}", gap, last=200) for gap in (80, 10, 70))
    sweep = Sweep("s", (*long, sheet("crashed", 20, last=150, state="crashed")))
    assert sweep.step == 200
    assert dict(sweep.apart) == {"crashed": "crashed at step 150 of 200; at step 144 it was number 3 of 4 by gap"}
    assert [row.run for row in sweep.compare().rows] == ["long80", "long70", "long10", "crashed"]
    assert completeness(sweep).value == 0.75


def test_runs_that_are_about_as_far_are_compared() -> None:
    """Running at 200, 199 and so on: all within one unit of 8."""
    sweep = Sweep("s", tuple(sheet(f"r{end}", end, last=end, state="running") for end in (200, 199, 198, 197, 196)))
    assert sweep.step == 192
    assert not sweep.apart


def test_runs_that_cannot_be_compared_are_set_apart() -> None:
    early = sheet("early", 500, last=99, state="crashed")
    other = sheet("other", 900, last=200, axis="_step")
    sweep = Sweep("s", (sheet("a", 30, last=200), early, sheet("b", 10, last=200), other), ("gone",))
    assert sweep.step == 200
    assert dict(sweep.apart) == {
        "early": "crashed at step 99 of 200, too early to compare",
        "other": "counts its steps by _step, the others by benchmark/step",
    }
    race = sweep.race()
    assert race is not None
    assert (race.winner, race.runner_up, race.runs) == ("a", "b", 2)
    assert [row.run for row in sweep.compare().rows] == ["a", "b", "early", "other"]
    assert completeness(replace(sweep, unread=())).value == pytest.approx(2 / 4)
    with pytest.raises(DataError, match="1 of the runs could not be read: gone"):
        completeness(sweep)


def test_instability_after_the_step_of_the_comparison_counts() -> None:
    calm = sheet("calm", 10, kl_max=0.1)
    wild = sheet("wild", 30, last=150)
    wild = wild.model_copy(
        update={"standings": (*(one.model_copy(update={"kl_max": 0.2}) for one in wild.standings[:-1]),
                              wild.standings[-1].model_copy(update={"kl_max": 10.1}))}
    )  # fmt: skip
    sweep = Sweep("s", (calm, wild))
    assert sweep.step == 96
    assert stability(sweep).value == 1
    assert "wild: KL up to 10.1" in stability(sweep).detail
    assert [row.unstable for row in sweep.compare().rows] == [True, False]


def test_stability_that_was_not_seen_is_no_stability() -> None:
    calm = sheet("calm", 10, kl_max=0.1)
    assert stability(Sweep("s", (calm,))).value == 0
    with pytest.raises(Inconclusive, match="dark"):
        stability(Sweep("s", (calm, sheet("dark", 10))))
    with pytest.raises(Inconclusive, match="gone"):
        stability(Sweep("s", (calm,), ("gone",)))
    with pytest.raises(NotApplicable):
        stability(Sweep("s", (sheet("dark", 10),)))


def test_only_what_differs_in_the_configs() -> None:
    """What names every run differently comes last."""
    configs = [{"lr": lr, "beta": 0.04, "out": f"runs/{at}"} for at, lr in enumerate((1e-5, 1e-5, 3e-5))]
    configs[2]["warmup"] = 20
    sheets = tuple(sheet(name, 1, config=config) for name, config in zip("abc", configs, strict=True))
    found = Sweep("s", sheets).differing()
    assert list(found) == ["lr", "warmup", "out"]
    assert found["lr"] == {"a": 1e-5, "b": 1e-5, "c": 3e-5}
    assert found["warmup"] == {"a": None, "b": None, "c": 20}


def test_runs_of_one_name_are_told_apart() -> None:
    sweep = Sweep("s", (sheet("a", 1, name="same"), sheet("b", 2, name="same"), sheet("c", 3, name="own")))
    assert dict(sweep.titles) == {"a": "same a", "b": "same b", "c": "own"}


def test_plain_data_survives_json() -> None:
    sheets = (sheet("a", 30, kl_max=math.inf, config={"lr": 1e-5}), sheet("b", 10))
    for one in sheets:
        assert RunSheet.model_validate_json(one.model_dump_json()) == one
    found = Sweep("s", sheets).compare()
    assert Comparison.model_validate_json(found.model_dump_json()) == found
