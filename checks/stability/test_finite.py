"""Was every number a number?"""

from __future__ import annotations

from trainhealth.finite import non_finite
from trainhealth.judge import Judge
from trainhealth.run import Run


def test_non_finite_values(run: Run, criterion: Judge) -> None:
    """NaN and infinite points of losses, gradients, KL, entropy, rewards, and of every other key about training.

    Which these are, and where a NaN is usual, stands under `finite` in thresholds.yaml.
    """
    criterion.judge(non_finite(run))
