"""The documentation says what the code says: generated tables are up to date, lists by hand are complete."""

from __future__ import annotations

import fnmatch
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
import yaml
from import_rules import OURS
from synthetic import ROOT

from docs import reference
from trainhealth.thresholds import load
from trainhealth.verdicts import Verdict, decision, exit_status

PAGES = sorted([ROOT / "README.md", *(ROOT / "docs").glob("*.md")])
THRESHOLDS = load(ROOT / "thresholds.yaml")
AREAS = "|".join(sorted({name.partition(".")[0] for name in THRESHOLDS.criteria}))


def page(name: str) -> str:
    return (ROOT / "docs" / name).read_text(encoding="utf-8")


def rows(text: str) -> list[list[str]]:
    """The cells of every table row."""
    return [re.split(r"(?<!\\) \| ", line.strip("| ")) for line in text.splitlines() if line.startswith("| ")]


@pytest.mark.parametrize("name", sorted(reference.PARTS))
def test_generated_tables_are_up_to_date(name: str) -> None:
    up_to_date = (ROOT / name).read_text(encoding="utf-8") == reference.updated(name)
    assert up_to_date, f"{name} is behind the code: run python -m docs.reference"


def test_a_page_without_a_place_for_its_table_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reference, "ROOT", tmp_path)
    (tmp_path / "docs").mkdir()
    (tmp_path / "docs" / "options.md").write_text("# Options\n")
    with pytest.raises(ValueError, match=r"docs/options\.md lacks the comments"):
        reference.updated("docs/options.md")


# What follows reads the sources in another way than docs/reference.py does.


def test_each_criterion_has_one_row_with_its_limits() -> None:
    shipped = yaml.safe_load((ROOT / "thresholds.yaml").read_text(encoding="utf-8"))["criteria"]
    written = {row[0].strip("`"): row for row in rows(page("criteria.md")) if re.match(rf"`({AREAS})\.", row[0])}
    assert list(written) == list(shipped)
    assert sum(bool(re.match(rf"\| `({AREAS})\.", line)) for line in page("criteria.md").splitlines()) == len(shipped)
    for name, entry in shipped.items():
        for column, key in ((2, "warn"), (3, "fail")):
            given = entry.get(key, [])
            limits = given if isinstance(given, list) else [given]
            assert re.findall(r"`(.+?)`", written[name][column].partition(";")[0]) == limits, f"{name}: {key}"
        assert written[name][4] in (entry.get("window", "tail"), "-")
        assert written[name][5].startswith("yes" if entry.get("required", True) else "no")
        assert written[name][6] == entry["source"]
        assert written[name][1], f"{name}: its check says nothing of itself"


def test_what_a_criterion_requires_of_a_profile_and_of_trainers() -> None:
    written = {row[0].strip("`"): row for row in rows(page("criteria.md"))}
    assert written["learning.games_gap"][5] == "no; promotion: yes"
    assert written["stability.reward_std_collapse"][5] == "no, skipped if not logged; trl: yes"
    assert written["integrity.history_complete"][2] == "`open`, `partial`, `restarted`; promotion: -"
    assert written["integrity.missing_steps"][4] == "-"  # whole history, whatever the default window
    assert written["tail"] == ["tail", "last 50 steps; smoke: last 10 steps", "30; smoke: 8"]


def test_options_are_those_of_pytest_help() -> None:
    command = [sys.executable, "-m", "pytest", "--help", "-p", "no:cacheprovider"]
    printed = subprocess.run(
        command, cwd=ROOT, capture_output=True, text=True, check=True, env={**os.environ, "COLUMNS": "500"}
    ).stdout
    group = re.search(r"^training health:\n(.*?)^\S", printed, re.M | re.S)
    assert group is not None
    helped = dict(re.findall(r"^  (--[\w-]+)(?:=\S+)?\s+(.+)$", group[1], re.M))
    assert len(helped) > 30
    listed = {row[0].strip("`").partition(" ")[0]: row[1] for row in rows(page("options.md")) if row[0][0] == "`"}
    helped.setdefault("--timeout", listed["--timeout"])  # pytest-timeout's, where that is installed
    assert listed == helped


def test_options_that_pages_name_exist() -> None:
    others = ("--strict", "--collect-only", "--help", "--depth")  # pytest's, and git's
    known = {row[0].strip("`").partition(" ")[0] for row in rows(page("options.md"))} | set(others)
    scripts = (ROOT / "benchmarks", ROOT / "examples")
    known |= {
        option
        for folder in scripts
        for file in folder.glob("*.py")
        for option in re.findall(r'"(--[a-z][\w-]+)"', file.read_text(encoding="utf-8"))
    }
    strays = {
        f"{file.name}: {option}"
        for file in PAGES
        for option in re.findall(r"(?<![\w-])--[a-z][\w-]+", file.read_text(encoding="utf-8"))
        if option not in known
    }
    assert strays == set()


def test_criteria_that_pages_name_exist() -> None:
    example = "stability.value_loss"  # docs/criteria.md adds it
    name = re.compile(rf"(?<![\w/.])(?:{AREAS})\.(?!md\b|py\b|json\b|\w+\()[a-z*][a-z0-9_*]*")
    strays = {
        f"{file.name}: {found}"
        for file in PAGES
        for found in name.findall(file.read_text(encoding="utf-8"))
        if not fnmatch.filter(THRESHOLDS.criteria, found) and found != example
    }
    assert strays == set()


def links(file: Path) -> Iterator[str]:
    text = re.sub(r"^    .*$", "", file.read_text(encoding="utf-8"), flags=re.M)
    yield from re.findall(r"\]\((?!https?:)([^)\s]+)\)", text)


@pytest.mark.parametrize("file", PAGES, ids=lambda file: file.name)
def test_links_lead_somewhere(file: Path) -> None:
    for link in links(file):
        name, _, anchor = link.partition("#")
        target = (file.parent / name).resolve() if name else file
        assert target.exists(), link
        if anchor:
            headings = re.findall(r"^#+ (.+)$", target.read_text(encoding="utf-8"), re.M)
            assert anchor in {re.sub(r"[^\w\- ]", "", one).lower().replace(" ", "-") for one in headings}, link


@pytest.mark.parametrize("file", PAGES, ids=lambda file: file.name)
def test_files_that_pages_name_exist(file: Path) -> None:
    folders = "trainhealth|fixtures|sources|reports|checks|tests|examples|benchmarks|docs"
    named = re.findall(
        rf"(?<![\w/.-])(?:{folders})/[\w./-]*\.(?:py|md|yaml|json|sh|css|js)\b", file.read_text(encoding="utf-8")
    )
    own = {
        "docs/experiment-tracker.md",
        "checks/stability/test_value.py",
        "trainhealth/examples/ci/gate.sh",
    }  # the reader's
    places = (ROOT, ROOT / "fixtures")
    assert [name for name in named if name not in own and not any((one / name).exists() for one in places)] == []


def test_architecture_names_every_module_of_the_fixtures() -> None:
    text = page("architecture.md")
    rows = re.findall(r"^ {4}(fixtures|sources)/(\S.*?)(?: {2,}|$)", text, re.MULTILINE)
    named = {f"{folder}/{name.strip()}" for folder, names in rows for name in names.split(",")}
    modules = {f"{file.parent.name}/{file.name}" for file in (ROOT / "fixtures").rglob("*.py")}
    assert sorted(modules - named) == []


def test_architecture_names_every_folder() -> None:
    assert [name for name in sorted({*OURS, "trainhealth"}) if f"    {name}/ " not in page("architecture.md")] == []


def test_every_field_of_events_is_listed_with_its_names() -> None:
    """A row may list several fields; then the names of each stand between semicolons, or are one for each."""
    shown: dict[str, list[str]] = {}
    for row in rows(page("events.md")):
        fields, told = row[0].split(", "), row[1].partition(":")[0]
        names = told.split("; ") if ";" in told else told.split(", ") if len(fields) > 1 else [told]
        shown.update(zip(fields, ([*one.split(", ")] for one in names), strict=False))
    for field, aliases in yaml.safe_load((ROOT / "thresholds.yaml").read_text(encoding="utf-8"))["events"].items():
        if isinstance(aliases, dict):
            names = [one if isinstance(one, str) else one["field"] for one in aliases["any_of"]]
            assert shown[field] == names, field


def test_trainers_are_listed_with_their_habits() -> None:
    written = {row[0]: row for row in rows(page("trainers.md"))}
    for name, trainer in THRESHOLDS.trainers.items():
        assert written[name][2].startswith("several rows" if trainer.several_rows else "one row"), name
        assert written[name][3] == ("0, but for KL" if trainer.measured else "perhaps never measured"), name


@dataclass(frozen=True)
class Decided:
    verdict: Verdict


def test_exit_statuses_are_those_of_the_code() -> None:
    said = dict(re.findall(r"(\d+) (pass or warn|fail|inconclusive|error)\b", page("verdicts.md").replace("\n", " ")))
    assert {int(status): words for status, words in said.items()} == {
        exit_status([Decided(Verdict.WARN)]): "pass or warn",
        exit_status([Decided(Verdict.FAIL)]): "fail",
        exit_status([Decided(Verdict.INCONCLUSIVE)]): "inconclusive",
        exit_status([Decided(Verdict.ERROR)]): "error",
    }
    assert {row[0]: row[1] for row in rows(page("ci.md")) if row[0].isdecimal()} == {
        str(status): decision(status) for status in (0, 1, 10, 11)
    }


def test_every_verdict_is_explained() -> None:
    explained = [row[0] for row in rows(page("verdicts.md")) if row[0].isupper()]
    assert sorted(explained) == sorted(Verdict)
