"""Runs as a W&B server holds them: what was logged, how much of it is exported to parquet, and what filters select."""

from __future__ import annotations

import importlib
import io
import json
import math
import re
from collections import Counter, defaultdict
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from wandb_bytes import pb, unframed

pa: Any = importlib.import_module("pyarrow")  # has no types
pq: Any = importlib.import_module("pyarrow.parquet")

Row = dict[str, Any]

_SPECIAL = {"NaN": math.nan, "Infinity": math.inf, "-Infinity": -math.inf}
_RE2_LACKS = re.compile(r"\(\?(?:[=!>]|<[=!])|\\[1-9]|[*+?}]\+")


class FilterError(Exception):
    """A filter that the server cannot evaluate."""


@dataclass(eq=False)
class ServedArtifact:
    """A version of an artifact in the project of the run that logged it."""

    name: str
    version: int
    aliases: list[str] = field(default_factory=list)
    state: str = "COMMITTED"
    linked: list[str] = field(default_factory=list)
    """Aliases in a collection of the registry that it is linked to, which are none of its own."""

    @property
    def id(self) -> str:
        return f"QXJ0aWZhY3Q6{self.name}:v{self.version}"


@dataclass(eq=False)
class ServedRun:
    """One run. It may be changed while it is served: a running run gets rows, is exported and ends. Rows that stand
    do not change.

    Attributes:
        rows: the history; every row states its `_step`.
        exported: how many of the first rows are in parquet files, with `files_of` rows to a file; the rest is live.
        repeated: how many of the last exported rows the live pages have as well.
        lost: how many of the last rows are counted but in no file and no page, as when an export is not complete.
        created_at, heartbeat_at: unix seconds; without a heartbeat the `_timestamp` of the last row.
        summary: without one the last value of every key.
        claimed_last_step, claimed_line_count: what the server says of the history where that is not the truth.
        files: name -> content of the files saved with the run.
        artifacts: what the run has logged.
    """

    id: str
    rows: list[Row] = field(default_factory=list)
    entity: str = "team"
    project: str = "league"
    name: str = ""
    state: str = "finished"
    config: Mapping[str, Any] = field(default_factory=dict)
    summary: dict[str, Any] | None = None
    tags: list[str] = field(default_factory=list)
    sweep: str | None = None
    created_at: float = 1_760_000_000.0
    heartbeat_at: float | None = None
    exported: int = 0
    files_of: int = 100_000
    repeated: int = 0
    lost: int = 0
    claimed_last_step: int | None = None
    claimed_line_count: int | None = None
    files: Mapping[str, bytes] = field(default_factory=dict)
    artifacts: list[ServedArtifact] = field(default_factory=list)
    notes: str | None = None
    description: str | None = None
    group: str | None = None
    job_type: str | None = None
    _parquet: dict[tuple[int, int], list[bytes]] = field(default_factory=dict, init=False, repr=False)
    _texts: dict[int, str] = field(default_factory=dict, init=False, repr=False)
    _keys: tuple[int, dict[str, Any]] = field(default=(0, {}), init=False, repr=False)

    @property
    def path(self) -> str:
        return f"{self.entity}/{self.project}/{self.id}"

    @property
    def display_name(self) -> str:
        return self.name or self.id

    @property
    def last_step(self) -> int:
        """The highest step there is by the server's account, -1 without rows."""
        if self.claimed_last_step is not None:
            return self.claimed_last_step
        return max((row["_step"] for row in self.rows), default=-1)

    @property
    def line_count(self) -> int:
        return len(self.rows) if self.claimed_line_count is None else self.claimed_line_count

    @property
    def heartbeat(self) -> float:
        if self.heartbeat_at is not None:
            return self.heartbeat_at
        return max((row["_timestamp"] for row in self.rows[-1:] if "_timestamp" in row), default=self.created_at)

    @property
    def live(self) -> list[Row]:
        """The rows that live pages serve."""
        return self.rows[self._live]

    @property
    def _live(self) -> slice:
        return slice(max(self.exported - self.repeated, 0), len(self.rows) - self.lost)

    @property
    def last_values(self) -> dict[str, Any]:
        if self.summary is not None:
            return self.summary
        values: Row = {}
        for row in self.rows:
            values |= row
        return values

    @property
    def parquet(self) -> list[bytes]:
        """The exported files; those of one export are written once."""
        asked = (self.exported, self.files_of)
        if asked not in self._parquet:
            self._parquet[asked] = _parquet_files(self.rows[: self.exported], self.files_of)
        return self._parquet[asked]

    def page(self, min_step: int, max_step: int) -> list[str]:
        """Live rows from `min_step` up to but not including `max_step`, in JSON."""
        rows = zip(self.live, self.live_texts, strict=True)
        return [text for row, text in rows if min_step <= row["_step"] < max_step]

    @property
    def live_texts(self) -> list[str]:
        """The live rows in JSON, each written once."""
        places = range(len(self.rows))[self._live]
        for place in places:
            if place not in self._texts:
                self._texts[place] = json.dumps(in_json(self.rows[place]))
        return [self._texts[place] for place in places]

    def page_of_keys(self, keys: list[str], min_step: int, max_step: int) -> list[Row]:
        """Live rows that have all of `keys`, and only those keys; ``a.b`` names the b of a dict a.

        Unlike that of `page`, the last step is included: the client asks for one less here.
        """
        rows = (row for row in self.live if min_step <= row["_step"] <= max_step)
        found = ({key: _at(row, key) for key in keys} for row in rows)
        return [in_json(row) for row in found if not any(value is None for value in row.values())]

    @property
    def history_keys(self) -> dict[str, Any]:
        """What is known of the keys without reading the rows; counted when rows were added."""
        counted, keys = self._keys
        if counted != len(self.rows):
            keys = self._counted_keys()
            self._keys = len(self.rows), keys
        return {"keys": keys, "lastStep": self.last_step, "sets": []}

    def _counted_keys(self) -> dict[str, Any]:
        counts: defaultdict[str, Counter[str]] = defaultdict(Counter)
        last: Row = {}
        for row in self.rows:
            last |= row
            for key, value in row.items():
                counts[key][_type_of(value)] += 1
        return {
            key: {
                "typeCounts": [{"type": kind, "count": count} for kind, count in kinds.items()],
                "monotonic": key in ("_step", "_timestamp", "_runtime"),
                "previousValue": in_json(last[key]),
            }
            for key, kinds in counts.items()
        }

    @classmethod
    def from_wandb_file(cls, path: Path, **attributes: Any) -> ServedRun:
        """The run of a .wandb file without damage, as it would stand on a server that it was synced to."""
        run = pb.RunRecord()
        rows: list[Row] = []
        config: dict[str, Any] = {}
        state = "crashed"
        for data in unframed(path.read_bytes()):
            record = pb.Record.FromString(data)
            kind = record.WhichOneof("record_type")
            if kind == "run":
                run = record.run
                config |= _items(run.config.update)
            elif kind == "config":
                config |= _items(record.config.update)
            elif kind == "history":
                rows.append({"_step": record.history.step.num} | _items(record.history.item))
            elif kind == "exit":
                state = "failed" if record.exit.exit_code else "finished"
        known = {
            "id": run.run_id,
            "rows": rows,
            "entity": run.entity or cls.entity,
            "project": run.project or cls.project,
            "name": run.display_name,
            "state": state,
            "config": {key: value for key, value in config.items() if key != "_wandb"},
            "tags": list(run.tags),
            "created_at": run.start_time.seconds + run.start_time.nanos / 1e9,
        }
        return cls(**(known | attributes))

    # What filters and orders refer to -------------------------------------------------------------------------------

    def matches(self, condition: Mapping[str, Any]) -> bool:
        """Whether the run fulfils a filter of the runs query, written in W&B's JSON.

        Raises:
            FilterError: it has an operator or a field that is not known here, or an expression that is not RE2.
        """
        return all(self._fulfils(key, wanted) for key, wanted in condition.items())

    def _fulfils(self, key: str, wanted: Any) -> bool:
        if key == "$and":
            return all(self.matches(part) for part in wanted)
        if key == "$or":
            return any(self.matches(part) for part in wanted)
        value = self.named(key)
        if not isinstance(wanted, Mapping):
            wanted = {"$eq": wanted}
        return all(_compare(operator, value, operand) for operator, operand in wanted.items())

    def named(self, key: str) -> Any:
        """The value that a filter or an order calls `key`; None where the run has none."""
        simple: dict[str, Callable[[], Any]] = {
            "name": lambda: self.id,
            "display_name": lambda: self.display_name,
            "displayName": lambda: self.display_name,
            "state": lambda: self.state,
            "tags": lambda: self.tags,
            "sweep": lambda: self.sweep,
            "created_at": lambda: as_time(self.created_at),
            "createdAt": lambda: as_time(self.created_at),
            "heartbeat_at": lambda: as_time(self.heartbeat),
            "heartbeatAt": lambda: as_time(self.heartbeat),
        }
        if key in simple:
            return simple[key]()
        kind, _, rest = key.partition(".")
        if kind == "config":
            return _at(self.config, rest.replace(".value", "", 1))
        if kind == "summary_metrics":
            return _at(self.last_values, rest)
        raise FilterError(f"unknown field {key}")


def as_time(seconds: float) -> str:
    """A point in time as the server writes it."""
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def in_order(runs: list[ServedRun], order: str | None) -> list[ServedRun]:
    """`runs` by an order such as ``-created_at``; those without a value come last."""
    order = order or "+created_at"
    key = order.lstrip("+-")
    with_value = [run for run in runs if run.named(key) is not None]
    without = [run for run in runs if run.named(key) is None]
    return sorted(with_value, key=lambda run: run.named(key), reverse=order.startswith("-")) + without


def _compare(operator: str, value: Any, operand: Any) -> bool:
    if isinstance(value, list) and operator in ("$eq", "$in", "$regex"):
        return any(_compare(operator, one, operand) for one in value)
    if isinstance(value, list) and operator in ("$ne", "$nin"):
        return all(_compare(operator, one, operand) for one in value)
    if operator == "$eq":
        return bool(value == operand)
    if operator == "$ne":
        return bool(value != operand)
    if operator == "$in":
        return value in operand
    if operator == "$nin":
        return value not in operand
    if operator == "$exists":
        return (value is not None) == bool(operand)
    if operator == "$regex":
        if _RE2_LACKS.search(operand):
            raise FilterError(f"invalid regular expression {operand}")
        return isinstance(value, str) and re.search(operand, value) is not None
    compared = {
        "$gt": lambda: value > operand,
        "$gte": lambda: value >= operand,
        "$lt": lambda: value < operand,
        "$lte": lambda: value <= operand,
    }
    if operator not in compared:
        raise FilterError(f"unknown operator {operator}")
    return value is not None and isinstance(operand, str) == isinstance(value, str) and compared[operator]()


def _at(values: Mapping[str, Any], key: str) -> Any:
    """The value of a key, or of a path of keys into dicts; None where there is none."""
    if key in values:
        return values[key]
    head, _, rest = key.partition(".")
    inner = values.get(head)
    return _at(inner, rest) if rest and isinstance(inner, Mapping) else None


def _type_of(value: Any) -> str:
    if isinstance(value, float | int):
        return "number"
    if isinstance(value, str):
        return "number" if value in _SPECIAL else "string"
    return str(value.get("_type", "map")) if isinstance(value, dict) else "other"


def in_json(value: Any) -> Any:
    """A value as the server's JSON has it: no NaN, and no fraction where there is none."""
    if isinstance(value, float):
        if value.is_integer():
            return int(value) if abs(value) < 2**53 else value
        if math.isfinite(value):
            return value
        return "NaN" if math.isnan(value) else "Infinity" if value > 0 else "-Infinity"
    if isinstance(value, dict):
        return {key: in_json(inner) for key, inner in value.items()}
    return [in_json(inner) for inner in value] if isinstance(value, list) else value


def _items(items: Any) -> Row:
    """The items of a record, nested keys as dicts in dicts."""
    values: Row = {}
    for item in items:
        if item.value_json:
            *outer, key = item.nested_key or [item.key]
            inner = values
            for name in outer:
                inner = inner.setdefault(name, {})
            inner[key] = json.loads(item.value_json)
    return values


def _parquet_files(rows: list[Row], files_of: int) -> list[bytes]:
    if not rows:
        return []
    keys = dict.fromkeys(key for row in rows for key in row)
    table = pa.table({key: _column([row.get(key) for row in rows]) for key in keys})
    return [_file(table.slice(start, files_of)) for start in range(0, len(rows), files_of)]


def _column(values: list[Any]) -> Any:
    """Numbers as float64 where one of them is, or is not finite; everything else as pyarrow infers it."""
    values = [_SPECIAL.get(value, value) if isinstance(value, str) else value for value in values]
    return pa.array(values, pa.float64()) if any(isinstance(value, float) for value in values) else pa.array(values)


def _file(table: Any) -> bytes:
    buffer = io.BytesIO()
    pq.write_table(table, buffer)
    return buffer.getvalue()
