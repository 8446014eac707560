from __future__ import annotations

import itertools
import math
from datetime import date
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from synthetic import series

from trainhealth.errors import DataError, ThresholdsError
from trainhealth.judge import Judge
from trainhealth.limits import parse_limit
from trainhealth.measurement import Measurement, Trace, figure
from trainhealth.series import first_non_finite
from trainhealth.thresholds import Criterion, Waiver, Window
from trainhealth.verdicts import (
    Absent,
    Inconclusive,
    Judgement,
    NotApplicable,
    RunSummary,
    Verdict,
    exit_status,
    judge_run,
)

SUMMARY = RunSummary(run="demo")


def criterion(warn: str = "", fail: str = "", **fields: Any) -> Criterion:
    given = {
        "id": "stability.kl_level",
        "warn": tuple(parse_limit(text, "here:1") for text in warn.split(" | ") if text),
        "fail": tuple(parse_limit(text, "here:2") for text in fail.split(" | ") if text),
        "window": Window("tail", last_steps=50),
        "action": "act",
        "source": "",
        "required": True,
        "missing": "inconclusive",
        "metric": None,
        "statistic": None,
        "origin": "here:1",
    }
    return Criterion(**{**given, **fields})


def verdict(measurement: Measurement, warn: str = "", fail: str = "") -> Verdict:
    return Judge(criterion(warn, fail), "demo").measured(measurement).verdict


@pytest.mark.parametrize(
    ("value", "expected"),
    [(0.05, "PASS"), (0.1, "PASS"), (0.11, "WARN"), (0.2, "WARN"), (0.21, "FAIL"), (math.nan, "FAIL"),
     (math.inf, "FAIL"), (-math.inf, "PASS")],
)  # fmt: skip
def test_upper_limits(value: float, expected: str) -> None:
    assert verdict(Measurement(value), "> 0.1", "> 0.2") == expected


@pytest.mark.parametrize(("value", "expected"), [(0.96, "PASS"), (0.94, "FAIL"), (math.nan, "FAIL")])
def test_percent_of_a_fraction(value: float, expected: str) -> None:
    assert verdict(Measurement(value, unit="fraction"), fail="< 95%") == expected


def test_multiples_and_changes_need_a_reference() -> None:
    grown = Measurement(34.5, reference=3.7)
    assert verdict(grown, "> 3x", "> 50 | > 10x") == "WARN"
    assert verdict(Measurement(60.0, reference=30.0), "> 3x", "> 50 | > 10x") == "FAIL"
    assert verdict(Measurement(40.0, reference=3.7), "> 3x", "> 50 | > 10x") == "FAIL"
    assert verdict(Measurement(8.0, reference=14.0), fail="< -35%") == "FAIL"
    assert verdict(Measurement(1.0, reference=0.0), fail="> 3x") == "FAIL"
    with pytest.raises(ThresholdsError, match=r"here:1: stability.kl_level: there is nothing for a 'x' limit"):
        verdict(Measurement(1.0), fail="> 3x")
    with pytest.raises(ThresholdsError, match="is a state"):
        verdict(Measurement("crashed"), fail="> 3")


def test_states() -> None:
    known = ("finished", "running", "crashed", "failed")
    judge = Judge(criterion("running", "crashed | failed"), "demo")
    found = [judge.measured(Measurement(state, vocabulary=known)) for state in ("finished", "running", "failed")]
    assert [(one.verdict, one.reason) for one in found] == [
        ("PASS", "finished: acceptable"),
        ("WARN", "running: not wanted (warn: running)"),
        ("FAIL", "failed: not acceptable (fail: crashed, failed)"),
    ]


@pytest.mark.parametrize(
    ("interval", "expected"), [((0.1, 0.9), "PASS"), ((-0.1, 0.9), "INCONCLUSIVE"), ((-0.9, -0.1), "FAIL")]
)
def test_a_limit_inside_the_interval_is_undecided(interval: tuple[float, float], expected: str) -> None:
    assert verdict(Measurement(sum(interval) / 2, interval=interval), fail="< 0") == expected


def test_what_is_undecided_says_what_would_decide_and_orders_no_remedy() -> None:
    wide = Judge(criterion(fail="< 0"), "demo").measured(Measurement(5.8, unit="sd", interval=(-0.5, 12.0)))
    assert wide.action == ""
    assert wide.reason == (
        "5.8 sd [-0.5 … 12.0] does not decide: "
        "the fail limit '< 0' lies inside the 95 % interval; more steps would narrow it"
    )
    gaps = Judge(criterion("> 1"), "demo").measured(Measurement(0.5, points=50, non_finite=1))
    assert (gaps.action, gaps.reason) == ("", "0.5 does not decide: 1 of 50 points is NaN or infinite")


def test_where_the_non_finite_points_are_is_said() -> None:
    kl = series([0.1, 0.1, math.nan, 0.1, math.inf], name="train/kl")
    reason = Judge(criterion("> 1"), "demo").measured(kl.median()).reason
    assert reason == "0.1 does not decide: 2 of 5 points are NaN or infinite (train/kl, first at step 2)"
    found = Judge(criterion(fail="> 0.01"), "demo").measured(kl.median())
    assert found.reason == "0.1 is beyond the fail limit '> 0.01'"
    lost = Judge(criterion(fail="> 0.01"), "demo").measured(kl.max())
    assert lost.reason == "nan (train/kl, first at step 2) is beyond the fail limit '> 0.01'"
    four = [series([0.0] * at + [math.nan] * 2, name=name) for at, name in ((3, "d"), (2, "c"), (1, "b"), (0, "a"))]
    assert first_non_finite(*four) == "a, first at step 0; b, first at step 1; c, first at step 2; and 1 more"
    assert first_non_finite(series([1.0])) == ""


@pytest.mark.parametrize(
    ("value", "reason", "worst_at"),
    [(0.0, "0 is inside the warn limit '> 1'", None), (1.5, "1.5 is beyond the warn limit '> 1'", 3.0),
     (2.5, "2.5 is beyond the fail limit '> 2'", 3.0)],
)  # fmt: skip
def test_where_it_is_worst_is_told_of_what_does_not_pass(value: float, reason: str, worst_at: float | None) -> None:
    trace = Trace(np.array([2.0, 3.0]), np.array([0.0, value]))
    found = Judge(criterion("> 1", "> 2"), "demo").measured(Measurement(value, trace=trace))
    assert (found.reason, found.worst_at, bool(found.action)) == (reason, worst_at, value > 1)


@pytest.mark.parametrize(
    ("value", "unit", "shown"),
    [(1.0, "steps", "1 step"), (2.0, "steps", "2 steps"), (1.0, "s", "1 s"), (1.0, "tokens/s", "1 tokens/s")],
)
def test_one_is_singular(value: float, unit: str, shown: str) -> None:
    assert str(Measurement(value, unit=unit)) == shown


@pytest.mark.parametrize(
    ("value", "shown"),
    [(0.0, "0"), (-0.0, "0"), (0.25, "0.25"), (314.72, "314.7"), (9999.4, "9999"), (9999.7, "10,000"),
     (872_730.0, "872,730"), (3.92e12, "3.92e12"), (5.16233e-07, "5.16e-7"), (-0.00117, "-0.00117"),
     (2.804e-146, "below 1e-12"), (-2.8e-146, "above -1e-12"), (math.nan, "nan"), (math.inf, "inf")],
)  # fmt: skip
def test_numbers_are_for_people(value: float, shown: str) -> None:
    assert figure(value) == shown


@pytest.mark.parametrize(
    ("value", "unit", "interval", "shown"),
    [(-0.09172, "Elo", (-6.597, 6.458), "-0.1 Elo [-6.6 … 6.5]"),
     (-272.1, "Elo", (-463.8, -80.31), "-272 Elo [-464 … -80]"),
     (0.0234, "fraction", (0.01, 0.05), "2.3% [1.0 … 5.0]"), (12.0, "", (12.0, 12.0), "12 [12 … 12]"),
     (1.5, "s", (-math.inf, 3.0), "1.5 s [-inf … 3]"), (1.0, "steps", (0.5, 1.5), "1.00 steps [0.50 … 1.50]")],
)  # fmt: skip
def test_a_value_is_no_finer_than_its_interval_and_the_unit_is_said_once(
    value: float, unit: str, interval: tuple[float, float], shown: str
) -> None:
    assert str(Measurement(value, unit=unit, interval=interval)) == shown
    judgement = Judge(criterion(fail="> 1000%" if unit == "fraction" else "> 1000"), "demo").measured(
        Measurement(value, unit=unit, interval=interval)
    )
    assert (judgement.value, judgement.interval) == (value, interval)  # which verdict.json has in full


@pytest.mark.parametrize(
    ("limit", "value", "unit", "excess"),
    [("> 2", 5.0, "", 2.5), ("< 4", 1.0, "", 4.0), ("< 4", 0.0, "", math.inf), ("< -50", -100.0, "Elo", 2.0),
     ("< 95%", 0.75, "fraction", 5.0), ("> 5%", 0.15, "fraction", 3.0), ("> 0", 3.0, "", None), ("< 0", -3.0, "", None),
     ("> -5", -1.0, "", None), ("> 2", math.nan, "", math.inf), ("> 2", 1.0, "", None)],
)  # fmt: skip
def test_how_many_times_its_limit_a_value_is(limit: str, value: float, unit: str, excess: float | None) -> None:
    found = Judge(criterion(fail=limit), "demo").measured(Measurement(value, unit=unit)).excess
    assert found == (None if excess is None else pytest.approx(excess))


def test_a_non_finite_point_rules_out_a_pass_but_not_a_failure() -> None:
    assert verdict(Measurement(0.05, points=50, non_finite=1), "> 0.1", "> 0.2") == "INCONCLUSIVE"
    assert verdict(Measurement(0.15, points=50, non_finite=1), "> 0.1", "> 0.2") == "INCONCLUSIVE"
    assert verdict(Measurement(0.3, points=50, non_finite=1), "> 0.1", "> 0.2") == "FAIL"


def test_a_waiver_covers_failures_only() -> None:
    waiver = Waiver("stability.*", "*", date(2026, 12, 31), "beta = 0 on purpose", "here:9")
    judge = Judge(criterion(fail="> 1"), "demo", waiver)
    waived = judge.measured(Measurement(2.0))
    assert waived.verdict == "WAIVED"
    assert waived.waiver == "waived until 2026-12-31: beta = 0 on purpose (here:9)"
    assert judge.measured(Measurement(0.0)).verdict == "PASS"
    assert judge.undecided(Inconclusive("no data")).verdict == "INCONCLUSIVE"
    assert judge.undecided(DataError("damaged")).verdict == "ERROR"


@pytest.mark.parametrize(
    ("missing", "expected"),
    [("inconclusive", "INCONCLUSIVE"), ("fail", "FAIL"), ("not_applicable", "NOT_APPLICABLE")],
)
def test_what_a_missing_metric_means_is_the_files_to_say(missing: str, expected: str) -> None:
    judge = Judge(criterion(fail="> 1", missing=missing), "demo")
    absent = judge.undecided(Absent("kl is not logged"))
    assert (absent.verdict, absent.action) == (expected, "act" if expected == "FAIL" else "")
    assert judge.undecided(Inconclusive("too few points")).verdict == "INCONCLUSIVE"
    assert judge.undecided(NotApplicable("beta = 0")).verdict == "NOT_APPLICABLE"


def test_a_check_judges_once() -> None:
    judge = Judge(criterion(fail="> 1"), "demo")
    judge.judge(Measurement(0.0))
    with pytest.raises(RuntimeError, match="judged twice"):
        judge.judge(Measurement(0.0))


def said(verdict: str, id_: str = "learning.reward_trend", *, required: bool = True) -> Judgement:
    return Judgement(run="demo", criterion=id_, verdict=Verdict(verdict), reason="", required=required)


def test_the_worst_judgement_is_the_gate() -> None:
    order = ["NOT_APPLICABLE", "PASS", "WAIVED", "WARN", "INCONCLUSIVE", "ERROR", "FAIL"]
    for better, worse in itertools.combinations(order[3:], 2):
        assert judge_run(SUMMARY, [said(better, "learning.a"), said(worse, "stability.b")]).verdict == worse
    assert judge_run(SUMMARY, [said("WAIVED")]).verdict == "PASS"


@given(st.lists(st.sampled_from(["NOT_APPLICABLE", "INCONCLUSIVE"]), max_size=8), st.booleans())
def test_nothing_evaluated_is_never_a_pass(verdicts: list[str], required: bool) -> None:
    runs = [judge_run(SUMMARY, [said(one, required=required) for one in verdicts])]
    assert runs[0].verdict == "INCONCLUSIVE"
    assert exit_status(runs) == 10
    assert exit_status([]) == 10


def test_without_a_learning_criterion_a_run_is_undecided() -> None:
    judgements = [said("PASS", "stability.kl_level"), said("NOT_APPLICABLE", "learning.elo_gap")]
    assert judge_run(SUMMARY, judgements).verdict == "INCONCLUSIVE"
    assert "no learning criterion" in judge_run(SUMMARY, judgements).reason
    off = SUMMARY.model_copy(update={"learning_off": True})
    assert judge_run(off, judgements).verdict == "PASS"


def test_what_puts_the_rest_in_doubt_comes_first() -> None:
    ids = ["custom.a", "integrity.a", "integrity.history_complete", "integrity.run_state", "learning.a",
           "performance.a", "stability.a", "stability.b", "stability.non_finite_values"]  # fmt: skip
    judgements = [said("FAIL", id_) for id_ in ids] + [said("WARN", "integrity.run_state")]
    found = judge_run(SUMMARY, reversed(judgements)).judgements
    assert [one.criterion for one in found] == [ids[at] for at in (3, 2, 8, 1, 6, 7, 4, 5, 0, 3)]


def test_the_diagnosis_then_what_is_required_then_areas_then_what_is_farthest_beyond() -> None:
    def failed(id_: str, excess: float | None = None, *, required: bool = True) -> Judgement:
        return said("FAIL", id_, required=required).model_copy(update={"excess": excess})

    order = [
        failed("learning.diagnosis"),
        failed("integrity.completion", 1.1),
        failed("stability.z"),  # a state, or a limit of 0
        failed("stability.y", math.inf),
        failed("stability.x", 4.5),
        failed("stability.w", 1.2),
        failed("learning.a", 50.0),
        failed("performance.a", 1.5),
        failed("performance.b", 1.5),
        failed("custom.a", 99.0),
        failed("stability.a", 70.0, required=False),
        failed("performance.c", 70.0, required=False),
    ]
    assert list(judge_run(SUMMARY, reversed(order)).judgements) == order


def test_an_optional_criterion_does_not_block_but_its_failure_does() -> None:
    passing = said("PASS")
    optional = said("INCONCLUSIVE", "stability.kl_level", required=False)
    assert judge_run(SUMMARY, [passing, optional]).verdict == "PASS"
    assert judge_run(SUMMARY, [passing, said("FAIL", "stability.x", required=False)]).verdict == "FAIL"


@pytest.mark.parametrize(
    ("verdicts", "status", "strict"),
    [(["PASS"], 0, 0), (["PASS", "WARN"], 0, 1), (["PASS", "FAIL"], 1, 1), (["PASS", "INCONCLUSIVE"], 10, 10),
     (["PASS", "ERROR"], 11, 11), (["FAIL", "ERROR"], 1, 1)],
)  # fmt: skip
def test_exit_status(verdicts: list[str], status: int, strict: int) -> None:
    runs = [judge_run(SUMMARY, [said(one)]) for one in verdicts]
    assert exit_status(runs) == status
    assert exit_status(runs, strict=True) == strict


def test_a_judgement_survives_the_way_between_processes() -> None:
    judge = Judge(criterion("> 0.1", "> 0.2"), "demo")
    for value in (0.3, math.nan, math.inf):
        judgement = judge.measured(Measurement(value, keys=("kl/mean",), table=({"agent": "x", "elo": math.nan},)))
        again = Judgement.model_validate_json(judgement.model_dump_json())
        assert again.model_dump_json() == judgement.model_dump_json()


def test_the_message_says_everything() -> None:
    found = Measurement(0.3, points=50, window="last 50 steps", keys=("kl/mean",))
    message = Judge(criterion("> 0.1", "> 0.2"), "demo").measured(found).message
    assert message == (
        "stability.kl_level FAIL on demo: 0.3 is beyond the fail limit '> 0.2' (here:2)\n"
        "  kl/mean: last 50 steps, 50 points\n  action: act"
    )
    assert Judge(criterion("> 0.1"), "demo").measured(Measurement(0.0)).message == (
        "stability.kl_level PASS on demo: 0 is inside the warn limit '> 0.1' (here:1)\n  whole run, 1 point"
    )
