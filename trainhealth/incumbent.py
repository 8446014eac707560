"""The incumbent: the agent that a candidate is to replace, and who can say how strong it is."""

from __future__ import annotations

import difflib
from collections.abc import Collection
from dataclasses import dataclass

from trainhealth.ratings import agent_called, meant
from trainhealth.verdicts import Inconclusive, NotApplicable

BY_RATINGS = "learning.incumbent_gap"
BY_GAMES = "learning.games_incumbent"
"""The criteria that judge a candidate against the incumbent."""

_LISTED = 30
"""Agents that a message names."""


@dataclass(frozen=True, slots=True)
class Incumbent:
    """An agent, and whether the ratings and the games that are judged know it; it is judged by those that do.

    `name` is empty where none was named. `unknown` says why neither can judge it; empty where one can.
    """

    name: str = ""
    rated: bool = False
    played: bool = False
    unknown: str = ""

    def in_ratings(self) -> str:
        """Its name. Raises NotApplicable where none was named or only games know it, Inconclusive where none do."""
        return self._known(self.rated, f"{self.name} is not rated: the games judge it ({BY_GAMES})")

    def in_games(self) -> str:
        """Its name. Raises NotApplicable where none was named or only ratings know it, Inconclusive where none do."""
        return self._known(self.played, f"{self.name} is in no game: its ratings judge it ({BY_RATINGS})")

    def _known(self, here: bool, elsewhere: str) -> str:
        if not self.name:
            raise NotApplicable("no incumbent was named (--incumbent AGENT)")
        if self.unknown:
            raise Inconclusive(self.unknown)
        if not here:
            raise NotApplicable(elsewhere)
        return self.name


def find_incumbent(given: str, rated: Collection[str], played: Collection[str], without_games: str = "") -> Incumbent:
    """The agent that `given` means among those that are rated or played: by its name, or the end of that.

    `without_games` says why no game is known.
    """
    agents = sorted({*rated, *played})
    found = meant(given, agents)
    if len(found) == 1:
        (name,) = found
        return Incumbent(name, name in rated, name in played)
    if found:
        return Incumbent(agent_called(given), unknown=f"the incumbent {given} may be any of these: {_list(found)}")
    near = difflib.get_close_matches(agent_called(given), agents, n=1)
    hint = f"; did you mean '{near[0]}'?" if near else ""
    why = f" ({without_games})" if without_games else ""
    return Incumbent(
        agent_called(given),
        unknown=f"the incumbent {given} is neither rated nor in a game{hint}; "
        f"rated: {_list(sorted(rated))}; in games: {_list(sorted(played))}{why}",
    )


def _list(agents: Collection[str]) -> str:
    more = f" and {len(agents) - _LISTED} more" if len(agents) > _LISTED else ""
    return f"{', '.join(list(agents)[-_LISTED:]) or 'none'}{more}"
