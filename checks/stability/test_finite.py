"""Was every number a number?"""

from __future__ import annotations

from trainhealth import integrity
from trainhealth.judge import Judge
from trainhealth.run import Run


def test_non_finite_values(run: Run, criterion: Judge) -> None:
    """NaN and infinite points of losses, gradient norm, KL, entropy, reward and its parts, and of the step counter."""
    judged = ("loss", "value_loss", "grad_norm", "kl", "kl_max", "entropy", "reward", "reward_parts")
    criterion.judge(integrity.non_finite(run, *judged, "step"))
