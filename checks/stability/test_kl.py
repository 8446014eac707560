"""Does the policy stay near the reference?"""

from __future__ import annotations

from trainhealth.ending import rise_at_the_end
from trainhealth.judge import Judge
from trainhealth.levels import either_kl, kl_level, reference_kl
from trainhealth.run import Run
from trainhealth.spikes import KL_RUNAWAY_FLOOR, SEQUENCE_KL_RUNAWAY_FLOOR, kl_spikes, runaway, zeros


def test_kl_level(run: Run, criterion: Judge) -> None:
    """Median KL to the reference policy over the tail window, whatever its sign: a KL far below 0 is a fault."""
    criterion.judge(kl_level(reference_kl(run).window(criterion.window)))


def test_sequence_kl(run: Run, criterion: Judge) -> None:
    """Median KL to the reference policy, summed over the tokens of a completion, over the tail window."""
    criterion.judge(kl_level(run.metric("sequence_kl").window(criterion.window)))


def test_kl_spikes(run: Run, criterion: Judge) -> None:
    """Raw steps at which KL, or the largest KL of a batch, exceeds max(0.2, 10 x its running median)."""
    series = [reference_kl(run), *run.logged("kl_max")]
    criterion.judge(kl_spikes(*(one.window(criterion.window) for one in series)))


def test_kl_rise_at_the_end(run: Run, criterion: Judge) -> None:
    """Rise of the KL into the run's last points, beside the steepest that the run recovered from."""
    criterion.judge(rise_at_the_end(either_kl(run).window(criterion.window)))


def test_kl_zero(run: Run, criterion: Judge) -> None:
    """Share of steps whose KL is exactly 0."""
    criterion.judge(zeros(either_kl(run).window(criterion.window)))


def test_kl_runaway(run: Run, criterion: Judge) -> None:
    """The highest KL kept up for more than 5 points, as a multiple of the running median before it."""
    series = either_kl(run)
    floor = SEQUENCE_KL_RUNAWAY_FLOOR if series.name == "sequence_kl" else KL_RUNAWAY_FLOOR
    criterion.judge(runaway(series.window(criterion.window), floor))


def test_kl_alive(run: Run, criterion: Judge) -> None:
    """The largest KL of any step: one that never leaves 0 does not measure what it should, or nothing is learned."""
    criterion.judge(either_kl(run).window(criterion.window).magnitude().max())
