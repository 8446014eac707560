"""Do the ratings say that the newest checkpoint is better than the agent that it is to replace?"""

from __future__ import annotations

from trainhealth.incumbent import Incumbent
from trainhealth.judge import Judge
from trainhealth.run import Run


def test_incumbent_gap(run: Run, incumbent: Incumbent, criterion: Judge) -> None:
    """Strength of the newest checkpoint above that of the incumbent (--incumbent), as the ratings tell both."""
    name = incumbent.in_ratings()  # first: that nobody knows it is told of a run without ratings as well
    criterion.judge(run.ratings.lead(name))
