"""What do games between agents say of the newest checkpoint?"""

from __future__ import annotations

from trainhealth.games import Games
from trainhealth.incumbent import Incumbent
from trainhealth.judge import Judge


def test_games_gap(games: Games, criterion: Judge) -> None:
    """Elo of the newest checkpoint above the base model's, fitted from all games."""
    criterion.judge(games.gap())


def test_games_incumbent(incumbent: Incumbent, games: Games, criterion: Judge) -> None:
    """Whether the newest checkpoint is better than the incumbent, by a sequential test over the games they met in."""
    incumbent.in_games()
    criterion.judge(games.against_incumbent())


def test_games_references(games: Games, criterion: Judge) -> None:
    """Least change, over the fixed references, of Elo against a reference since the incumbent or checkpoint before."""
    criterion.judge(games.against_references())
