"""Is the model learning? Ratings of agents that never change, and of checkpoints in the order they were saved."""

from __future__ import annotations

import numpy as np

from trainhealth.judge import Judge
from trainhealth.run import Run


def test_base_model_elo(run: Run, criterion: Judge) -> None:
    """Change of the base model's Elo, from the median of its first ratings to that of its last; it should fall."""
    base = run.ratings.base()
    criterion.judge(run.ratings.measurement(base.shift, [base], f"{base.initial:.1f} -> {base.final:.1f}"))


def test_baseline_elo(run: Run, criterion: Judge) -> None:
    """Change of the scripted bot that did best, in Elo since its first rating; all bots stand in the table."""
    bots = run.ratings.references()
    worst = max(bots, key=lambda bot: bot.shift)
    criterion.judge(run.ratings.measurement(worst.shift, bots, f"{worst.name} did best"))


def test_baselines_exploited(run: Run, criterion: Judge) -> None:
    """Elo that the scripted bots lost together since their first ratings."""
    bots = run.ratings.references()
    lost = -sum(bot.shift for bot in bots)
    exploited = [f"{bot.name} {bot.shift:+.0f}" for bot in sorted(bots, key=lambda bot: bot.shift)]
    criterion.judge(run.ratings.measurement(lost, bots, ", ".join(exploited)))


def test_elo_gap(run: Run, criterion: Judge) -> None:
    """Final Elo of the best checkpoint above the base model's."""
    base, checkpoints = run.ratings.base(), run.ratings.checkpoints()
    best = max(checkpoints, key=lambda checkpoint: checkpoint.standing)
    lead = best.standing - base.standing
    criterion.judge(run.ratings.measurement(lead, [base, *checkpoints], f"best checkpoint: {best.name}"))


def test_elo_gap_trend(run: Run, criterion: Judge) -> None:
    """Change of the gap between the best checkpoint and the base model since both were first rated, in Elo."""
    gap = run.ratings.gap()
    criterion.judge(gap.window(criterion.window).statistic("change"))


def test_older_checkpoints(run: Run, criterion: Judge) -> None:
    """Mean Elo that the older checkpoints lie below their peaks, less what the newest lies below its own.

    Older ones fall as newer ones beat them: both alike is a plateau, the newest falling further a regression.
    """
    older, newest = run.ratings.older_checkpoints(), run.ratings.newest_checkpoint()
    behind = float(np.mean([checkpoint.drop for checkpoint in older])) - newest.drop
    trends = [f"{checkpoint.name} {checkpoint.trend}" for checkpoint in (*older, newest)]
    criterion.judge(run.ratings.measurement(behind, [*older, newest], ", ".join(trends)))


def test_newest_checkpoint(run: Run, criterion: Judge) -> None:
    """Elo that the newest checkpoint lies below its own peak; it should hold it."""
    newest = run.ratings.newest_checkpoint()
    criterion.judge(run.ratings.measurement(newest.drop, [newest], f"{newest.name}: peak {newest.peak:.1f}"))
