"""Reads YAML into a tree in which every value knows its line.

The tree is built from the parser's events, not by a YAML loader: nothing is ever constructed from a tag, no depth of
nesting reaches Python's or C's stack, and an alias bomb ends at a count. Plain scalars follow the core schema of
YAML 1.2: only ``true`` and ``false`` are booleans (``off`` is a word), ``1e-3`` is a number, a date is text.
"""

from __future__ import annotations

import math
import os
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import yaml

from trainhealth.errors import ThresholdsError
from trainhealth.thresholds.origin import Origin

MAX_BYTES = 1_000_000
MAX_NODES = 50_000
"""Values in one document, counted again at every alias."""
MAX_DEPTH = 20
MAX_DIGITS = 18

Scalar = str | int | float | bool | None
OriginAt = Callable[[int], Origin]
"""The origin of a 1-based line."""

_PARSER = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
_INTEGER = re.compile(r"[-+]?[0-9]+")
_FLOAT = re.compile(r"[-+]?(?:\.[0-9]+|[0-9]+(?:\.[0-9]*)?)(?:[eE][-+]?[0-9]+)?")
_NON_FINITE = re.compile(r"[-+]?\.(?:inf|Inf|INF)|\.(?:nan|NaN|NAN)")
_WORDS: dict[str, Scalar] = {
    **dict.fromkeys(("", "~", "null", "Null", "NULL")),
    **dict.fromkeys(("true", "True", "TRUE"), True),
    **dict.fromkeys(("false", "False", "FALSE"), False),
}
_UNPRINTABLE = re.compile("[^\t\n\r\x20-\x7e\x85\xa0-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


@dataclass(frozen=True, slots=True)
class Node:
    """A value of the tree: a scalar, a sequence of nodes, or a mapping of text to nodes.

    Its origin is the line of its key where it has one, else its own.
    """

    value: Scalar | tuple[Node, ...] | Mapping[str, Node]
    origin: Origin

    @property
    def entries(self) -> Mapping[str, Node]:
        """The mapping's entries; none where the node is no mapping."""
        return self.value if isinstance(self.value, Mapping) else {}

    def plain(self) -> Any:
        """The value as scalars, tuples and dicts."""
        if isinstance(self.value, tuple):
            return tuple(item.plain() for item in self.value)
        if isinstance(self.value, Mapping):
            return {key: node.plain() for key, node in self.value.items()}
        return self.value

    def at(self, path: Iterable[str | int]) -> Node:
        """The node at `path`, or the nearest one above it."""
        node = self
        for key in path:
            if isinstance(key, int) and isinstance(node.value, tuple) and key < len(node.value):
                node = node.value[key]
            elif isinstance(key, str) and key in node.entries:
                node = node.entries[key]
            else:
                break
        return node

    def in_profile(self, profile: str) -> Node:
        """The same tree, with `profile` named in every origin."""
        value = self.value
        if isinstance(value, tuple):
            value = tuple(item.in_profile(profile) for item in value)
        elif isinstance(value, Mapping):
            value = {key: node.in_profile(profile) for key, node in value.items()}
        return Node(value, replace(self.origin, profile=profile))


def found(value: Any) -> str:
    """A plain value, as a message quotes it."""
    match value:
        case None:
            return "nothing"
        case bool():
            return str(value).lower()
        case str():
            return repr(value if len(value) <= 60 else f"{value[:57]}...")
        case Mapping():
            return "a mapping"
        case tuple():
            return "a list"
    return str(value)


def label(path: Path) -> str:
    """`path` as its user would recognise it: relative to the working directory where it lies below, else as given."""
    try:
        return str(Path(os.path.abspath(path)).relative_to(Path.cwd()))
    except (ValueError, OSError):
        return str(path)


def read_document(path: Path) -> Node:
    """The tree of one file.

    Raises:
        ThresholdsError: the file is missing, unreadable, too large, not UTF-8, or not the YAML described above.
    """
    name = label(path)
    try:
        if not path.exists():
            raise ThresholdsError(f"{name}: there is no such file")
        if not path.is_file():
            raise ThresholdsError(f"{name}: is not a file")
        with path.open("rb") as file:
            content = file.read(MAX_BYTES + 1)
    except (OSError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
        raise ThresholdsError(f"{name}: cannot be read: {reason}") from error
    if len(content) > MAX_BYTES:
        raise ThresholdsError(f"{name}: is larger than {MAX_BYTES:,} bytes; is it a thresholds file?")
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        raise Origin(name, line).error("is not UTF-8 text; save the file as UTF-8") from error
    node = parse(text, lambda line: Origin(name, line))
    if node is None:
        raise ThresholdsError(f"{name}: is empty; a thresholds file begins with 'schema: 1'")
    return node


def parse(text: str, origin_at: OriginAt) -> Node | None:
    """The tree of one YAML document, or None where there is none.

    Raises:
        ThresholdsError: as for `read_document`.
    """
    if found := _UNPRINTABLE.search(text):
        line = text.count("\n", 0, found.start()) + 1
        raise origin_at(line).error(f"holds the character U+{ord(found[0]):04X}, which YAML does not allow")
    try:
        return _Builder(origin_at).build(yaml.parse(text, Loader=_PARSER))
    except yaml.MarkedYAMLError as error:
        raise _syntax_error(error, text, origin_at) from error
    except yaml.YAMLError as error:
        raise origin_at(1).error("is not valid YAML") from error


@dataclass(slots=True)
class _Open:
    """A mapping or sequence whose end has not been seen yet."""

    origin: Origin
    anchor: str | None
    is_mapping: bool
    items: list[Node] = field(default_factory=list)
    keys: dict[str, Origin] = field(default_factory=dict)
    size: int = 1
    height: int = 1

    @property
    def wants_key(self) -> bool:
        return self.is_mapping and len(self.keys) == len(self.items)

    def close(self) -> _Built:
        value = dict(zip(self.keys, self.items, strict=True)) if self.is_mapping else tuple(self.items)
        return _Built(Node(value, self.origin), self.size, self.height)


@dataclass(frozen=True, slots=True)
class _Built:
    """A finished node, with the number of values in it and the depth of its nesting."""

    node: Node
    size: int = 1
    height: int = 0


class _Builder:
    """Builds the tree of one document from the parser's events."""

    def __init__(self, origin_at: OriginAt) -> None:
        self._origin_at = origin_at
        self._open: list[_Open] = []
        self._anchors: dict[str, _Built] = {}
        self._root: Node | None = None

    def build(self, events: Iterable[Any]) -> Node | None:
        for event in events:
            origin = self._origin_at(event.start_mark.line + 1)
            if getattr(event, "tag", None) is not None:
                tag = event.tag.replace("tag:yaml.org,2002:", "!!")
                raise origin.error(f"the tag '{tag}' is not allowed; write the value without a tag")
            match event:
                case yaml.DocumentStartEvent() if self._root is not None:
                    raise origin.error("a second document begins here ('---'); a thresholds file holds one")
                case yaml.ScalarEvent() | yaml.AliasEvent() if self._open and self._open[-1].wants_key:
                    self._add_key(event, origin)
                case yaml.CollectionStartEvent():
                    self._begin(event, origin)
                case yaml.CollectionEndEvent():
                    closed = self._open.pop()
                    self._add(closed.close(), closed.anchor)
                case yaml.ScalarEvent():
                    self._add(_Built(Node(_scalar(event, origin), origin)), event.anchor)
                case yaml.AliasEvent():
                    self._add(self._aliased(event.anchor, origin), None)
        return self._root

    def _begin(self, event: Any, origin: Origin) -> None:
        if self._open and self._open[-1].wants_key:
            raise origin.error(
                "a key must be text, not a list or a mapping; put text that begins with '[' or '{' in quotes"
            )
        if len(self._open) >= MAX_DEPTH:
            raise origin.error(f"is nested more than {MAX_DEPTH} levels deep")
        self._open.append(_Open(origin, event.anchor, isinstance(event, yaml.MappingStartEvent)))

    def _add_key(self, event: Any, origin: Origin) -> None:
        keys = self._open[-1].keys
        if isinstance(event, yaml.AliasEvent):
            raise origin.error(f"a key cannot be an alias ('*{event.anchor}'); put text that begins with '*' in quotes")
        key = _printable(event.value, origin)
        if key == "<<" and event.implicit[0]:
            raise origin.error("merge keys ('<<') are not supported; use 'extends', or alias the whole value")
        if key in keys:
            raise origin.error(f"the key '{key}' is written twice; it is first written at {keys[key].where}")
        keys[key] = origin

    def _aliased(self, anchor: str | None, origin: Origin) -> _Built:
        found = self._anchors.get(anchor or "")
        if found is None:
            raise origin.error(f"'*{anchor}' names no anchor above it; put text that begins with '*' in quotes")
        return replace(found, node=replace(found.node, origin=origin))

    def _add(self, built: _Built, anchor: str | None) -> None:
        if anchor is not None:
            self._anchors[anchor] = built
        if not self._open:
            self._root = built.node
            return
        parent = self._open[-1]
        node = built.node
        if parent.is_mapping:
            node = replace(node, origin=next(reversed(parent.keys.values())))
        parent.items.append(node)
        parent.size += built.size
        parent.height = max(parent.height, built.height + 1)
        if parent.size > MAX_NODES:
            raise node.origin.error(f"holds more than {MAX_NODES:,} values once its aliases are written out")
        if len(self._open) + built.height > MAX_DEPTH:
            raise node.origin.error(f"is nested more than {MAX_DEPTH} levels deep once its aliases are written out")


def _scalar(event: Any, origin: Origin) -> Scalar:
    text = _printable(event.value, origin)
    if not event.implicit[0]:  # quoted, or a block of text
        return text
    if text in _WORDS:
        return _WORDS[text]
    if _INTEGER.fullmatch(text):
        if len(text) > MAX_DIGITS:
            raise origin.error(f"the number {_shortened(text)} has more than {MAX_DIGITS} digits; put text in quotes")
        return int(text)
    if _FLOAT.fullmatch(text) or _NON_FINITE.fullmatch(text):
        number = math.nan if _NON_FINITE.fullmatch(text) else float(text)
        if not math.isfinite(number):
            raise origin.error(f"numbers must be finite, found {_shortened(text)}")
        return number
    return text


def _printable(text: str, origin: Origin) -> str:
    if found := _UNPRINTABLE.search(text):  # an escape such as "\0"
        raise origin.error(f"the text holds the character U+{ord(found[0]):04X}, which is not allowed")
    return text


def _shortened(text: str) -> str:
    return text if len(text) <= 40 else f"{text[:37]}..."


_UNCLOSED = ("did not find expected ',' or", "expected ',' or", "did not find expected node content", "unexpected end")
_EXPLANATIONS: Sequence[tuple[str, str]] = (
    ("block scalar", "text that begins with '>' or '|' must be in quotes, such as \"> 0.1\""),
    ("scanning an alias", "text that begins with '*' must be in quotes"),
    ("scanning an anchor", "text that begins with '&' must be in quotes"),
    ("tag", "text that begins with '!' must be in quotes"),
    ("directive", "text that begins with '%' must be in quotes"),
    ("escape", "'\\' has a meaning of its own in double quotes; use single quotes"),
    (
        "mapping values are not allowed",
        "a ':' is not expected here; check the indentation, and quote text that holds ': '",
    ),
    ("simple key", "a key without ':'"),
    ("tab character", "indent with spaces, not tabs"),
    ("expected key", "the indentation does not match the lines above"),
    ("expected <block end>", "the indentation does not match the lines above"),
    ("'-' indicator", "the indentation does not match the lines above"),
)
"""What a person reads in place of the first of these that the parser's own words hold."""


def _syntax_error(error: yaml.MarkedYAMLError, text: str, origin_at: OriginAt) -> ThresholdsError:
    jargon = f"{error.context or ''} {error.problem or ''}"
    mark: Any = error.problem_mark or error.context_mark
    if "simple key" in jargon:
        mark = error.context_mark or mark  # the other is where the parser gave up
    if any(words in jargon for words in _UNCLOSED) and error.context_mark is not None:
        mark = error.context_mark
        explanation = "what is opened here is not closed: a quote, '[' or '{'"
    elif "cannot start any token" in jargon:
        lines = text.splitlines()
        character = lines[mark.line][mark.column : mark.column + 1] if mark.line < len(lines) else ""
        tab = character == "\t"
        explanation = (
            "indent with spaces, not tabs" if tab else f"text that begins with '{character}' must be in quotes"
        )
    else:
        explanation = next((plain for words, plain in _EXPLANATIONS if words in jargon), "this cannot be read")
    return origin_at(mark.line + 1).error(f"is not valid YAML at column {mark.column + 1}: {explanation}")
