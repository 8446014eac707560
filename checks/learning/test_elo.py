"""Is the model learning? Ratings of agents that never change, and of checkpoints in the order they were saved."""

from __future__ import annotations

from trainhealth.checkpoint import CheckpointRun
from trainhealth.judge import Judge
from trainhealth.run import Run
from trainhealth.verdicts import NotApplicable


def test_diagnosis(run: Run, criterion: Judge) -> None:
    """What the ratings say altogether: learning, slow, plateau, regression, instability … (docs/learning.md)."""
    criterion.judge(run.ratings.diagnosis())


def test_elo_gap(run: Run, criterion: Judge) -> None:
    """Strength of the best checkpoint above the base model's; the full Elo analysis stands in its table."""
    criterion.judge(run.ratings.gap())


def test_expected_gain(run: Run, criterion: Judge) -> None:
    """Strength of the newest checkpoint above the base model's, against the least that is usual for its steps."""
    criterion.judge(run.ratings.gain())


def test_checkpoint_rating(run: Run, criterion: Judge) -> None:
    """Mean rating of the checkpoint of --checkpoint above the base model's in its evaluations, beside its strength."""
    if not isinstance(run, CheckpointRun):
        raise NotApplicable("no checkpoint was named (--checkpoint NAME)")
    criterion.judge(run.ratings.rating_above_base())


def test_elo_gap_trend(run: Run, criterion: Judge) -> None:
    """What the second half of the training added to the gap between checkpoint and base model."""
    ratings = run.ratings
    criterion.judge(ratings.estimated(ratings.recent(), [ratings.base(), *ratings.checkpoints()]))


def test_older_checkpoints(run: Run, criterion: Judge) -> None:
    """Strength of the newer half of the checkpoints over the older half's; both alike is a plateau."""
    ratings = run.ratings
    trends = [f"{checkpoint.name} {checkpoint.trend}" for checkpoint in ratings.checkpoints()]
    criterion.judge(ratings.estimated(ratings.newer_over_older(), ratings.checkpoints(), ", ".join(trends)))


def test_newest_checkpoint(run: Run, criterion: Judge) -> None:
    """Strength of the best version before the newest checkpoint over that, which should be the best."""
    ratings = run.ratings
    checkpoints = ratings.checkpoints()
    newest = checkpoints[-1]
    shown = [ratings.base(), *checkpoints]
    criterion.judge(ratings.estimated(ratings.fall(), shown, f"{newest.name}: peak {newest.peak:.1f}"))


def test_base_model_elo(run: Run, criterion: Judge) -> None:
    """Change of the base model's Elo, from the first third of its ratings to the last; it should fall."""
    base = run.ratings.in_training.base()
    criterion.judge(run.ratings.shifted(base.shift, [base], f"{base.initial:.1f} -> {base.final:.1f}"))


def test_baseline_elo(run: Run, criterion: Judge) -> None:
    """Change of Elo, first third to last, of the scripted bot that did best; all bots stand in the table."""
    bots = run.ratings.in_training.references()
    worst = max(bots, key=lambda bot: bot.shift)
    criterion.judge(run.ratings.shifted(worst.shift, bots, f"{worst.name} did best", of=len(bots)))


def test_baselines_exploited(run: Run, criterion: Judge) -> None:
    """Elo that the scripted bots lost together, first third to last; the detail has their first and last ratings."""
    bots = run.ratings.in_training.references()
    lost = -sum(bot.shift for bot in bots)
    exploited = [f"{bot.name} {bot.change:+.0f}" for bot in sorted(bots, key=lambda bot: bot.change)]
    criterion.judge(run.ratings.shifted(lost, bots, ", ".join(exploited)))
