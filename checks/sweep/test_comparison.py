"""Runs side by side: is there a winner, and can the comparison be trusted?"""

from __future__ import annotations

from trainhealth.judge import Judge
from trainhealth.sweeps import Sweep, completeness, lead, stability


def test_clear_winner(sweep: Sweep, criterion: Judge) -> None:
    """Elo by which the best gap (best checkpoint above base_model) leads the next one, at equal steps."""
    criterion.judge(lead(sweep))


def test_stable_runs(sweep: Sweep, criterion: Judge) -> None:
    """Number of runs whose KL ever exceeded 10."""
    criterion.judge(stability(sweep))


def test_complete_runs(sweep: Sweep, criterion: Judge) -> None:
    """Share of runs that did not break off and came far enough to be compared."""
    criterion.judge(completeness(sweep))
