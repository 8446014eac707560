"""Pieces of HTML that the page is made of; whatever comes from a run, from YAML or from a log is escaped here."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from html import escape
from typing import Any

from reports.text import plain
from trainhealth.measurement import figure
from trainhealth.verdicts import Judgement, Verdict

TABLE_ROWS = 100

_ADDRESS = re.compile(r"https?://[\w.:-]+(?:/[\w./~%+=@:-]*)?", re.ASCII)
"""What no escaping can change, and no attribute can end; queries and fragments are left out."""


def safe(text: object) -> str:
    return escape(plain(text))


def criterion(judgement: Judgement) -> str:
    """The criterion, which may be broken after dots and underscores, not within words."""
    return breakable(judgement.criterion)


def breakable(names: str) -> str:
    """Names that may be broken after dots and underscores."""
    return re.sub("(?<=[._])", "<wbr>", safe(names))


def badge(verdict: Verdict, rank: str = "") -> str:
    # The rank comes first: pytest-html sorts rows by the HTML of the cell.
    ranked = f' data-rank="{safe(rank)}"' if rank else ""
    return f'<b{ranked} class="verdict {verdict.lower()}">{verdict.replace("_", " ")}</b>'


def linked(text: str) -> str:
    """`text`, with every address of the web in it as a link that tells the place linked to nothing."""
    return _ADDRESS.sub(r'<a href="\g<0>" rel="noopener noreferrer">\g<0></a>', safe(text))


def listed(items: Iterable[str]) -> str:
    joined = "".join(items)
    return f"<ul>{joined}</ul>" if joined else ""


def folded(summary: str, content: str, *, kind: str = "", opened: bool = False) -> str:
    """`content` behind a line to click on; nothing where there is none."""
    if not content:
        return ""
    named = f' class="{kind}"' if kind else ""
    return f"<details{named}{' open' if opened else ''}><summary>{summary}</summary>{content}</details>"


def table(rows: Sequence[dict[str, Any]], most: int = TABLE_ROWS) -> str:
    """Rows of values under the names of all their columns."""
    if not rows:
        return ""
    columns = dict.fromkeys(column for row in rows for column in row)
    lines = ([_cell(row.get(column)) for column in columns] for row in rows[:most])
    more = f"<p>{len(rows) - most} more rows are in verdict.json.</p>" if len(rows) > most else ""
    return f'<div class="evidence">{_table(columns, lines)}</div>{more}'


def text_table(heads: Sequence[str], lines: Sequence[Sequence[str]]) -> str:
    """Lines of text, a run or the like in the first column."""
    if not lines:
        return ""
    return f'<div class="evidence runs">{_table(heads, ([safe(text) for text in line] for line in lines))}</div>'


def cells_table(heads: Sequence[str], lines: Iterable[Sequence[str]]) -> str:
    """Lines of HTML."""
    return f'<div class="evidence">{_table(heads, lines)}</div>'


def _table(heads: Iterable[str], lines: Iterable[Sequence[str]]) -> str:
    head = "".join(f'<th scope="col">{safe(text)}</th>' for text in heads)
    body = "".join(f"<tr>{''.join(f'<td>{cell}</td>' for cell in line)}</tr>" for line in lines)
    return f"<table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>"


def _cell(value: object) -> str:
    if value is None:
        return ""
    return figure(value) if isinstance(value, float) else safe(value)
