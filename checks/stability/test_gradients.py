"""Do gradients stay in proportion?"""

from __future__ import annotations

from trainhealth.judge import Judge
from trainhealth.levels import growth
from trainhealth.run import Run
from trainhealth.spikes import GRADIENT_RUNAWAY_FLOOR, dead, gradient_spikes, runaway


def test_grad_norm_level(run: Run, criterion: Judge) -> None:
    """Median gradient norm over the tail window, beside its median over the run's first steps."""
    criterion.judge(growth(run.metric("grad_norm"), criterion.window))


def test_grad_norm_runaway(run: Run, criterion: Judge) -> None:
    """The highest gradient norm kept up for more than 5 points, as a multiple of the running median before it."""
    criterion.judge(runaway(run.metric("grad_norm").window(criterion.window), GRADIENT_RUNAWAY_FLOOR))


def test_grad_norm_zero(run: Run, criterion: Judge) -> None:
    """Share of steps whose gradient norm is exactly 0; of the run's last 50 where it is more of them."""
    criterion.judge(dead(run.metric("grad_norm").window(criterion.window)))


def test_grad_norm_spikes(run: Run, criterion: Judge) -> None:
    """Share of raw steps beyond 8 robust standard deviations of, and 3 times, the running median."""
    criterion.judge(gradient_spikes(run.metric("grad_norm").window(criterion.window)))


def test_grad_norm_peak(run: Run, criterion: Judge) -> None:
    """The largest gradient norm of any raw step."""
    criterion.judge(run.metric("grad_norm").window(criterion.window).max())
