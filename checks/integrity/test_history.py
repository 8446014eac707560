"""Is the record itself sound, before any metric in it is believed?"""

from __future__ import annotations

from trainhealth import coverage, integrity
from trainhealth.judge import Judge
from trainhealth.run import Run
from trainhealth.verdicts import NotApplicable


def test_history_complete(run: Run, criterion: Judge) -> None:
    """How much of what the run logged is here: complete, open, partial, restarted, incomplete or sampled."""
    criterion.judge(integrity.completeness(run.record))


def test_missing_steps(run: Run, criterion: Judge) -> None:
    """Share of steps missing between the first and the last, at the run's usual stride."""
    criterion.judge(coverage.missing_steps(run.steps))


def test_metric_coverage(run: Run, criterion: Judge) -> None:
    """The lowest share of due steps that have a value, of reward, KL, gradient norm, loss, entropy."""
    judged = run.logged("reward", "kl", "kl_max", "sequence_kl", "grad_norm", "loss", "entropy")
    others = run.logged("value_loss", "policy_kl", "clip_fraction")
    trainer = run.recognition.trainer
    ahead = coverage.AHEAD if trainer.several_rows else 0
    criterion.judge(coverage.coverage(run.steps, judged, others, episodic=trainer.episodic, ahead=ahead))


def test_repeated_steps(run: Run, criterion: Judge) -> None:
    """Share of steps that one metric came back to with another value."""
    criterion.judge(integrity.repeated_steps(run.steps, run.every_point()))


def test_rows_per_step(run: Run, criterion: Judge) -> None:
    """Median number of history rows that hold a metric, per training step."""
    trainer = run.recognition.trainer
    if trainer.several_rows:
        raise NotApplicable(f"{trainer.name} logs a training step in several rows")
    criterion.judge(integrity.rows_per_step(run.steps, run.metric_rows))


def test_steps_backwards(run: Run, criterion: Judge) -> None:
    """Share of rows at which the training step goes backwards within one session; by metric where several log."""
    rows_of = run.rows_of_metrics if run.recognition.trainer.several_rows else ()
    criterion.judge(integrity.steps_backwards(run.steps, run.record.history.segments, rows_of))


def test_uninstrumented_metrics(run: Run, criterion: Judge) -> None:
    """Number of metrics that hold the logger's default throughout."""
    criterion.judge(integrity.uninstrumented(run))


def test_vanished_metrics(run: Run, criterion: Judge) -> None:
    """Number of metrics that were logged regularly, and no longer when the run ended."""
    criterion.judge(integrity.vanished(run))


def test_concurrent_sessions(run: Run, criterion: Judge) -> None:
    """Number of sessions that began before an earlier one had ended."""
    criterion.judge(integrity.concurrent_sessions(run.record))
