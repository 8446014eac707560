"""The obvious way to read a `.wandb` file: every record through the client's protobuf classes, every value decoded.

python benchmarks/parse_everything.py RUN.wandb
"""

from __future__ import annotations

import json
import struct
import sys
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from wandb.proto.wandb_internal_pb2 import Record  # type: ignore[attr-defined]

BLOCK = 32768


def records(data: bytes) -> Iterator[bytes]:
    at, parts = 7, []
    while at + 7 <= len(data):
        left = BLOCK - at % BLOCK
        if left < 7:
            at += left
            continue
        checksum, length, kind = struct.unpack_from("<IHB", data, at)
        chunk = data[at + 6 : at + 7 + length]
        if zlib.crc32(chunk) != checksum:
            raise SystemExit(f"damaged at byte {at}")
        parts.append(chunk[1:])
        at += 7 + length
        if kind in (1, 4):
            yield b"".join(parts)
            parts = []


def main(path: str) -> None:
    columns: dict[str, list[Any]] = {}
    summary: dict[str, Any] = {}
    for body in records(Path(path).read_bytes()):
        record = Record.FromString(body)
        match record.WhichOneof("record_type"):
            case "history":
                for item in record.history.item:
                    columns.setdefault(item.key or "/".join(item.nested_key), []).append(json.loads(item.value_json))
            case "summary":
                for item in record.summary.update:
                    summary[item.key or "/".join(item.nested_key)] = json.loads(item.value_json)
    print(f"{len(columns)} columns, {sum(map(len, columns.values()))} values, {len(summary)} in the summary")


if __name__ == "__main__":
    main(sys.argv[1])
