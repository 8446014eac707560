"""Which trainer wrote a run: told by the names of its metrics."""

from __future__ import annotations

import fnmatch
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from trainhealth.thresholds import GENERIC, Trainer

EVIDENCE = 2
"""Fewest patterns of a profile that have to match: one name may be shared by chance."""


@dataclass(frozen=True, slots=True)
class Recognition:
    """The trainer of a run, and the keys of the run that tell it: none where it was chosen, or none fits."""

    trainer: Trainer
    evidence: tuple[str, ...] = ()
    chosen: bool = False

    def __str__(self) -> str:
        if self.chosen:
            return f"trainer {self.trainer.name}, as chosen"
        if self.evidence:
            return f"trainer {self.trainer.name}, recognised by {', '.join(self.evidence)}"
        return "trainer not recognised: judged by the names that trainers have in common"


def recognise(keys: Iterable[str], trainers: Mapping[str, Trainer], chosen: str | None = None) -> Recognition:
    """The trainer of which the most patterns match `keys`, all keys of a run; `chosen` overrides it by name.

    Of two that fit equally well neither is taken: names that mean one thing here and another there are not guessed.
    A profile for a kind of trainers counts where no other fits at all.
    """
    if chosen is not None:
        return Recognition(trainers.get(chosen, GENERIC), chosen=True)
    known = sorted(keys)
    for fallback in (False, True):
        of_kind = [trainer for trainer in trainers.values() if trainer.fallback is fallback]
        found = {trainer.name: _evidence(trainer.recognised_by, known) for trainer in of_kind}
        ranked = sorted(found, key=lambda name: len(found[name]), reverse=True)
        if not ranked or len(found[ranked[0]]) < EVIDENCE:
            continue
        if len(ranked) > 1 and len(found[ranked[0]]) == len(found[ranked[1]]):
            return Recognition(GENERIC)
        return Recognition(trainers[ranked[0]], found[ranked[0]])
    return Recognition(GENERIC)


def _evidence(patterns: Iterable[str], keys: list[str]) -> tuple[str, ...]:
    """The first key that each pattern matches; patterns that match none are left out."""
    matches = (next(iter(fnmatch.filter(keys, pattern)), None) for pattern in patterns)
    return tuple(key for key in matches if key is not None)
