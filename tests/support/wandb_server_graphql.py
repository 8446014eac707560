"""As much GraphQL as the wandb client speaks: documents are parsed and answered field by field, from plain mappings."""

from __future__ import annotations

import functools
import inspect
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

KINDS = ("query", "mutation")
_TOKEN = re.compile(r"\.\.\.|[A-Za-z_]\w*|\$\w+|-?\d+(?:\.\d+)?|\"[^\"]*\"|[{}()\[\]:=!]")
_COMMENT = re.compile(r"#[^\n]*")


class QueryError(Exception):
    """The document asks for what this server does not have."""


@dataclass(frozen=True)
class Field:
    """One selected field; `arguments` maps each argument to the text of its value (``$variable`` or a literal)."""

    name: str
    alias: str
    arguments: Mapping[str, str]
    fields: tuple[Field, ...]


@dataclass(frozen=True)
class Operation:
    kind: str
    name: str
    fields: tuple[Field, ...]


@functools.lru_cache
def parse(document: str) -> Operation:
    """The one operation of a document, fragments expanded.

    Raises:
        QueryError: it is neither query nor mutation, or none that can be parsed.
    """
    try:
        return _Parser(document).operation()
    except (IndexError, KeyError, ValueError):
        raise QueryError("Syntax Error: the document cannot be parsed.") from None


def answer(fields: tuple[Field, ...], source: Any, variables: Mapping[str, Any]) -> Any:
    """The selected fields of `source`, a mapping whose values are data or functions of the field's arguments.

    Raises:
        QueryError: there is no such field, or it has no such argument.
    """
    if source is None:
        return None
    if isinstance(source, list):
        return [answer(fields, one, variables) for one in source]
    found: dict[str, Any] = {}
    for field in fields:
        if field.name not in source:
            raise QueryError(f'Cannot query field "{field.name}".')
        value = source[field.name]
        if callable(value):
            arguments = {key: _value(text, variables) for key, text in field.arguments.items()}
            try:
                inspect.signature(value).bind(**arguments)
            except TypeError as error:
                raise QueryError(f'Field "{field.name}": {error}.') from None
            value = value(**arguments)
        found[field.alias] = answer(field.fields, value, variables) if field.fields else value
    return found


def _value(text: str, variables: Mapping[str, Any]) -> Any:
    if text.startswith("["):
        return [_value(item, variables) for item in text.strip("[]").split()]
    if text.startswith("{"):
        words = text.split()[1:-1]
        members = zip(words[::3], words[2::3], strict=True)
        # A member whose variable is not given is as if it were not there.
        return {key: _value(one, variables) for key, one in members if not one.startswith("$") or one[1:] in variables}
    if text.startswith("$"):
        return variables.get(text[1:])
    return {"true": True, "false": False, "null": None}.get(text, text.strip('"'))


class _Parser:
    def __init__(self, document: str) -> None:
        self._tokens: list[str] = _TOKEN.findall(_COMMENT.sub("", document))
        starts = [at + 1 for at, token in enumerate(self._tokens[:-2]) if token == "fragment"]
        self._fragments = {self._tokens[at]: at for at in starts}

    def operation(self) -> Operation:
        kind, name = self._tokens[:2]
        if kind not in KINDS:
            raise QueryError(f"This server answers queries and mutations, not: {kind} {name}.")
        return Operation(kind, name, self._fields(self._tokens.index("{")))

    def _fields(self, at: int) -> tuple[Field, ...]:
        """The fields selected between the brace at `at` and the one that closes it."""
        return tuple(self._selected(at + 1))

    def _selected(self, at: int) -> Iterator[Field]:
        tokens = self._tokens
        while tokens[at] != "}":
            if tokens[at] == "...":
                named = tokens[at + 1] != "on"
                yield from self._fields(tokens.index("{", self._fragments[tokens[at + 1]] if named else at))
                at = at + 2 if named else self._after(tokens.index("{", at))
                continue
            alias = name = tokens[at]
            at += 1
            if tokens[at] == ":":
                name, at = tokens[at + 1], at + 2
            arguments: dict[str, str] = {}
            if tokens[at] == "(":
                end = self._after(at)
                arguments, at = dict(self._arguments(at + 1, end - 1)), end
            fields: tuple[Field, ...] = ()
            if tokens[at] == "{":
                fields, at = self._fields(at), self._after(at)
            yield Field(name, alias, arguments, fields)

    def _arguments(self, at: int, end: int) -> Iterator[tuple[str, str]]:
        while at < end:
            key, at = self._tokens[at], at + 2
            stop = self._after(at) if self._tokens[at] in "[{" else at + 1
            yield key, " ".join(self._tokens[at:stop])
            at = stop

    def _after(self, at: int) -> int:
        """The place behind the bracket that closes the one at `at`."""
        depth = 0
        for place in range(at, len(self._tokens)):
            depth += (self._tokens[place] in "{([") - (self._tokens[place] in "})]")
            if not depth:
                return place + 1
        raise ValueError("a bracket is not closed")
