"""Text in Markdown, read by an independent renderer, is the text."""

from __future__ import annotations

import html
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st
from markdown_it import MarkdownIt

from reports.markdown import safe, table
from reports.text import plain

GITHUB = MarkdownIt("gfm-like")


def _read(markdown: str) -> str:
    """The text a reader sees, in a document that must be one paragraph of plain text."""
    rendered = GITHUB.render(f"x {markdown} x")
    found = re.fullmatch(r"<p>x (.*) x</p>\n", rendered, re.DOTALL)
    assert found, rendered
    assert "<" not in found[1], rendered
    return html.unescape(found[1])


@pytest.mark.parametrize(
    "text",
    [
        "defensive_bot -180, _emphasis_, __strong__, *a*, **b**, ~~c~~, `d`",
        "[link](https://evil.example) ![image](x) <https://x.y> <script>alert(1)</script> &amp; &#60;",
        r"back\slash \* | pipe \| $x$ @someone #12 http://evil.example",
        "--> <!-- comment --> ]]> {{ x }} ${{ secrets.TOKEN }}",
    ],
)
def test_nothing_formats(text: str) -> None:
    assert _read(safe(text)) == plain(text)


@given(st.text(st.sampled_from("ab_*`~[]()<>&|\\!#$@:/. 1-\n\t\u202e")))
def test_nothing_formats_whatever_it_is(text: str) -> None:
    shown = plain(text)
    assert " ".join(_read(safe(text)).split()) == " ".join(shown.split())


def test_a_cell_cannot_end_its_row() -> None:
    lines = table(("a", "b"), [("x | y", "first\nsecond"), ("|", "\\")])
    rendered = GITHUB.render("\n".join(lines))
    assert rendered.count("<tr>") == 3
    assert "<td>x | y</td>\n<td>first second</td>" in rendered
    assert "<td>|</td>\n<td>\\</td>" in rendered
