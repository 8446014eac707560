"""Which key of a run may be the metric that was looked for: by the words in its name, then by its spelling."""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterable, Mapping

WORDS: Mapping[str, tuple[str, ...]] = {
    "reward": ("reward|rew|return|score",),
    "kl": ("kl|divergence",),
    "kl_max": ("kl|divergence", "max"),
    "grad_norm": ("grad|gradient", "norm"),
    "reward_std": ("reward|rew|return|score", "std"),
    "policy_kl": ("kl|divergence",),
    "sequence_kl": ("kl|divergence", "objective|sequence"),
    "clip_fraction": ("clip|clipped",),
    "completion_length": ("length|len", "completion|response|sequence|generation|output"),
    "truncation": ("truncated|truncation|clipped",),
}
"""Canonical metric -> words that a key must all have, with their alternatives; of the others, those of its own name."""

SPELLING = 0.85
"""How alike a key must be that shares no words: a slip of the pen."""

MOST = 3
"""Keys that a message names."""


def similar(name: str, looked_for: Iterable[str], logged: Mapping[str, int]) -> list[str]:
    """Keys among `logged` (key -> points) that may be the metric `name`, those with most points first; none is better
    than one that is something else."""
    needed = [set(words.split("|")) for words in WORDS.get(name, tuple(name.split("_")))]
    found = [key for key in logged if all(words & _words(key) for words in needed)]
    if not found:
        near = (difflib.get_close_matches(key, logged, n=2, cutoff=SPELLING) for key in looked_for)
        return list(dict.fromkeys(key for keys in near for key in keys))[:MOST]
    return sorted(found, key=lambda key: (-logged[key], len(key), key))[:MOST]


def _words(key: str) -> set[str]:
    """The words of a key in lower case, each also without its plural and without what is written in front of it."""
    words = {word.lower() for word in re.findall(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+", key)}
    words |= {word.removesuffix("s") for word in words}
    return words | {word.removeprefix(front) for word in words for front in ("approx", "ep", "avg", "mean")}
