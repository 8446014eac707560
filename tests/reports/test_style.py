"""Colours of the page that can be read, by the contrast of WCAG 2 (relative luminance), in both modes."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

CSS = (Path(__file__).resolve().parents[2] / "reports" / "report.css").read_text(encoding="utf-8")
VERDICTS = ("pass", "warn", "fail", "inconclusive", "error", "waived", "not_applicable")
GROUNDS = ("page", "card")


def colours(mode: str) -> dict[str, str]:
    """Name -> #rrggbb, of the first block of variables or of the one for dark screens."""
    light, dark = (
        dict(re.findall(r"--(\w+): (#[0-9a-f]{6})", block)) for block in re.findall(r":root \{(.*?)\}", CSS, re.S)
    )
    return light if mode == "light" else {**light, **dark}


def contrast(one: str, other: str) -> float:
    bright, dim = sorted((_luminance(one), _luminance(other)), reverse=True)
    return (bright + 0.05) / (dim + 0.05)


def _luminance(colour: str) -> float:
    parts = [int(colour[at : at + 2], 16) / 255 for at in (1, 3, 5)]
    linear = [part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def test_contrast_of_known_pairs() -> None:
    assert contrast("#000000", "#ffffff") == pytest.approx(21)
    assert contrast("#ffffff", "#767676") == pytest.approx(4.54, abs=0.01)  # the lightest grey that passes


@pytest.mark.parametrize("mode", ["light", "dark"])
def test_text_can_be_read(mode: str) -> None:
    found = colours(mode)
    pairs = [(text, ground) for text in ("ink", "soft", *VERDICTS) for ground in GROUNDS]
    pairs += [("on", verdict) for verdict in VERDICTS]
    weak = {pair: contrast(*(found[name] for name in pair)) for pair in pairs}
    assert {pair: ratio for pair, ratio in weak.items() if ratio < 4.5} == {}


@pytest.mark.parametrize("mode", ["light", "dark"])
def test_lines_can_be_told_from_the_page(mode: str) -> None:
    found = colours(mode)
    assert all(contrast(found[f"c{number}"], found["page"]) >= 3 for number in range(6))
