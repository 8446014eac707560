"""A dataset of Axiom that runs the APL it is asked with duckdb-kql, an independent engine of APL's parent language.

What APL has and KQL has not is rewritten: the dataset's name, ensure_field, trim_space, aggregations with a condition.
What the documentation leaves open about the server is a `Dialect`, so that every reading of it can be tried.
"""

from __future__ import annotations

import json
import re
import threading
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cache
from typing import Any, Literal

_NOT_IN_KQL = {"maxif": "max", "minif": "min", "percentileif": "percentile"}


class AplError(Exception):
    """A query that the engine does not accept."""


@dataclass(frozen=True)
class Dialect:
    """Readings of Axiom's documentation.

    Attributes:
        ensure_field: of a field with another type than the one that is named it gives the value as it is, converted,
            or null.
        toreal_reads_nan: whether toreal('NaN') is NaN, as in KQL, or null.
    """

    ensure_field: Literal["value", "converted", "null"] = "value"
    toreal_reads_nan: bool = True


@dataclass(frozen=True)
class Result:
    """Names and types of the columns, and the columns."""

    names: list[str]
    types: list[str]
    columns: list[list[Any]]


class Dataset:
    """Events in a table with one column for each field, numbers where all its values are numbers, else text."""

    def __init__(self, events: Iterable[Mapping[str, Any]], dialect: Dialect | None = None) -> None:
        import duckdb_kql
        import pyarrow as pa

        self.dialect = dialect or Dialect()
        self._lock = threading.Lock()
        flat = [dict(_flat(event)) for event in events]
        names = {name: None for event in flat for name in event if name != "_time"}
        arrays: dict[str, Any] = {"_time": pa.array([_moment(event["_time"]) for event in flat], pa.timestamp("us"))}
        self.types: dict[str, str] = {}
        for name in names:
            values = [event.get(name) for event in flat]
            numeric = all(value is None or _is_number(value) for value in values)
            self.types[name] = "real" if numeric else "string"
            if numeric:
                arrays[name] = pa.array([None if one is None else float(one) for one in values], pa.float64())
            else:
                arrays[name] = pa.array([None if one is None else _as_text(one) for one in values], pa.string())
        self._database = duckdb_kql.connect()
        self._database.register("arrived", pa.table(arrays))
        self._database.execute("CREATE TABLE stored AS SELECT * FROM arrived")
        self._database.unregister("arrived")

    @property
    def fields(self) -> list[dict[str, str]]:
        return [{"name": "_time", "type": "datetime"}, *({"name": n, "type": t} for n, t in self.types.items())]

    def lose(self, every: int) -> None:
        """Delete one event of so many."""
        with self._lock:
            self._database.execute(f"DELETE FROM stored WHERE rowid % {every} = 0")

    def run(self, apl: str, start: datetime, end: datetime) -> Result:
        """The result over [start, end)."""
        import duckdb

        with self._lock:
            sql = _sql(apl, tuple(sorted(self.types.items())), self.dialect)
            low, high = (moment.astimezone(UTC).strftime("%Y-%m-%d %H:%M:%S.%f") for moment in (start, end))
            self._database.execute(
                "CREATE OR REPLACE TEMP VIEW events AS SELECT * FROM stored "
                f"WHERE _time >= TIMESTAMP '{low}' AND _time < TIMESTAMP '{high}'"
            )
            try:
                cursor = self._database.execute(sql)
            except duckdb.Error as error:
                raise AplError(str(error).splitlines()[0]) from None
            described = cursor.description or []
            rows = cursor.fetchall()
        columns = [list(column) for column in zip(*rows, strict=True)] if rows else [[] for _ in described]
        kinds = {"BIGINT": "integer", "INTEGER": "integer", "DOUBLE": "float", "HUGEINT": "integer"}
        return Result(
            [str(one[0]) for one in described], [kinds.get(str(one[1]), "string") for one in described], columns
        )


@cache
def _sql(apl: str, types: tuple[tuple[str, str], ...], dialect: Dialect) -> str:
    import duckdb_kql

    try:
        return str(duckdb_kql.to_sql(_kql(apl, dict(types), dialect)))
    except duckdb_kql.KqlError as error:
        raise AplError(str(error)) from None


def _kql(apl: str, types: Mapping[str, str], dialect: Dialect) -> str:
    """The text with every string literal set aside, rewritten, and the literals put back."""
    literals: list[str] = []

    def aside(found: re.Match[str]) -> str:
        literals.append(found.group())
        return f"\x01{len(literals) - 1}\x02"

    text = re.sub(r"'(?:[^'\\]|\\.)*'", aside, apl, flags=re.DOTALL)

    def ensured(found: re.Match[str]) -> str:
        name, wanted = literals[int(found.group(1))][1:-1], found.group(2)
        have = types.get(name)
        null = "''" if wanted == "string" else "real(null)"
        if have is None:
            return null
        if have == wanted or dialect.ensure_field == "value":
            return f"['{name}']"
        if dialect.ensure_field == "null":
            return null
        return f"{'tostring' if wanted == 'string' else 'toreal'}(['{name}'])"

    text = re.sub(r"ensure_field\(\x01(\d+)\x02, typeof\((\w+)\)\)", ensured, text)
    text = re.sub(r"coalesce\((tostring\([^()]*\)), \1\)", r"\1", text)
    text = re.sub(r"^\[\x01\d+\x02\]", "events", text)
    text = text.replace("trim_space(", r"trim(@'\s+', ")
    for name, plain in _NOT_IN_KQL.items():
        text = _each_call(text, name, lambda given, plain=plain: _conditional(plain, given))
    if not dialect.toreal_reads_nan:
        text = _each_call(
            text, "toreal", lambda given: f"iff(isfinite(to_real({given[0]})), to_real({given[0]}), real(null))"
        )
        text = text.replace("to_real(", "toreal(")
    return re.sub(r"\x01(\d+)\x02", lambda found: literals[int(found.group(1))], text)


def _conditional(plain: str, given: list[str]) -> str:
    """``maxif(x, c)`` as ``max(iff(c, x, null))``, ``percentileif(x, p, c)`` as ``percentile(iff(c, x, null), p)``."""
    value, *more, condition = given
    return f"{plain}({', '.join([f'iff({condition}, {value}, real(null))', *more])})"


def _each_call(text: str, name: str, change: Any) -> str:
    """Every call of a function, whose arguments hold no literals any more, changed."""
    done = ""
    while found := re.search(rf"\b{name}\(", text):
        depth, at, start = 1, found.end(), found.end()
        given: list[str] = []
        while depth:
            depth += {"(": 1, ")": -1}.get(text[at], 0)
            if depth == 0 or (depth == 1 and text[at] == ","):
                given.append(text[start:at].strip())
                start = at + 1
            at += 1
        done += text[: found.start()] + change([_each_call(one, name, change) for one in given])
        text = text[at:]
    return done + text


def _flat(event: Mapping[str, Any], prefix: str = "") -> Iterable[tuple[str, Any]]:
    for key, value in event.items():
        if isinstance(value, Mapping):
            yield from _flat(value, f"{prefix}{key}.")
        else:
            yield f"{prefix}{key}", value


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _as_text(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value)


def _moment(value: Any) -> datetime:
    moment = datetime.fromisoformat(value) if isinstance(value, str) else datetime.fromtimestamp(value, UTC)
    return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).astimezone(UTC).replace(tzinfo=None)
