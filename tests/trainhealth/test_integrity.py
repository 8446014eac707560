from __future__ import annotations

import math
from collections.abc import Callable

import pytest
from synthetic import column, run, series

from trainhealth import integrity
from trainhealth.measurement import Measurement
from trainhealth.verdicts import Inconclusive, NotApplicable

EMPTY = run({})


@pytest.mark.parametrize(("last", "share"), [(200, 1.0), (100, 0.5), (189, 0.945)])
def test_completion(last: int, share: float) -> None:
    steps = run({"_step": column(range(1, last + 1))}).steps
    assert integrity.completion(steps, 200, "finished").value == pytest.approx(share)


def test_completion_of_a_trainer_that_counts_from_zero() -> None:
    assert integrity.completion(run({"_step": column(range(200))}).steps, 200, "finished").value == 1.0


@pytest.mark.parametrize("total", [None, -1, 0, True, "200"])
def test_completion_without_a_configured_total(total: object) -> None:
    with pytest.raises(NotApplicable, match="names no total"):
        integrity.completion(run({"_step": column(range(9))}).steps, total, "finished")


def test_completion_of_a_running_run() -> None:
    with pytest.raises(NotApplicable, match="still going, at step 8"):
        integrity.completion(run({"_step": column(range(9))}).steps, 200, "running")


def test_missing_steps_are_counted_by_hand() -> None:
    found = integrity.missing_steps(run({"_step": column([*range(0, 40, 2), *range(60, 100, 2)])}).steps)
    assert found.value == pytest.approx(10 / 50)  # 40 to 58 are absent
    assert found.detail == "gaps: 38 to 60"


def test_a_constant_stride_has_no_gaps() -> None:
    assert integrity.missing_steps(run({"_step": column(range(6, 4000, 8192 // 1024))}).steps).value == 0.0


def test_an_axis_without_a_stride_has_no_gaps_to_tell() -> None:
    with pytest.raises(NotApplicable, match="no usual stride"):
        integrity.missing_steps(run({"_step": column([0, 3, 30, 31, 90, 200, 220, 1000])}).steps)


def test_repeated_steps_need_different_values() -> None:
    steps = run({"_step": column([0, 1, 2, 2, 3, 3])}).steps
    same = series([1, 1, 5, 5, 7, 7], steps=[0, 1, 2, 2, 3, 3])
    other = series([1, 1, 5, 6, 7, 7], steps=[0, 1, 2, 2, 3, 3])
    both_nan = series([1, 1, 5, 5, math.nan, math.nan], steps=[0, 1, 2, 2, 3, 3])
    one_nan = series([1, 1, 5, 5, 7, math.nan], steps=[0, 1, 2, 2, 3, 3])
    values = [integrity.repeated_steps(steps, [one]).value for one in (same, other, both_nan, one_nan)]
    assert values == [0.0, 0.25, 0.0, 0.25]


def test_a_rewind_repeats_the_steps_it_goes_over() -> None:
    """One real run repeats steps 414 to 424."""
    at = [*range(425), *range(414, 500)]
    one = run({"_step": column(at), "train/kl": column([float(i) for i in range(len(at))])}, segments=(0, 425))
    assert integrity.repeated_steps(one.steps, one.logged("kl")).value == pytest.approx(11 / 500)
    assert integrity.repeated_steps(one.steps, one.logged("kl")).detail == "steps 414 to 424"
    assert integrity.steps_backwards(one.steps, (0, 425)).value == 0.0
    assert integrity.steps_backwards(one.steps, (0,)).value == 1.0


def test_two_log_calls_a_step_are_two_rows() -> None:
    one = run({"_step": column(range(114)), "benchmark/step": column(range(57), rows=range(0, 114, 2))})
    assert one.steps.key == "benchmark/step"
    assert integrity.rows_per_step(one.steps).value == 2.0
    assert integrity.rows_per_step(one.steps).detail == "114 rows for 57 steps"


def test_ratings_in_rows_of_their_own_are_no_double_logging() -> None:
    rows = [row for row in range(120) if row % 6]  # every sixth row is an evaluation
    one = run({"_step": column(range(120)), "benchmark/step": column(range(100), rows=rows)})
    assert integrity.rows_per_step(one.steps).value == 1.0


def test_metrics_at_their_default() -> None:
    one = run({"_step": column([0, 1]), "kl/mean": column([0, 0]), "benchmark/grad_norm": column([0, 1])})
    found = integrity.uninstrumented(one)
    assert (found.value, found.points, found.detail) == (1.0, 2, "kl/mean")
    with pytest.raises(Inconclusive, match=r"kl/mean is 0 at all 2 points, the logger's default: never measured"):
        one.metric("kl")
    with pytest.raises(Inconclusive, match="no metric whose"):
        integrity.uninstrumented(EMPTY)


@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf])
def test_one_non_finite_value_is_found(value: float) -> None:
    healthy, broken = series([1.0] * 20_000, name="loss"), series([1.0] * 20_000, name="kl")
    broken.values[12_345] = value
    found = integrity.non_finite([healthy, broken])
    assert (found.value, found.detail) == (1.0, "kl: 1, first at step 12345")
    assert integrity.non_finite([healthy]).value == 0.0
    with pytest.raises(Inconclusive, match="none of"):
        integrity.non_finite([])


def test_an_empty_run_is_inconclusive_everywhere() -> None:
    measures: list[Callable[[], Measurement]] = [
        lambda: integrity.completeness(EMPTY.record),
        lambda: integrity.missing_steps(EMPTY.steps),
        lambda: integrity.repeated_steps(EMPTY.steps, []),
        lambda: integrity.rows_per_step(EMPTY.steps),
        lambda: integrity.steps_backwards(EMPTY.steps, (0,)),
        lambda: integrity.completion(EMPTY.steps, 100, "finished"),
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
