from __future__ import annotations

import numpy as np
import pytest
from synthetic import column, run

from trainhealth import coverage, integrity
from trainhealth.history import History
from trainhealth.steps import step_axis


def history(**columns: object) -> History:
    return run({key.replace("__", "/"): value for key, value in columns.items()}).record.history  # type: ignore[misc]


def test_rows_without_a_step_take_the_last_one_seen() -> None:
    logged = history(_step=column([0, 1, 2, 3, 4, 5]), train__step=column([1, 2, 3], rows=[1, 3, 5]))
    axis = step_axis(logged, ["train/step"])
    assert axis.key == "train/step"
    assert axis.of_row.tolist() == [0, 1, 1, 2, 2, 3]
    assert axis.stride == 1.0


def test_a_counter_in_few_rows_is_no_axis() -> None:
    logged = history(_step=column(range(10)), train__step=column([0, 100], rows=[0, 9]))
    assert step_axis(logged, ["train/step"]).key == "_step"


def test_a_counter_that_starts_again_and_again_is_no_axis() -> None:
    logged = history(_step=column(range(16)), inner=column([0, 1, 2, 3] * 4))
    assert step_axis(logged, ["inner"]).key == "_step"


def test_an_epoch_is_no_axis() -> None:
    logged = history(_step=column(range(200)), step=column(np.repeat([1, 2, 3, 4], 50)))
    assert step_axis(logged, ["step"]).key == "_step"


def test_a_rewind_leaves_the_axis_in_place() -> None:
    steps = [*range(30), *range(20, 50)]
    axis = step_axis(history(_step=column(range(60)), epoch=column(steps)), ["epoch"])
    assert axis.key == "epoch"
    assert len(axis.distinct) == 50


def test_stride_is_the_usual_distance() -> None:
    assert step_axis(history(_step=column([0, 10, 20, 30, 50, 60])), []).stride == 10.0


def test_without_any_step_rows_are_counted() -> None:
    axis = step_axis(history(loss=column([3.0, 2.0, 1.0])), [])
    assert axis.key == "row"
    assert axis.of_row.tolist() == [0, 1, 2]


def test_an_axis_with_nan_is_not_trusted() -> None:
    logged = history(_step=column([0, 1, 2]), global_step=column([1, np.nan, 3]))
    assert step_axis(logged, ["global_step"]).key == "_step"


def test_an_empty_run_has_an_axis() -> None:
    axis = step_axis(history(), ["global_step"])
    assert (axis.first, axis.last, len(axis.of_row)) == (0.0, 0.0, 0)


def test_a_resumed_trainer_that_logs_step_0_first_goes_on() -> None:
    """The first row after a resume may hold step 0; the ones after it go on from the checkpoint."""
    steps = [*range(1, 101), 0, *range(81, 181)]
    one = run({"_step": column(range(201)), "step": column(steps), "x": column(np.arange(201.0))}, segments=(0, 100))
    axis = one.steps
    assert axis.distinct.tolist() == list(range(1, 181))
    assert axis.last == 180
    assert int(axis.current.sum()) == 181  # 80 rows before the checkpoint, the stray one, 100 after
    assert integrity.steps_backwards(axis, (0, 100)).value == 0
    assert len(np.unique(one.metric("x").steps)) == 180


def test_a_log_that_begins_with_a_resume_has_no_gap() -> None:
    axis = step_axis(history(_step=column(range(50)), step=column([0, *range(151, 200)])), ["step"])
    assert (axis.first, axis.last) == (151, 199)
    assert coverage.missing_steps(axis).value == 0


def test_updates_inside_a_rollout_share_its_step() -> None:
    """slime logs a rollout in three rows, and each of its updates in one more."""
    rows, updates = 11, 8
    rollouts = np.arange(40)
    one = run(
        {
            "_step": column(np.arange(40 * rows)),
            "rollout/step": column(
                np.repeat(rollouts, 3), np.concatenate([at * rows + np.arange(3) for at in rollouts])
            ),
            "rollout/raw_reward": column(rollouts / 40, rollouts * rows),
            "train/pg_loss": column(
                np.ones(40 * updates), [at * rows + 3 + u for at in rollouts for u in range(updates)]
            ),
        }
    )
    assert one.recognition.trainer.name == "slime"
    assert one.steps.key == "rollout/step"
    assert len(one.metric("loss")) == 40 * updates
    assert len(np.unique(one.metric("loss").steps)) == 40
    assert coverage.missing_steps(one.steps).value == 0
    assert integrity.repeated_steps(one.steps, one.every_point()).value == 0


def test_a_trainer_and_its_sampler_log_by_turns() -> None:
    """prime-rl's orchestrator is some steps ahead of its trainer, and logs in rows between the trainer's."""
    trained = np.arange(60)
    one = run(
        {
            "_step": column(range(120)),
            "step": column(np.column_stack([trained + 2, trained]).ravel()),
            "off_policy/max": column(np.ones(60), range(0, 120, 2)),
            "is_masked/mean": column(np.ones(60), range(1, 120, 2)),
        }
    )
    assert one.recognition.trainer.name == "prime-rl"
    assert one.steps.key == "step"
    assert integrity.steps_backwards(one.steps, (0,)).value == 0.5  # row by row
    assert integrity.steps_backwards(one.steps, (0,), one.rows_of_metrics).value == 0  # by each metric's own steps
    twice = [*range(30), *range(20, 50)]  # two writers of one metric
    both = run({"_step": column(range(60)), "step": column(twice), "off_policy/max": column(np.ones(60)),
                "is_masked/mean": column(np.ones(60))})  # fmt: skip
    assert integrity.steps_backwards(both.steps, (0,), both.rows_of_metrics).value == pytest.approx(1 / 60)


def test_a_counter_that_starts_at_0_keeps_it() -> None:
    assert step_axis(history(_step=column(range(50))), []).first == 0
    again = step_axis(history(_step=column(range(20)), step=column([*range(10), *range(10)])), ["step"])
    assert again.distinct.tolist() == list(range(10))
