"""How did the run end?"""

from __future__ import annotations

import time

from trainhealth import integrity
from trainhealth.judge import Judge
from trainhealth.run import Run


def test_run_state(run: Run, criterion: Judge) -> None:
    """The state of the run, as W&B spells it."""
    run.require_end()
    criterion.judge(integrity.state(run.record))


def test_completion(run: Run, criterion: Judge) -> None:
    """Last training step as a fraction of the number of steps in the run's config."""
    run.require_end()
    criterion.judge(integrity.completion(run.steps, run.configured("total_steps"), run.record.state))


def test_heartbeat(run: Run, criterion: Judge) -> None:
    """Seconds since the last sign of life of a run that is going on, beside its usual step time."""
    run.require_end()
    criterion.judge(integrity.heartbeat(run, time.time()))
