"""How files, a profile and options of the command line become one tree: extends < file < profile < options.

Mappings are merged key by key; everything else replaces what was there. ``null`` removes what was inherited, but an
empty section says nothing.
"""

from __future__ import annotations

import functools
import os
from collections.abc import Sequence
from pathlib import Path

from trainhealth.errors import ThresholdsError
from trainhealth.thresholds.document import Node, found, label, parse, read_document
from trainhealth.thresholds.form import FileForm, Sections, read_form
from trainhealth.thresholds.origin import Origin, did_you_mean

FORM_VERSION = 1
DEFAULT = "default"
"""What ``extends`` calls the file shipped with trainhealth."""

MAX_CHAIN = 20
"""Files that may extend one another in a row."""

_TABLES = ("metrics", "config", "trainers", "events", "windows", "criteria")
"""Sections that hold entries by name."""


def read_layers(
    path: Path, *, profile: str | None, overrides: Sequence[str], default: Path | None
) -> tuple[Node, tuple[Path, ...]]:
    """The merged sections, and the files they come from in the order they were merged.

    Raises:
        ThresholdsError: a layer cannot be read, or does not have the form.
    """
    files = _Files(default)
    files.read(path, ())
    merged = files.merged()
    sections = Node({key: node for key, node in merged.entries.items() if key in Sections.model_fields}, merged.origin)
    if profile is not None:
        profiles = merged.entries["profiles"].entries if "profiles" in merged.entries else {}
        if profile not in profiles:
            known = f"it has {', '.join(profiles)}" if profiles else "it has none"
            near = did_you_mean(profile, profiles)
            raise ThresholdsError(f"--profile {profile}: {label(path)} has no such profile{near} ({known})")
        sections = merge(sections, profiles[profile].in_profile(profile))
    for option in overrides:
        sections = merge(sections, _override(option, sections))
    return sections, files.paths


def merge(base: Node, over: Node) -> Node:
    """`over` laid on `base`. A mapping keeps the origin of where it was first written."""
    if not (base.entries and over.entries):
        return over if not base.entries or over.value != {} else base
    entries = dict(base.entries)
    for key, node in over.entries.items():
        if node.value is None:
            entries.pop(key, None)
        else:
            entries[key] = merge(entries[key], node) if key in entries else node
    return Node(entries, base.origin)


def _without_empty_sections(file: Node) -> Node:
    entries = {key: node for key, node in file.entries.items() if node.value is not None}
    if "profiles" in entries:
        profiles = {name: _without_empty_sections(profile) for name, profile in entries["profiles"].entries.items()}
        entries["profiles"] = Node(profiles, entries["profiles"].origin)
    return Node(entries, file.origin)


class _Files:
    """A file and all it extends. A file that is extended twice is one layer, below both."""

    def __init__(self, default: Path | None) -> None:
        self._default = default
        self._layers: dict[Path, tuple[Path, Node]] = {}

    @property
    def paths(self) -> tuple[Path, ...]:
        return tuple(path for path, _ in self._layers.values())

    def merged(self) -> Node:
        return functools.reduce(merge, (_without_empty_sections(node) for _, node in self._layers.values()))

    def read(self, path: Path, above: tuple[Path, ...]) -> None:
        """Add the file at `path` after those it extends; `above` are the files that extend it."""
        identity = _identity(path)
        if identity in self._layers:
            return
        document = read_document(path)
        _check_version(document)
        chain = (*above, identity)
        for index, name in enumerate(read_form(document, FileForm).extends or ()):
            origin = document.at(("extends", index)).origin
            base = self._extended(path, name, origin)
            if _identity(base) in chain:
                raise origin.error(f"extends '{name}' goes round in a circle: {label(base)} is, or extends, this file")
            if len(chain) >= MAX_CHAIN:
                raise origin.error(f"extends '{name}', but a chain of files may be at most {MAX_CHAIN} long")
            self.read(base, chain)
        self._layers[identity] = (path, document)

    def _extended(self, path: Path, name: str, origin: Origin) -> Path:
        if name == DEFAULT:
            if self._default is None:
                raise origin.error(f"extends '{DEFAULT}', but there is no default file here; name a file")
            return self._default
        base = path.parent / name
        if not os.path.isfile(base):
            raise origin.error(f"extends '{name}', but there is no file {label(base)}")
        return base


def _identity(path: Path) -> Path:
    return Path(os.path.realpath(path))


def _check_version(document: Node) -> None:
    if not isinstance(document.value, dict):
        raise document.origin.error("is not a mapping; a thresholds file begins with 'schema: 1'")
    version = document.value.get("schema")
    if version is None:
        raise document.origin.error(f"has no schema version; begin the file with 'schema: {FORM_VERSION}'")
    if version.value != FORM_VERSION or isinstance(version.value, bool):
        raise version.origin.error(
            f"schema is {found(version.plain())}, but this trainhealth reads schema {FORM_VERSION}"
        )


def _override(option: str, sections: Node) -> Node:
    """``stability.kl_level.fail=> 0.3`` as a layer. It can change what is there, not add entries."""
    origin = Origin(f"--set {option!r}")
    path, equals, text = option.partition("=")
    no_value = origin.error("has no value; write it as --set stability.kl_level.fail='> 0.3' (null removes a value)")
    if not equals or not text.strip():
        raise no_value
    keys = _keys(path.strip(), sections, origin)
    # A bare '> 0.3' begins a block of text in YAML; on the command line it can only be a limit.
    value = Node(text.strip(), origin) if text.strip()[0] in "<>" else parse(text, lambda _: origin)
    if value is None:
        raise no_value
    if len(keys) == 1 and value.value is None:
        raise origin.error(f"'{path.strip()}' cannot be removed as a whole")
    for key in reversed(keys):
        value = Node({key: value}, origin)
    read_form(value, Sections)
    return value


def _keys(path: str, sections: Node, origin: Origin) -> tuple[str, ...]:
    """The keys along `path`; names of entries may hold dots, and ``criteria.`` may be left out."""
    section, _, rest = path.partition(".")
    if section not in Sections.model_fields:
        section, rest = "criteria", path
    if section not in _TABLES or not rest:
        return (section, *rest.split(".")) if rest else (section,)
    entries = list(sections.at([section]).entries)
    if section == "events":
        entries += ["required", "powers", "axiom"]
    for entry in sorted(entries, key=len, reverse=True):
        if rest == entry:
            return (section, entry)
        if rest.startswith(f"{entry}."):
            return (section, entry, *rest.removeprefix(f"{entry}.").split("."))
    known = [f"{table}.{entry}" for table in _TABLES for entry in sections.at([table]).entries]
    known += sections.at(["criteria"]).entries
    entry = path.rpartition(".")[0] or path
    raise origin.error(f"there is no '{entry}' to set{did_you_mean(entry, known)}")
