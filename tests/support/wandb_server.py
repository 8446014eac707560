"""A loopback server that the real wandb client takes for W&B: a faithful subset of its GraphQL API, with faults.

    with WandbServer() as server:
        run = server.add(ServedRun("abc", rows, exported=1000))
        subprocess.run([...], env=os.environ | server.environment())
        assert server.count("HistoryPage") == 2

Queries are answered by field, whatever the document is called, and the mutations that change a run (upsertBucket) or
the aliases of an artifact (addAliases). As on W&B, a member of the input that is not there, or null, changes nothing,
and one that is there replaces all: tags, config and summary as a whole. What else a client sends is answered with an
error that names it, never with a guess.
"""

from __future__ import annotations

import base64
import contextlib
import json
import re
import shutil
import socket
import sys
import tempfile
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from types import TracebackType
from typing import Any, TypeVar
from urllib.parse import quote, unquote

from wandb_server_faults import Cut, Drop, Errors, Fault, Hang, HtmlPage, Mishap, Sampled, Status
from wandb_server_graphql import QueryError, answer, parse
from wandb_server_runs import FilterError, Row, ServedRun, as_time, in_json, in_order

T = TypeVar("T")

API_KEY = "local-" + "0123456789abcdef" * 3

_COLUMNS = {
    "tags": "tags", "displayName": "name", "notes": "notes", "description": "description", "groupName": "group",
    "jobType": "job_type",
}  # fmt: skip
"""Members of an upsertBucket input, and what they are of a run."""

_REGISTRY = {"project": {"name": "wandb-registry-model", "entity": {"name": "organisation"}}}
_HTML = b"<!DOCTYPE html><html><body>Please sign in to the network.</body></html>"


@dataclass(frozen=True)
class Request:
    """One request: the GraphQL operation with its variables, or "parquet" or "file" with what was fetched."""

    operation: str
    variables: Mapping[str, Any]

    @property
    def run_id(self) -> str | None:
        """The one run that is asked about."""
        known = (self.variables.get(key) for key in ("name", "runName", "run"))
        return next((value for value in known if value is not None), None)


class WandbServer:
    """Serves runs on an ephemeral port of 127.0.0.1 until the context ends."""

    def __init__(self, entity: str = "team") -> None:
        self.entity = entity
        self.api_key = API_KEY
        self.requests: list[Request] = []
        self.ended = threading.Event()
        self.before: Callable[[Request], None] = lambda request: None
        """Called before each request is answered, for what others do on the server meanwhile."""
        self._runs: dict[str, ServedRun] = {}
        self._faults: list[Fault] = []
        self._seen: dict[int, int] = {}  # fault -> requests it was asked about
        self._lock = threading.Lock()
        self._directory = Path(tempfile.mkdtemp(prefix="wandb-server-"))
        self._http = _Server(self)
        self.url = f"http://127.0.0.1:{self._http.server_address[1]}"
        self._thread = threading.Thread(target=self._http.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)

    def __enter__(self) -> WandbServer:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()
        shutil.rmtree(self._directory, ignore_errors=True)

    def stop(self) -> None:
        """Go down: close the port and every connection."""
        if not self.ended.is_set():
            self.ended.set()
            self._http.shutdown()
            self._http.server_close()
            self._http.close_connections()

    # What is served ------------------------------------------------------------------------------------------------

    def add(self, run: ServedRun) -> ServedRun:
        """Serve `run`, after writing what will be served: requests cost little, and rows without a form fail here."""
        _ = run.parquet, run.live_texts, run.history_keys
        self._runs[run.path] = run
        return run

    def remove(self, run: ServedRun) -> None:
        """Delete a run: from now on there is none."""
        del self._runs[run.path]

    def fault(self, fault: Fault) -> None:
        """Let `fault` happen from now on. Of several that apply to a request, the first happens."""
        with self._lock:
            self._faults.append(fault)

    def heal(self) -> None:
        """No faults from now on."""
        with self._lock:
            self._faults.clear()
            self._seen.clear()

    # What was asked ------------------------------------------------------------------------------------------------

    def count(self, operation: str) -> int:
        """How many requests there were for a GraphQL operation, "parquet" or "file"."""
        return sum(request.operation == operation for request in self.requests)

    def forget(self) -> None:
        """Start counting anew."""
        self.requests.clear()

    def environment(self) -> dict[str, str]:
        """Variables for a process whose client is to use this server, and none of this machine's settings."""
        private = {
            f"WANDB_{kind}_DIR": str(self._directory / kind.lower()) for kind in ("CACHE", "CONFIG", "DATA", "ARTIFACT")
        }
        return private | {
            "WANDB_BASE_URL": self.url,
            "WANDB_API_KEY": self.api_key,
            "WANDB_ERROR_REPORTING": "false",
            "WANDB_DIR": str(self._directory),
            "NETRC": str(self._directory / "netrc"),
        }

    # Answers, used by the handler ----------------------------------------------------------------------------------

    def heard(self, operation: str, variables: Mapping[str, Any]) -> Mishap | None:
        """Note a request; what is to befall it."""
        request = Request(operation, variables)
        self.before(request)
        with self._lock:
            self.requests.append(request)
            for place, fault in enumerate(self._faults):
                if fault.operation in (operation, "*") and fault.run_id in (None, request.run_id):
                    seen = self._seen[place] = self._seen.get(place, 0) + 1
                    if seen > fault.after and (fault.times is None or seen <= fault.after + fault.times):
                        return fault.mishap
        return None

    def data(self, document: str, variables: Mapping[str, Any], mishap: Mishap | None) -> dict[str, Any]:
        """The body of a GraphQL response."""
        if isinstance(mishap, Errors):
            return {"data": None, "errors": [{"message": mishap.message}]}
        most = mishap.rows if isinstance(mishap, Sampled) else None
        try:
            asked = parse(document)
            root = _Root(self, most)
            fields = root.fields() if asked.kind == "query" else root.mutations()
            return {"data": answer(asked.fields, fields, variables)}
        except (QueryError, FilterError) as error:
            return {"data": None, "errors": [{"message": str(error)}]}

    def file(self, path: str) -> bytes | None:
        """The content behind a URL of an exported or saved file."""
        kind, _, rest = path.strip("/").partition("/")
        *run_path, name = (unquote(part) for part in rest.split("/"))
        run = self._runs.get("/".join(run_path))
        if run is None:
            return None
        if kind == "file":
            return run.files.get(name)
        exports = run.parquet
        return exports[int(name)] if int(name) < len(exports) else None

    def every_run(self) -> list[ServedRun]:
        return list(self._runs.values())

    def runs(self, entity: str, project: str) -> list[ServedRun]:
        return [run for run in self._runs.values() if (run.entity, run.project) == (entity, project)]


class _Root:
    """What can be asked for, as mappings from field to data or to a function of the field's arguments."""

    def __init__(self, server: WandbServer, most: int | None) -> None:
        self._server = server
        self._most = most  # rows of a history page, None for all

    def fields(self) -> dict[str, Any]:
        return {
            "viewer": {
                "id": "VXNlcjox",
                "entity": self._server.entity,
                "username": self._server.entity,
                "name": self._server.entity,
                "email": f"{self._server.entity}@example.com",
                "admin": False,
                "flags": "{}",
                "deletedAt": None,
                "apiKeys": {"edges": []},
                "teams": {"edges": []},
            },
            "serverInfo": {"features": []},
            "project": self._project,
        }

    def mutations(self) -> dict[str, Any]:
        return {"upsertBucket": self._upsert, "addAliases": self._add_aliases}

    def _upsert(self, input: dict[str, Any]) -> dict[str, Any]:
        """Change a run that exists; making one is no business of a client that reads."""
        found = [run for run in self._server.every_run() if _storage_id(run) == input.get("id")]
        if not found:
            raise QueryError("run not found during upsertBucket")
        run = found[0]
        for key, value in input.items():
            if key not in ("id", "config", "summaryMetrics", *_COLUMNS):
                raise QueryError(f"upsertBucket: this server does not know the input {key}")
            if value is None:
                continue
            if key == "config":
                run.config = {name: one["value"] for name, one in json.loads(value).items()}
            elif key == "summaryMetrics":
                run.summary = json.loads(value)
            elif key in _COLUMNS:
                setattr(run, _COLUMNS[key], value)
        return {"bucket": self._run(run) | {"project": {"name": run.project, "entity": {"name": run.entity}}}}

    def _add_aliases(self, input: dict[str, Any]) -> dict[str, Any]:
        """An alias belongs to one version of a collection: whichever had it has it no longer."""
        for asked in input["aliases"]:
            runs = self._server.runs(asked["entityName"], asked["projectName"])
            versions = [one for run in runs for one in run.artifacts if one.name == asked["artifactCollectionName"]]
            if not any(one.id == input["artifactID"] for one in versions):
                raise QueryError("artifact not found in the collection")
            for one in versions:
                others = [alias for alias in one.aliases if alias != asked["alias"]]
                one.aliases = [*others, asked["alias"]] if one.id == input["artifactID"] else others
        return {"success": True}

    def _project(self, name: str, entityName: str) -> dict[str, Any] | None:
        runs = self._server.runs(entityName, name)
        if not runs:
            return None

        def page(
            filters: str | None = None, after: str | None = None, first: int | None = None, order: str | None = None
        ) -> dict[str, Any]:
            selected = in_order(_matching(runs, filters), order)
            start = int(after) if after else 0
            end = start + (first or 50)
            edges = [{"node": self._run(run), "cursor": str(k)} for k, run in enumerate(selected[start:end], start + 1)]
            cursor = edges[-1]["cursor"] if edges else None
            return {"edges": edges, "pageInfo": {"endCursor": cursor, "hasNextPage": end < len(selected)}}

        def one_run(name: str) -> dict[str, Any] | None:
            found = [run for run in runs if run.id == name]
            return self._run(found[0]) if found else None

        def sweep(sweepName: str) -> dict[str, Any] | None:
            members = [run for run in runs if run.sweep == sweepName]
            return _sweep(sweepName, members) if members else None

        return {
            "internalId": "UHJvamVjdDox",
            "readOnly": False,
            "runCount": lambda filters=None: len(_matching(runs, filters)),
            "runs": page,
            "run": one_run,
            "sweep": sweep,
        }

    def _run(self, run: ServedRun) -> dict[str, Any]:
        url = self._server.url
        parts = "/".join(quote(part, safe="") for part in (run.entity, run.project, run.id))

        def history(minStep: int, maxStep: int, samples: int) -> list[str]:
            return self._thinned(run.page(minStep, maxStep), samples)

        def sampled_history(specs: list[str]) -> list[list[Row]]:
            asked = [json.loads(spec) for spec in specs]
            return [
                self._thinned(run.page_of_keys(spec["keys"], spec["minStep"], spec["maxStep"]), spec["samples"])
                for spec in asked
            ]

        def exports(liveKeys: list[str]) -> dict[str, Any]:
            return {
                "parquetUrls": [f"{url}/parquet/{parts}/{index}" for index in range(len(run.parquet))],
                "liveData": [{key: row[key] for key in liveKeys if key in row} for row in run.live],
            }

        def files(
            names: list[str] | None = None, after: None = None, first: int = 50, pattern: None = None
        ) -> dict[str, Any]:
            nodes = [
                {
                    "id": quote(name),
                    "name": name,
                    "url": lambda upload=False, name=name: f"{url}/file/{parts}/{quote(name, safe='')}",
                    "directUrl": f"{url}/file/{parts}/{quote(name, safe='')}",
                    "sizeBytes": len(content),
                    "mimetype": "",
                    "updatedAt": as_time(run.heartbeat),
                    "md5": "",
                }
                for name, content in run.files.items()
                if not names or name in names
            ]
            return {
                "edges": [{"node": node, "cursor": node["id"]} for node in nodes],
                "pageInfo": {"endCursor": None, "hasNextPage": False},
            }

        home = {"name": run.project, "entity": {"name": run.entity}}

        def artifacts(after: str | None = None, first: int = 50) -> dict[str, Any]:
            start = int(after) if after else 0
            page = run.artifacts[start : start + first]
            end = start + len(page)
            nodes = [
                {
                    "id": one.id,
                    "state": one.state,
                    "versionIndex": one.version,
                    "artifactSequence": {"name": one.name},
                    "aliases": [
                        {"alias": alias, "artifactCollection": {"name": one.name, "project": home}}
                        for alias in one.aliases
                    ]
                    + [{"alias": alias, "artifactCollection": _REGISTRY | {"name": one.name}} for alias in one.linked],
                }
                for one in page
            ]
            return {
                "edges": [{"node": node} for node in nodes],
                "pageInfo": {"endCursor": str(end), "hasNextPage": end < len(run.artifacts)},
            }

        return {
            "id": _storage_id(run),
            "projectId": "1",
            "name": run.id,
            "displayName": run.display_name,
            "state": run.state,
            "config": lambda: json.dumps({key: {"value": value, "desc": None} for key, value in run.config.items()}),
            "summaryMetrics": lambda: json.dumps(in_json(run.last_values)),
            "systemMetrics": "{}",
            "tags": run.tags,
            "sweepName": run.sweep,
            "group": run.group,
            "jobType": run.job_type,
            "commit": None,
            "readOnly": False,
            "createdAt": as_time(run.created_at),
            "heartbeatAt": as_time(run.heartbeat),
            "description": run.description,
            "notes": run.notes,
            "outputArtifacts": artifacts,
            "historyLineCount": run.line_count,
            "historyKeys": lambda: run.history_keys,
            "user": {"name": run.entity, "username": run.entity},
            "history": history,
            "sampledHistory": sampled_history,
            "parquetHistory": exports,
            "fileCount": len(run.files),
            "files": files,
        }

    def _thinned(self, rows: list[T], samples: int) -> list[T]:
        """No more rows than asked for, evenly drawn, as the server samples."""
        most = samples if self._most is None else min(samples, self._most)
        if len(rows) <= most:
            return rows
        return [rows[k * len(rows) // most] for k in range(most)]


def _storage_id(run: ServedRun) -> str:
    return base64.b64encode(f"Run:v1:{run.path}".encode()).decode()


def _matching(runs: list[ServedRun], filters: str | None) -> list[ServedRun]:
    condition = json.loads(filters) if filters else {}
    return [run for run in runs if run.matches(condition or {})]


def _sweep(name: str, members: list[ServedRun]) -> dict[str, Any]:
    running = any(run.state == "running" for run in members)
    return {
        "__typename": "Sweep",
        "id": base64.b64encode(f"Sweep:v1:{name}".encode()).decode(),
        "name": name,
        "displayName": name,
        "method": "random",
        "state": "RUNNING" if running else "FINISHED",
        "description": None,
        "bestLoss": None,
        "config": "method: random\nparameters: {}\n",
        "createdAt": as_time(min(run.created_at for run in members)),
        "updatedAt": None,
        "runCount": len(members),
        "runCountExpected": None,
    }


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 64

    def __init__(self, served: WandbServer) -> None:
        self.served = served
        self._open: set[socket.socket] = set()
        super().__init__(("127.0.0.1", 0), _Handler)

    def process_request(self, request: Any, client_address: Any) -> None:
        self._open.add(request)
        super().process_request(request, client_address)

    def shutdown_request(self, request: Any) -> None:
        self._open.discard(request)
        super().shutdown_request(request)

    def close_connections(self) -> None:
        """Wake the threads that wait for a next request."""
        for connection in list(self._open):
            with contextlib.suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A client that went away is no error of the server; anything else is shown."""
        if not isinstance(sys.exception(), ConnectionError):
            super().handle_error(request, client_address)


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    wbufsize = -1
    server: _Server

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        if self.path != "/graphql":
            self.server.served.heard(self.path, {})
            return self._send(HTTPStatus.NOT_FOUND)
        asked = json.loads(body)
        variables = asked.get("variables") or {}
        mishap = self.server.served.heard(_operation(asked["query"]), variables)
        if self._befallen(mishap):
            return None
        if not self._known():
            return self._send(HTTPStatus.UNAUTHORIZED, b'{"errors": [{"message": "user is not logged in"}]}')
        data = self.server.served.data(asked["query"], variables, mishap)
        return self._send(HTTPStatus.OK, json.dumps(data).encode(), mishap)

    def do_GET(self) -> None:
        kind = self.path.split("/")[1]
        wanted = self.headers.get("Range")
        detail = {"method": self.command, "path": self.path, "range": wanted, "run": self.path.split("/")[-2]}
        mishap = self.server.served.heard(kind if kind in ("parquet", "file") else self.path, detail)
        if self._befallen(mishap):
            return None
        content = self.server.served.file(self.path)
        if content is None:
            return self._send(HTTPStatus.NOT_FOUND)
        if not wanted:
            return self._send(HTTPStatus.OK, content, mishap, kind="application/octet-stream")
        first, last = wanted.removeprefix("bytes=").split("-")
        part = content[int(first) : int(last) + 1 if last else None]
        if not part:
            return self._send(HTTPStatus.REQUESTED_RANGE_NOT_SATISFIABLE)
        return self._send(
            HTTPStatus.PARTIAL_CONTENT,
            part,
            mishap,
            kind="application/octet-stream",
            extra={"Content-Range": f"bytes {first}-{int(first) + len(part) - 1}/{len(content)}"},
        )

    do_HEAD = do_GET

    def _known(self) -> bool:
        given = self.headers.get("Authorization", "").removeprefix("Basic ")
        return given == base64.b64encode(f"api:{self.server.served.api_key}".encode()).decode()

    def _befallen(self, mishap: Mishap | None) -> bool:
        """Let happen what leaves no room for an answer; whether it did."""
        if isinstance(mishap, Status):
            wait = {} if mishap.retry_after is None else {"Retry-After": str(mishap.retry_after)}
            self._send(mishap.code, b'{"errors": [{"message": "fault"}]}', extra=wait)
        elif isinstance(mishap, HtmlPage):
            self._send(HTTPStatus.OK, _HTML, kind="text/html")
        elif isinstance(mishap, Hang | Drop):
            if isinstance(mishap, Hang):
                self.server.served.ended.wait(mishap.seconds)
            self.close_connection = True
        else:
            return False
        return True

    def _send(
        self,
        status: int,
        body: bytes = b"",
        mishap: Mishap | None = None,
        kind: str = "application/json",
        extra: Mapping[str, str] | None = None,
    ) -> None:
        self.send_response(status)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(body)))
        for key, value in (extra or {}).items():
            self.send_header(key, value)
        self.end_headers()
        if self.command == "HEAD":
            return
        if isinstance(mishap, Cut):
            body = body[: int(len(body) * mishap.share)]
            self.close_connection = True
        self.wfile.write(body)

    def log_message(self, format: str, *args: Any) -> None:
        """Say nothing: `WandbServer.requests` is the log."""


def _operation(document: str) -> str:
    """The name of a document's operation; "" where it cannot be told."""
    found = re.search(r"\b(?:query|mutation)\s+(\w+)", document)
    return found.group(1) if found else ""
