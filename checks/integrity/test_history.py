"""Is the record itself sound, before any metric in it is believed?"""

from __future__ import annotations

from trainhealth import integrity
from trainhealth.judge import Judge
from trainhealth.run import Run


def test_history_complete(run: Run, criterion: Judge) -> None:
    """Whether every row that the run logged is here."""
    criterion.judge(integrity.completeness(run.record))


def test_missing_steps(run: Run, criterion: Judge) -> None:
    """Share of steps missing between the first and the last, at the run's usual stride."""
    criterion.judge(integrity.missing_steps(run.steps))


def test_repeated_steps(run: Run, criterion: Judge) -> None:
    """Share of steps at which one metric was logged twice with different values."""
    criterion.judge(integrity.repeated_steps(run.steps, run.logged(*run.thresholds.metrics)))


def test_rows_per_step(run: Run, criterion: Judge) -> None:
    """Median number of history rows per training step."""
    criterion.judge(integrity.rows_per_step(run.steps))


def test_steps_backwards(run: Run, criterion: Judge) -> None:
    """How often the training step goes backwards within one process."""
    criterion.judge(integrity.steps_backwards(run.steps, run.record.history.segments))


def test_uninstrumented_metrics(run: Run, criterion: Judge) -> None:
    """Number of metrics that hold the logger's default throughout."""
    criterion.judge(integrity.uninstrumented(run))
