"""The tables of the documentation that follow from the code: ``python -m docs.reference`` writes them into docs/.

Each stands between two comments in a page; what is outside them is written by hand. tests/docs/ sees that they are up
to date.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

import pytest

from fixtures import command_line
from trainhealth.limits import Limit
from trainhealth.thresholds import Thresholds, load
from trainhealth.thresholds.document import read_document
from trainhealth.thresholds.form import json_schema

ROOT = Path(__file__).resolve().parents[1]
SHIPPED = ROOT / "thresholds.yaml"
BEGIN, END = "<!-- {}: written by python -m docs.reference -->", "<!-- end -->"

Schema = Mapping[str, Any]


def keys_of_thresholds() -> str:
    """Every key of a thresholds file, by kind of entry."""
    root = json_schema()
    forms: dict[str, Schema] = root["$defs"]
    sections = forms["Sections"]["properties"]
    own = {key: field for key, field in root["properties"].items() if key not in sections}
    named = dict.fromkeys(_references(root["properties"], forms))
    parts = [_form({**root, "properties": {**own, **sections}}, forms)]
    return "\n\n".join([*parts, *(_form(forms[name], forms) for name in named)])


def _form(form: Schema, forms: Mapping[str, Schema]) -> str:
    """One kind of entry: what it is, and a row for each key."""
    rows = [
        (f"`{key}`", _type(field, forms), *_default_and_meaning(field, key in form.get("required", ())))
        for key, field in form["properties"].items()
    ]
    others = form.get("additionalProperties")
    if others:
        rows.append(("any other", _type(others, forms), "", forms[_name(others)]["description"]))
    table = _table(("key", "type", "default", "meaning"), rows)
    return f"### {form['title']}\n\n{form['description']}\n\n{table}"


def _default_and_meaning(field: Schema, needed: bool) -> tuple[str, str]:
    """A description ends with its default, or says that the key is needed."""
    text = str(field["description"])
    if match := re.search(r" Default: (.+)\.$", text):
        return match[1], text[: match.start()]
    return ("needed" if needed or text.endswith(" Needed.") else ""), text.removesuffix(" Needed.")


def _type(field: Schema, forms: Mapping[str, Schema]) -> str:
    """What may be written, in words. That null takes a value away is said once for all."""
    options = [one for one in field.get("anyOf", ()) if one.get("type") != "null"]
    if options:
        first, *others = (_type(one, forms) for one in options)
        if others and options[-1].get("type") == "array":
            return f"{first}, or a list"
        return " or ".join([first, *others])
    if "$ref" in field:
        name = _name(field)
        title = str(forms[name]["title"])
        return "[sections](#file)" if name == "Sections" else f"[{_lower(title)}](#{title.lower().replace(' ', '-')})"
    if "enum" in field:
        *most, last = (f"`{one}`" for one in field["enum"])
        return f"{', '.join(most)} or {last}"
    if "const" in field:
        return f"`{field['const']}`"
    match field["type"]:
        case "array":
            return f"list: {_type(field['items'], forms)}"
        case "object":
            (entry,) = field.get("patternProperties", {"": field.get("additionalProperties")}).values()
            return f"by name: {_type(entry, forms)}"
        case "integer":
            return f"whole number from {field['minimum']}"
        case "string":
            return "a day, as 2026-12-31" if field.get("format") == "date" else str(field.get("title", "text"))
        case "boolean":
            return "true or false"
        case list():
            return "text, number, true or false"
    return str(field["type"])


def _lower(title: str) -> str:
    return title if title == "Axiom" else title.lower()


def _name(reference: Schema) -> str:
    return str(reference["$ref"]).rpartition("/")[2]


def _references(schema: Any, forms: Mapping[str, Schema]) -> Iterator[str]:
    """Names of the forms that `schema` refers to, each followed by those that it refers to itself."""
    if isinstance(schema, Mapping):
        if "$ref" in schema and _name(schema) != "Sections":
            yield _name(schema)
            yield from _references(forms[_name(schema)], forms)
        for one in schema.values():
            yield from _references(one, forms)
    elif isinstance(schema, list):
        for one in schema:
            yield from _references(one, forms)


def all_criteria() -> str:
    """Every criterion of the shipped file, by area, then the windows; where a profile differs, what it says."""
    usual = load(SHIPPED)
    profiles = {name: load(SHIPPED, profile=name) for name in read_document(SHIPPED).at(["profiles"]).entries}
    checks = dict(_checks())

    def cell(read: Callable[[Thresholds, str], str], name: str) -> str:
        text = read(usual, name)
        other = [f"{profile}: {found}" for profile, one in profiles.items() if (found := read(one, name)) != text]
        return "; ".join([text, *other])

    rows: dict[str, list[Sequence[str]]] = {}
    for name, criterion in usual.criteria.items():
        columns = (
            cell(lambda one, name: _limits(one.criteria[name].warn), name),
            cell(lambda one, name: _limits(one.criteria[name].fail), name),
            criterion.window.name if checks[name].has_window else "-",
            cell(_required, name),
        )
        area = name.partition(".")[0]
        rows.setdefault(area, []).append((f"`{name}`", checks[name].measures, *columns, criterion.source))
    windows = [
        (
            name,
            cell(lambda one, name: str(one.windows[name]), name),
            cell(lambda one, name: str(one.windows[name].min_points), name),
        )
        for name in usual.windows
    ]
    head = ("criterion", "what is measured", "warn", "fail", "window", "required", "source")
    parts = [f"### {area}\n\n{_table(head, lines)}" for area, lines in rows.items()]
    return "\n\n".join([*parts, f"### windows\n\n{_table(('window', 'part', 'fewest points'), windows)}"])


def _limits(limits: Iterable[Limit]) -> str:
    return ", ".join(f"`{limit}`" for limit in limits) or "-"


def _required(thresholds: Thresholds, name: str) -> str:
    criterion = thresholds.criteria[name]
    text = "yes" if criterion.required else "no"
    if criterion.missing == "not_applicable":
        text += ", skipped if not logged"
    strict = [one.name for one in thresholds.trainers.values() if one.requires_criterion(name)]
    return f"{text}; {', '.join(strict)}: yes" if strict else text


@dataclass(frozen=True)
class _Check:
    """What a check measures, and whether it asks for a window."""

    measures: str
    has_window: bool


def _checks() -> Iterator[tuple[str, _Check]]:
    """Criterion and check, as the files in checks/ have them."""
    for file in sorted((ROOT / "checks").glob("*/test_*.py")):
        for node in ast.parse(file.read_text(encoding="utf-8")).body:
            if isinstance(node, ast.FunctionDef) and node.name.startswith("test_"):
                name = f"{file.parent.name}.{node.name.removeprefix('test_')}"
                yield name, _Check(_first_paragraph(node), "criterion.window" in ast.unparse(node))


def options() -> str:
    """Every option of the suite, in the order of ``pytest --help``."""
    group = _Group()
    command_line.pytest_addoption(cast(pytest.Parser, group))
    return _table(("option", "what it does"), group.rows)


class _Group:
    """Stands in for pytest's parser and for the group of options in it, and remembers them as rows."""

    def __init__(self) -> None:
        self.rows: list[tuple[str, str]] = []

    def getgroup(self, _name: str) -> _Group:
        return self

    def addoption(self, option: str, *, help: str, metavar: str = "", **_: object) -> None:
        self.rows.append((f"`{option} {metavar}`" if metavar else f"`{option}`", help))


def modules() -> str:
    """Every module of trainhealth/ and reports/, by what it says of itself."""
    rows = [
        (f"{folder}/{file.name}", _first_paragraph(ast.parse(file.read_text(encoding="utf-8"))))
        for folder in ("trainhealth", "trainhealth/thresholds", "reports")
        for file in sorted((ROOT / folder).glob("*.py"))
        if not file.name.startswith("__")
    ]
    return _table(("module", "what it is"), rows)


def _first_paragraph(node: ast.Module | ast.FunctionDef) -> str:
    return " ".join((ast.get_docstring(node) or "").partition("\n\n")[0].split()).replace("``", "`")


def _table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    lines = [head, ["---"] * len(head), *([one.replace("|", "\\|") for one in row] for row in rows)]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


PARTS: Mapping[str, tuple[str, Callable[[], str]]] = {
    "docs/thresholds.md": ("keys", keys_of_thresholds),
    "docs/criteria.md": ("criteria", all_criteria),
    "docs/options.md": ("options", options),
    "docs/architecture.md": ("modules", modules),
}
"""Page -> name of its part, and what stands in it."""


def updated(page: str) -> str:
    """The page as it should be.

    Raises:
        ValueError: the page has no place for its part.
    """
    name, make = PARTS[page]
    text = (ROOT / page).read_text(encoding="utf-8")
    before, begin, rest = text.partition(BEGIN.format(name))
    _, end, after = rest.partition(END)
    if not end:
        raise ValueError(f"{page} lacks the comments {BEGIN.format(name)} and {END}")
    return f"{before}{begin}\n\n{make()}\n\n{end}{after}"


if __name__ == "__main__":
    for page in PARTS:
        (ROOT / page).write_text(updated(page), encoding="utf-8", newline="\n")
