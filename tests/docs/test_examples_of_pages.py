"""What the pages show can be used: thresholds files load, and name only what there is."""

from __future__ import annotations

import re
import textwrap
from collections.abc import Iterator
from datetime import date
from pathlib import Path

import pytest
from synthetic import ROOT

from fixtures.options import CHECKS, check_ids
from trainhealth.thresholds import Thresholds, load
from trainhealth.thresholds.form import Sections

PAGES = sorted([ROOT / "README.md", *(ROOT / "docs").glob("*.md")])
DEFAULT = ROOT / "thresholds.yaml"
TODAY = date(2026, 1, 1)
"""A day on which the waivers of the examples are live."""


def blocks(file: Path) -> Iterator[str]:
    """Blocks of code, indented or fenced."""
    text = file.read_text(encoding="utf-8")
    yield from re.findall(r"^```\w*\n(.*?)^```", text, re.M | re.S)
    for block in re.findall(r"(?:^(?: {4}.*)?\n)+", text, re.M):
        yield textwrap.dedent(block).strip("\n")


def examples() -> Iterator[tuple[str, str]]:
    """Page, and what it shows of a thresholds file: a whole one, or sections of one that extends the default."""
    for page in PAGES:
        for block in blocks(page):
            shown = block.partition("# thresholds.yaml\n")[2] or block
            first = shown.partition(":")[0]
            if first == "schema":
                yield page.name, shown
            elif first in Sections.model_fields and ":" in shown:
                yield page.name, f"schema: 1\nextends: default\n{shown}"


def loaded(text: str, folder: Path) -> Thresholds:
    file = folder / "own.yaml"
    file.write_text(text, encoding="utf-8")
    return load(file, default=DEFAULT, today=TODAY)


EXAMPLES = list(examples())


def test_the_pages_hold_the_examples_they_are_known_for() -> None:
    assert {"README.md", "thresholds.md", "trainers.md", "criteria.md"} <= {page for page, _ in EXAMPLES}


@pytest.mark.parametrize(("page", "text"), EXAMPLES, ids=[page for page, _ in EXAMPLES])
def test_an_example_loads_and_fits_the_checks(page: str, text: str, tmp_path: Path) -> None:
    shown = [test for block in blocks(ROOT / "docs" / "criteria.md") for test in re.findall(r"def test_(\w+)", block)]
    new = [f"stability.{name}" for name in shown if f"stability.{name}" in text]
    assert loaded(text, tmp_path).match_checks([*check_ids(CHECKS), *new]) == ()


def test_an_example_that_is_wrong_would_be_seen(tmp_path: Path) -> None:
    (text,) = (text for page, text in EXAMPLES if page == "README.md")
    with pytest.raises(Exception, match="unknown key 'wran'"):
        loaded(text.replace("{warn:", "{wran:"), tmp_path)


OVERRIDES = sorted(
    {
        (page.name, key, value)
        for page in PAGES
        for key, value in re.findall(r"--set ([\w.]+)=(?!VALUE)('[^']*'|[^\s`]+)", page.read_text(encoding="utf-8"))
    }
)


@pytest.mark.parametrize(("page", "key", "value"), OVERRIDES, ids=str)
def test_an_override_is_taken(page: str, key: str, value: str) -> None:
    load(DEFAULT, overrides=[f"{key}={value.strip(chr(39))}"])


def test_pages_show_overrides() -> None:
    assert {"README.md", "thresholds.md"} <= {page for page, *_ in OVERRIDES}


def test_custom_criteria_within_a_line_load(tmp_path: Path) -> None:
    found = [one for file in PAGES for one in re.findall(r"`(custom\.\w+: \{.*?\})`", file.read_text(encoding="utf-8"))]
    assert found
    for entry in found:
        loaded(f"schema: 1\nextends: default\ncriteria:\n  {entry}\n", tmp_path)
