"""Markdown that holds text from runs, logs and YAML: nothing in it can format, link, or end what it stands in."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence

from reports.text import plain

_FORMATTING = re.compile(r"([\\`*{}\[\]|~#!$@]|(?<![^\W_])_|_(?![^\W_])|(?<=:)/(?=/))")
"""An underscore inside a word, as in defensive_bot, is one; a slash after a colon would begin a link."""
_ENTITIES = {"&": "&amp;", "<": "&lt;", ">": "&gt;"}


def safe(text: object) -> str:
    """`text` on one line, to be read as it is."""
    shown = re.sub(r"[&<>]", lambda found: _ENTITIES[found[0]], plain(text))
    return _FORMATTING.sub(r"\\\1", shown)


def table(head: Sequence[str], rows: Iterable[Sequence[object]]) -> list[str]:
    """The lines of a table; `head` is our own, cells are anybody's."""
    return [
        f"| {' | '.join(head)} |",
        f"|{'---|' * len(head)}",
        *(f"| {' | '.join(map(safe, row))} |" for row in rows),
    ]
