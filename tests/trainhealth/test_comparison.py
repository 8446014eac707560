"""One measurement beside another, and runs cut at a step."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
from bench import checks, judgements
from synthetic import ROOT, column, run

from trainhealth.comparison import compare
from trainhealth.history import Column
from trainhealth.integrity import STATES
from trainhealth.measurement import Measurement
from trainhealth.run import Run
from trainhealth.thresholds import load
from trainhealth.verdicts import Change

CRITERIA = load(ROOT / "thresholds.yaml").criteria


def change(id_: str, new: float | str, old: float | str, **measured: Any) -> Change:
    interval = measured.pop("intervals", (None, None))
    pair = [Measurement(value, interval=one, **measured) for value, one in zip((new, old), interval, strict=True)]
    return compare(CRITERIA[id_], "old", "whole runs", *pair).change


@pytest.mark.parametrize(
    ("id_", "new", "old", "expected"),
    [
        ("stability.kl_level", 0.12, 0.03, "worse"),  # its limits are above
        ("stability.kl_level", 0.03, 0.12, "better"),
        ("stability.kl_level", 0.001, 0.06, "alike"),  # both inside: a guard has no better side
        ("stability.kl_level", 0.06, 0.001, "alike"),
        ("stability.kl_level", 0.13, 0.17, "better"),  # both beyond
        ("learning.elo_gap", 30, 60, "worse"),  # its limits are below
        ("learning.elo_gap", 60, 30, "better"),
        ("learning.elo_gap", 60, 55, "alike"),  # 5 of 60 is less than a tenth
        ("learning.elo_gap", 60, 53.9, "better"),
        ("learning.elo_gap", 0, 0, "alike"),
        ("stability.kl_alive", 0.04, 390_000, "alike"),  # warn "< 0.0001": both are far above
        ("stability.kl_alive", 0.00009, 0.04, "worse"),
        ("stability.kl_alive", 0.0009, 0.04, "alike"),
        ("stability.kl_spikes", 1, 0, "worse"),
        ("stability.kl_level", math.nan, 0.03, "unclear"),
        ("stability.kl_level", 0.03, math.inf, "unclear"),
    ],
)
def test_the_direction_of_limits_says_what_is_worse(id_: str, new: float, old: float, expected: str) -> None:
    assert change(id_, new, old) == expected


def measured(value: float, reference: float, **fields: Any) -> Measurement:
    return Measurement(value, reference=reference, **fields)


@pytest.mark.parametrize(
    ("id_", "new", "old", "expected", "difference"),
    [
        # fail "> 100x", warn "> 10x": 30 is 15x of 2, 40 is 4x of 10; by itself it would be the smaller one
        ("stability.grad_norm_runaway", (30, 2), (40, 10), "worse", "+11x"),
        ("stability.grad_norm_runaway", (40, 10), (30, 2), "better", "-11x"),
        ("stability.grad_norm_runaway", (5.1, 1), (4.5, 1), "alike", "+0.6x"),  # a tenth of the limit is 1x
        ("stability.grad_norm_runaway", (12.6, 1), (10.9, 1), "worse", "+1.7x"),
        ("stability.grad_norm_runaway", (9, 1), (1, 1), "alike", "+8x"),  # both inside
        # a collapse is no calm, and narrows the spread of the reward
        ("stability.entropy_rise", (0.001, 1), (0.65, 1), "alike", "-0.649x"),
        ("learning.reward_spread", (0.1, 1), (1, 1), "alike", "-0.9x"),
        ("stability.grad_norm_runaway", (10.2, 1), (9.8, 1), "worse", "+0.4x"),  # over the limit of 10x
        # warn "< -20%", fail "< -30%": 90 of 100 is -10 %, 110 of 100 +10 %
        ("learning.early_reward_drop", (90, 100), (110, 100), "worse", "-20%"),
        ("learning.early_reward_drop", (900, 1000), (90, 100), "alike", "0%"),
        ("learning.early_reward_drop", (-110, -100), (-90, -100), "worse", "-20%"),
    ],
)
def test_values_are_compared_as_the_limits_see_them(
    id_: str, new: tuple[float, float], old: tuple[float, float], expected: str, difference: str
) -> None:
    found = compare(CRITERIA[id_], "old", "whole runs", measured(*new), measured(*old))
    assert (found.change, found.difference_text) == (expected, difference)


def test_multiples_are_shown_beside_the_value() -> None:
    """[1, 3] of a reference of 2 reaches 0.5x to either side."""
    pair = measured(2, 2, unit="nats", interval=(1, 3)), measured(20, 10, unit="nats")
    found = compare(CRITERIA["stability.grad_norm_runaway"], "old", "whole runs", *pair)
    assert (found.value, found.baseline_value) == ("2 nats = 1x", "20 nats = 2x")
    assert (found.difference_text, found.interval) == ("-1.00x [-1.50 … -0.50]", (-1.5, -0.5))
    alone = compare(CRITERIA["integrity.completion"], "old", "whole runs",
                    Measurement(0.96, unit="fraction"), Measurement(1.0, unit="fraction"))  # fmt: skip
    assert (alone.value, alone.difference_text, alone.change) == ("96%", "-4%", "alike")
    assert change("integrity.completion", 0.94, 1.0, unit="fraction") == "worse"  # the limit is 95 %


def test_with_intervals_both_errors_count() -> None:
    """Half widths 30 and 40 make 50."""
    pair = [
        Measurement(value, unit="Elo", interval=(value - half, value + half)) for value, half in ((10, 30), (61, 40))
    ]
    found = compare(CRITERIA["learning.elo_gap"], "old", "up to step 9", *pair)
    assert (found.difference, found.interval, found.change) == (-51, (-101, -1), "worse")
    assert found.difference_text == "-51 Elo [-101 … -1]"
    assert (found.value, found.baseline_value) == ("10 Elo", "61 Elo")
    assert change("learning.elo_gap", 10, 59, intervals=((-20, 40), (19, 99))) == "unclear"
    assert change("learning.elo_gap", 10, 61, intervals=((-20, 40), None)) == "worse"


def test_states_are_as_bad_as_their_verdicts() -> None:
    states = {"vocabulary": STATES}
    assert change("integrity.run_state", "crashed", "finished", **states) == "worse"
    assert change("integrity.run_state", "running", "crashed", **states) == "better"
    assert change("integrity.run_state", "crashed", "failed", **states) == "alike"
    assert change("integrity.run_state", "finished", "finished", **states) == "alike"


def test_nothing_is_better_with_points_that_are_no_numbers() -> None:
    assert change("stability.kl_level", 0.01, 0.06, non_finite=1) == "unclear"
    assert change("stability.kl_level", 0.06, 0.01, non_finite=1) == "worse"


# Runs cut at a step --------------------------------------------------------------------------------------------------


def columns(steps: int) -> dict[str, Column]:
    """Two rows a step, the second with ratings of every tenth step; a NaN in the loss at step 150."""
    at = np.arange(2 * steps)
    loss = 0.1 * np.sin(at[::2] / 7)
    loss[150:151] = math.nan
    rated = at[1::20]
    return {
        "_step": column(at),
        "benchmark/step": column(at[::2] / 2, at[::2]),
        "kl/mean": column(0.02 + 0.001 * np.sin(at[::2] / 5), at[::2]),
        "benchmark/loss": column(loss, at[::2]),
        "benchmark/reward_mean": column(10 + at[::2] / 100 + np.sin(at[::2] / 3), at[::2]),
        "elo/base_model": column(1000 - rated / 4.0, rated),
        "elo/adapter_v0": column(1000 + rated / 5.0, rated),
        "elo/adapter_v50": column(1010 + rated / 4.0, rated),
    }


def test_a_run_that_is_cut_is_the_run_that_ended_there() -> None:
    """All that the checks measure of it, but for what its record says of its end."""
    long, short = run(columns(200), state="finished"), run(columns(100), state="finished")
    cut = long.until(99)
    ids = [id_ for id_ in checks() if not id_.startswith("integrity.")]
    assert [one.model_dump() for one in judgements(cut, *ids)] == [one.model_dump() for one in judgements(short, *ids)]
    assert cut.record.history.length == short.record.history.length
    assert (cut.steps.last, long.steps.last) == (99, 199)
    assert not cut.record.history.non_finite
    assert long.until(150).record.history.non_finite == {"benchmark/loss": (1, 300)}
    assert long.until(199) is long


def test_a_cut_keeps_the_sessions_of_a_run_that_went_back() -> None:
    """Steps 0 to 9, then again 6 to 14: at 8, rows 0 to 8 and 10 to 12."""
    at = [*range(10), *range(6, 15)]
    resumed = run({"_step": column(range(19)), "benchmark/step": column(at), "kl/mean": column(range(19))},
                  segments=(0, 10))  # fmt: skip
    cut: Run = resumed.until(8)
    assert cut.record.history.segments == (0, 9)
    assert list(cut.metric("kl").values) == [0, 1, 2, 3, 4, 5, 10, 11, 12]
    assert resumed.until(-1).record.history.length == 0
