from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest
from synthetic import ROOT, column, run, series

from trainhealth import coverage, integrity
from trainhealth.judge import Judge
from trainhealth.measurement import Measurement
from trainhealth.thresholds import load
from trainhealth.verdicts import Inconclusive, NotApplicable

EMPTY = run({})


@pytest.mark.parametrize(("last", "share"), [(200, 1.0), (100, 0.5), (189, 0.945)])
def test_completion(last: int, share: float) -> None:
    steps = run({"_step": column(range(1, last + 1))}).steps
    assert integrity.completion(steps, {"max_steps": 200}, "crashed").value == pytest.approx(share)


def test_completion_of_a_trainer_that_counts_from_zero() -> None:
    counted = run({"_step": column(range(200)), "step": column(range(200))}).steps
    assert integrity.completion(counted, {"max_steps": 200}, "finished").value == 1.0


def test_completion_takes_the_first_positive_number() -> None:
    counted = run({"step": column(range(1, 1001))}).steps
    assert integrity.completion(counted, {"max_steps": -1, "total": 10_000}, "finished").value == 0.1


def test_completion_in_another_unit_is_not_judged() -> None:
    counted = run({"step": column(range(1, 1001))}).steps
    with pytest.raises(NotApplicable, match="max_steps = 100 in the config counts something else: the run is at 1000"):
        integrity.completion(counted, {"max_steps": 100}, "finished")
    with pytest.raises(Inconclusive, match="logs no training step"):
        integrity.completion(run({"_step": column(range(1000))}).steps, {"total_steps": 1e6}, "finished")


@pytest.mark.parametrize("total", [None, -1, 0, True, "200"])
def test_completion_without_a_configured_total(total: object) -> None:
    with pytest.raises(NotApplicable, match="names no total"):
        integrity.completion(run({"_step": column(range(9))}).steps, {"max_steps": total}, "finished")


def test_completion_of_a_running_run() -> None:
    with pytest.raises(NotApplicable, match="still going, at step 8"):
        integrity.completion(run({"_step": column(range(9))}).steps, {"max_steps": 200}, "running")


def test_a_constant_stride_has_no_gaps() -> None:
    assert coverage.missing_steps(run({"_step": column(range(6, 4000, 8192 // 1024))}).steps).value == 0.0


def test_an_axis_without_a_stride_has_no_gaps_to_tell() -> None:
    with pytest.raises(NotApplicable, match="no usual distance"):
        coverage.missing_steps(run({"_step": column([0, 3, 30, 31, 90, 200, 220, 1000])}).steps)


def test_repeated_steps_need_different_values() -> None:
    steps = run({"_step": column([0, 1, 2, 2, 3, 3])}).steps
    same = series([1, 1, 5, 5, 7, 7], steps=[0, 1, 2, 2, 3, 3])
    other = series([1, 1, 5, 6, 7, 7], steps=[0, 1, 2, 2, 3, 3])
    both_nan = series([1, 1, 5, 5, math.nan, math.nan], steps=[0, 1, 2, 2, 3, 3])
    one_nan = series([1, 1, 5, 5, 7, math.nan], steps=[0, 1, 2, 2, 3, 3])
    in_a_row = [integrity.repeated_steps(steps, [one]).value for one in (same, other, both_nan, one_nan)]
    assert in_a_row == [0.0] * 4  # minibatches, or two log calls: what rows_per_step sees
    back = [0, 1, 2, 3, 2, 3]
    nan = math.nan
    came_back = {
        (1, 1, 5, 7, 5, 7): 0.0,
        (1, 1, 5, 7, 6, 7): 0.25,
        (1, 1, 5, nan, 5, nan): 0.0,
        (1, 1, 5, 7, 5, nan): 0.25,
    }
    for values, share in came_back.items():
        assert integrity.repeated_steps(steps, [series(values, steps=back)]).value == share


def test_a_rewind_repeats_the_steps_it_goes_over() -> None:
    """One real run repeats steps 414 to 424."""
    at = [*range(425), *range(414, 500)]
    one = run({"_step": column(at), "train/kl": column([float(i) for i in range(len(at))])}, segments=(0, 425))
    assert integrity.repeated_steps(one.steps, one.every_point()).value == pytest.approx(11 / 500)
    assert integrity.repeated_steps(one.steps, one.every_point()).detail == "steps 414 to 424"
    assert integrity.steps_backwards(one.steps, (0, 425)).value == 0.0
    assert integrity.steps_backwards(one.steps, (0,)).value == pytest.approx(1 / 511)
    # What was gone back before is no part of what the run became.
    assert one.metric("kl").steps.tolist() == [*range(414), *range(414, 500)]
    assert one.metric("kl").values[414] == 425.0


def test_two_log_calls_a_step_are_two_rows() -> None:
    one = run({"_step": column(range(114)), "benchmark/step": column(range(57), rows=range(0, 114, 2))})
    assert one.steps.key == "benchmark/step"
    assert integrity.rows_per_step(one.steps, one.metric_rows).value == 2.0
    assert integrity.rows_per_step(one.steps, one.metric_rows).detail == "114 rows for 57 steps"


def test_ratings_in_rows_of_their_own_are_no_double_logging() -> None:
    rows = [row for row in range(120) if row % 6]  # every sixth row is an evaluation
    one = run({"_step": column(range(120)), "benchmark/step": column(range(100), rows=rows)})
    assert integrity.rows_per_step(one.steps, one.metric_rows).value == 1.0


def test_rows_of_timers_are_no_double_logging() -> None:
    """TRL's profiler logs nine rows a step, and the client puts the step into each of them."""
    steps = np.repeat(np.arange(1, 41), 10)
    one = run({"_step": column(range(400)), "train/global_step": column(steps),
               "train/reward": column(np.ones(40), rows=range(9, 400, 10))})  # fmt: skip
    assert one.steps.last == 40
    assert integrity.rows_per_step(one.steps, one.metric_rows).value == 1.0
    assert coverage.missing_steps(one.steps).value == 0.0
    assert coverage.coverage(one.steps, one.logged("reward")).value == 1.0


def test_a_log_without_an_end_may_still_grow() -> None:
    steps = run({"_step": column(range(1, 101))}).steps
    with pytest.raises(Inconclusive, match="does not say whether the run has"):
        integrity.completion(steps, {"max_steps": 200}, "unknown")
    assert integrity.completion(steps, {"max_steps": 100}, "unknown").value == 1.0


def test_metrics_at_their_default() -> None:
    one = run({"_step": column([0, 1]), "kl/mean": column([0, 0]), "benchmark/grad_norm": column([0, 1])})
    found = integrity.uninstrumented(one)
    assert (found.value, found.points, found.detail) == (1.0, 2, "kl/mean")
    with pytest.raises(Inconclusive, match=r"kl/mean is 0 at all 2 points, the logger's default: never measured"):
        one.metric("kl")
    with pytest.raises(NotApplicable, match="no metric whose"):
        integrity.uninstrumented(EMPTY)


def test_a_form_without_an_end_says_so_instead_of_wait_for_it() -> None:
    rows = {"_step": column(range(5)), "kl": column(np.ones(5))}
    log = replace(run(rows, state="unknown").record, ends=False)
    log = replace(log, history=replace(log.history, coverage="open"))
    judge = Judge(load(ROOT / "thresholds.yaml").criteria["integrity.run_state"], "demo")
    for measured in (integrity.state(log), integrity.completeness(log)):
        assert "never says whether its run has ended" in measured.action
        assert "trainer_state.json" in measured.action
    assert judge.measured(integrity.state(log)).action == f"{integrity.state(log).action} {judge.criterion.action}"
    assert judge.measured(integrity.state(replace(log, ends=True))).action == judge.criterion.action
    assert integrity.state(replace(log, state="finished")).action == ""
    assert judge.measured(integrity.state(replace(log, state="finished"))).action == ""


def test_an_empty_run_is_inconclusive_everywhere() -> None:
    measures: list[Callable[[], Measurement]] = [
        lambda: integrity.completeness(EMPTY.record),
        lambda: coverage.missing_steps(EMPTY.steps),
        lambda: integrity.repeated_steps(EMPTY.steps, []),
        lambda: integrity.rows_per_step(EMPTY.steps, EMPTY.metric_rows),
        lambda: integrity.steps_backwards(EMPTY.steps, (0,)),
        lambda: integrity.completion(EMPTY.steps, {}, "finished"),
    ]
    for measure in measures:
        with pytest.raises(Inconclusive, match="no history rows"):
            measure()


def test_a_config_that_rules_a_metric_out() -> None:
    one = run({"_step": column([0, 1]), "train/kl": column([0.1, 0.2])}, config={"beta": 0.0})
    with pytest.raises(NotApplicable, match=r"beta = 0\.0 in the run's config"):
        one.metric("kl")


def test_an_absent_metric_names_what_is_near() -> None:
    with pytest.raises(Inconclusive, match=r"kl is not logged \(looked for .*\); did you mean train/kl_?"):
        run({"_step": column([0]), "train/kl_": column([0.1])}).metric("kl")
