"""Does the critic keep up with what it estimates?"""

from __future__ import annotations

import numpy as np

from trainhealth.judge import Judge
from trainhealth.run import Run
from trainhealth.spikes import VALUE_LOSS_FLOOR, explosion, subsided


def test_value_loss_runaway(run: Run, criterion: Judge) -> None:
    """The highest value loss kept up for more than 5 points, as a multiple of its start, or of the reward's range
    squared where that is more: so much a critic may be wrong that learns from its first rewards.

    Where it came down again before the run's end it warns at most.
    """
    series = run.metric("value_loss").window(criterion.window)
    spans = [float(np.ptp(reward.finite)) ** 2 for reward in run.logged("reward") if len(reward.finite)]
    widest = max(spans, default=0.0)
    floor, named = max((widest, "the square of the reward's range"), (VALUE_LOSS_FLOOR, "the least that counts"))
    measured = explosion(series, floor, named)
    criterion.judge(measured, lenient=subsided(series, measured))
