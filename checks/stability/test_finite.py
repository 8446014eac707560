"""Was every number a number?"""

from __future__ import annotations

from trainhealth.integrity import non_finite
from trainhealth.judge import Judge
from trainhealth.run import Run


def test_non_finite_values(run: Run, criterion: Judge) -> None:
    """NaN and infinite points of loss, gradient norm, KL, entropy and reward, over all raw steps."""
    criterion.judge(non_finite(run.logged("loss", "grad_norm", "kl", "kl_max", "entropy", "reward")))
