"""A loopback server that speaks Axiom's query API in its documented shapes, with faults to inject.

with AxiomServer({"events": Dataset(events)}) as server:
    subprocess.run([...], env=os.environ | server.environment("events"))
    assert len(server.queries) <= 8
"""

from __future__ import annotations

import contextlib
import json
import socket
import sys
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType
from typing import Any
from urllib.parse import parse_qs, urlsplit

from axiom_kql import AplError, Dataset

TOKEN = "xaat-3f1c0de5-aaaa-bbbb-cccc-0123456789ab"
TRACE = "trace-0123456789"
PATHS = ("/v1/datasets/_apl", "/v1/query/_apl")
Document = dict[str, Any]


@dataclass(frozen=True)
class Status:
    """An HTTP status, and whatever body and headers with it."""

    code: int
    body: bytes = b""
    headers: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Hang:
    """No answer until the server ends."""


@dataclass(frozen=True)
class Drop:
    """The connection is closed without an answer."""


@dataclass(frozen=True)
class Cut:
    """The true answer, of which a part is missing, though its full length was announced."""


@dataclass(frozen=True)
class Trickle:
    """The true answer, a byte every `seconds`."""

    seconds: float = 0.05


@dataclass(frozen=True)
class Edit:
    """The true answer, changed."""

    change: Callable[[Document], Any]


Fault = Status | Hang | Drop | Cut | Trickle | Edit


@dataclass(frozen=True)
class Asked:
    """One request as it came."""

    path: str
    headers: Mapping[str, str]
    body: Mapping[str, Any]


class AxiomServer:
    """Serves datasets on an ephemeral port of 127.0.0.1 until the context ends."""

    def __init__(self, datasets: Mapping[str, Dataset], token: str = TOKEN) -> None:
        self.datasets = dict(datasets)
        self.token = token
        self.queries: list[Asked] = []
        self.answered = 0  # bytes
        self.ended = threading.Event()
        self._faults: list[tuple[Fault, int]] = []
        self._lock = threading.Lock()
        self._http = _Server(self)
        self.url = f"http://127.0.0.1:{self._http.server_address[1]}"
        self._thread = threading.Thread(target=self._http.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)

    def __enter__(self) -> AxiomServer:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.ended.set()
        self._http.shutdown()
        self._http.server_close()
        self._http.close_connections()

    def fault(self, fault: Fault, times: int = 1_000_000) -> None:
        """Let `fault` befall the next `times` requests; several faults happen one after the other."""
        self._faults.append((fault, times))

    def heal(self) -> None:
        """No faults and no requests from now on."""
        self._faults.clear()
        self.queries.clear()

    def environment(self, dataset: str) -> dict[str, str]:
        """Variables for a process that is to query `dataset` here."""
        return {"AXIOM_URL": self.url, "AXIOM_TOKEN": self.token, "AXIOM_DATASET": dataset}

    # Used by the handler -------------------------------------------------------------------------------------------

    def heard(self, asked: Asked) -> Fault | None:
        with self._lock:
            self.queries.append(asked)
            if not self._faults:
                return None
            fault, times = self._faults[0]
            self._faults[:1] = [(fault, times - 1)] if times > 1 else []
            return fault

    def answer(self, asked: Asked) -> tuple[int, Document]:
        url = urlsplit(asked.path)
        if url.path not in PATHS:
            return 404, {"code": "404", "message": "not found"}
        if asked.headers.get("Authorization") != f"Bearer {self.token}":
            return 401, {"code": "401", "message": "invalid token"}
        if self.token.startswith("xapt-") and asked.headers.get("X-Axiom-Org-Id") != "an-org":
            return 403, {"code": "403", "message": "no access to this organization"}
        if parse_qs(url.query).get("format") != ["tabular"]:
            return 400, {"code": "400", "message": "unknown format"}
        times = [asked.body.get("startTime"), asked.body.get("endTime")]
        if not all(isinstance(one, str) and one.endswith("Z") and "+" not in one for one in times):
            return 400, {"code": "400", "message": "invalid time"}
        apl = str(asked.body.get("apl"))
        name = apl.split("']", 1)[0].removeprefix("['")
        if name not in self.datasets:
            return 404, {"code": "404", "message": "dataset not found"}
        dataset = self.datasets[name]
        start, end = (datetime.fromisoformat(str(one)) for one in times)
        try:
            result = dataset.run(apl, start, end)
        except AplError as error:
            detail = {"message": str(error), "line": 1, "column": 1}
            return 400, {"code": "400", "message": "invalid query", "detail": detail}
        status = {
            "elapsedTime": 1234, "blocksExamined": 1, "rowsExamined": 1, "rowsMatched": 1, "numGroups": 0,
            "isPartial": False, "cacheStatus": 1, "minBlockTime": times[0], "maxBlockTime": times[1],
        }  # fmt: skip
        table = {
            "name": "0",
            "sources": [{"name": name}],
            "fields": [{"name": n, "type": t} for n, t in zip(result.names, result.types, strict=True)],
            "order": [],
            "groups": [{"name": n} for n in result.names if n.startswith("g")],
            "range": {"field": "_time", "start": times[0], "end": times[1]},
            "columns": [[None if value != value else value for value in column] for column in result.columns],
        }
        return 200, {"format": "tabular", "status": status, "tables": [table], "datasetNames": [name]}


class _Server(ThreadingHTTPServer):
    daemon_threads = True

    def __init__(self, axiom: AxiomServer) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.axiom = axiom
        self._connections: set[socket.socket] = set()

    def process_request(self, request: Any, client_address: Any) -> None:
        self._connections.add(request)
        super().process_request(request, client_address)

    def shutdown_request(self, request: Any) -> None:
        self._connections.discard(request)
        super().shutdown_request(request)

    def close_connections(self) -> None:
        for connection in list(self._connections):
            with contextlib.suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)

    def handle_error(self, request: Any, client_address: Any) -> None:
        if not isinstance(sys.exception(), OSError):
            super().handle_error(request, client_address)


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: _Server

    def log_message(self, *arguments: Any) -> None:
        pass

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        asked = Asked(self.path, dict(self.headers.items()), json.loads(body))
        axiom = self.server.axiom
        fault = axiom.heard(asked)
        match fault:
            case Status(code, text, headers):
                self._send(code, text, headers)
            case Hang():
                axiom.ended.wait()
                self.close_connection = True
            case Drop():
                self.close_connection = True
            case _:
                code, document = axiom.answer(asked)
                changed = fault.change(document) if isinstance(fault, Edit) else document
                text = changed if isinstance(changed, bytes) else json.dumps(changed).encode()
                self._send(code, text, {}, fault)

    def _send(self, code: int, text: bytes, headers: Mapping[str, str], fault: Fault | None = None) -> None:
        self.server.axiom.answered += len(text)
        self.send_response(code)
        for name, value in {"X-Axiom-Trace-Id": TRACE, "Content-Type": "application/json", **headers}.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(text)))
        self.end_headers()
        match fault:
            case Cut():
                self.wfile.write(text[: len(text) // 2])
                self.close_connection = True
            case Trickle(seconds):
                for at in range(len(text)):
                    self.wfile.write(text[at : at + 1])
                    if self.server.axiom.ended.wait(seconds):
                        return
            case _:
                self.wfile.write(text)
