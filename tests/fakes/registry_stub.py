"""A schema registry on 127.0.0.1 that speaks Confluent's REST interface as far as clients of Penstock use it.

It checks who asks, keeps subjects with versions, refuses incompatible schemas where a test says which; it can
be slow, broken, away and back on the same port.
"""

from __future__ import annotations

import base64
import json
import ssl
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import unquote, urlsplit

JSON = "application/vnd.schemaregistry.v1+json"


@dataclass(slots=True)
class Version:
    """One version of a subject."""

    number: int
    schema_id: int


@dataclass(slots=True)
class RegistryStub:
    """`authorization` is the header that is let in; None: everybody. `incompatible` names subjects that take
    no further schema, `broken` is a status for every answer, `gate` holds answers back until it is set."""

    authorization: str | None = None
    tls: ssl.SSLContext | None = None
    incompatible: set[str] = field(default_factory=set)
    broken: int | None = None
    gate: threading.Event | None = None
    asked: list[tuple[str, str]] = field(default_factory=list)
    subjects: dict[str, list[Version]] = field(default_factory=dict)
    _schemas: dict[int, dict[str, Any]] = field(default_factory=dict)
    _port: int = 0
    _server: ThreadingHTTPServer | None = None
    _guard: threading.Lock = field(default_factory=threading.Lock)

    @property
    def url(self) -> str:
        return f"{'http' if self.tls is None else 'https'}://127.0.0.1:{self._port}"

    def start(self) -> None:
        """Begin to answer; again on the same port."""
        server = ThreadingHTTPServer(("127.0.0.1", self._port), _handler(self))
        server.daemon_threads = True
        if self.tls is not None:
            server.socket = self.tls.wrap_socket(
                server.socket, server_side=True, do_handshake_on_connect=False
            )
        self._port = server.server_address[1]
        self._server = server
        threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True).start()

    def stop(self) -> None:
        """Nobody answers any more; what was registered stays."""
        if self._server is not None:
            self._server.shutdown()
            self._server.server_close()
            self._server = None

    def add(self, subject: str, schema: Any, kind: str = "AVRO", references: Any = ()) -> int:
        """Register a schema by hand. Returns its id: the same for the same schema."""
        text = schema if isinstance(schema, str) else json.dumps(schema)
        return self._register(
            subject, {"schema": text, "schemaType": kind, "references": list(references)}
        ).schema_id

    def schema(self, number: int) -> dict[str, Any]:
        """What an id stands for."""
        return self._schemas[number]

    def _register(self, subject: str, wanted: dict[str, Any]) -> Version:
        with self._guard:
            versions = self.subjects.setdefault(subject, [])
            found = self._find(subject, wanted)
            if found is not None:
                return found
            number = next((n for n, one in self._schemas.items() if one == wanted), len(self._schemas) + 1)
            self._schemas[number] = wanted
            versions.append(Version(len(versions) + 1, number))
            return versions[-1]

    def _find(self, subject: str, wanted: dict[str, Any]) -> Version | None:
        versions = self.subjects.get(subject, [])
        return next((one for one in versions if self._schemas[one.schema_id] == wanted), None)

    def answer(self, method: str, path: str, headers: dict[str, str], body: bytes) -> tuple[int, Any]:
        """(status, content) of one request."""
        if self.gate is not None:
            self.gate.wait(30)
        if self.broken is not None:
            return self.broken, {"error_code": self.broken * 100 + 1, "message": "broken by the test"}
        if self.authorization is not None and headers.get("authorization") != self.authorization:
            return 401, {"error_code": 401, "message": "Unauthorized"}
        parts = [unquote(part) for part in path.strip("/").split("/")]
        match method, parts:
            case "GET", ["schemas", "ids", number]:
                found = self._schemas.get(int(number))
                return (200, found) if found else _error(40403, "Schema not found")
            case "GET", ["subjects"]:
                return 200, sorted(self.subjects)
            case "GET", ["subjects", subject, "versions", number]:
                return self._version(subject, number)
            case "POST", ["subjects", subject]:
                return self._lookup(subject, _wanted(body))
            case "POST", ["subjects", subject, "versions"]:
                return self._take(subject, _wanted(body))
            case "GET", ["config"]:
                return 200, {"compatibilityLevel": "BACKWARD"}
        return 404, {"message": "no such place"}

    def _version(self, subject: str, number: str) -> tuple[int, Any]:
        versions = self.subjects.get(subject)
        if versions is None:
            return _error(40401, f"Subject '{subject}' not found.")
        found = next((one for one in versions if str(one.number) == number), None)
        if found is None:
            return _error(40402, "Version not found")
        place = {"subject": subject, "version": found.number, "id": found.schema_id}
        return 200, {**place, **self._schemas[found.schema_id]}

    def _lookup(self, subject: str, wanted: dict[str, Any]) -> tuple[int, Any]:
        if subject not in self.subjects:
            return _error(40401, f"Subject '{subject}' not found.")
        found = self._find(subject, wanted)
        if found is None:
            return _error(40403, "Schema not found")
        return 200, {"subject": subject, "version": found.number, "id": found.schema_id, **wanted}

    def _take(self, subject: str, wanted: dict[str, Any]) -> tuple[int, Any]:
        if "invalid" in wanted["schema"]:
            return _error(42201, "Invalid schema")
        if subject in self.incompatible and self._find(subject, wanted) is None:
            return 409, {"error_code": 409, "message": "Schema being registered is incompatible"}
        return 200, {"id": self._register(subject, wanted).schema_id}


def basic(username: str, password: str) -> str:
    """The header of a user."""
    return "Basic " + base64.b64encode(f"{username}:{password}".encode()).decode()


@contextmanager
def registry_stub(**settings: Any) -> Iterator[RegistryStub]:
    """Runs until the block ends."""
    stub = RegistryStub(**settings)
    stub.start()
    try:
        yield stub
    finally:
        if stub.gate is not None:
            stub.gate.set()
        stub.stop()


def _error(code: int, message: str) -> tuple[int, Any]:
    return code // 100, {"error_code": code, "message": message}


def _wanted(body: bytes) -> dict[str, Any]:
    given = json.loads(body)
    return {
        "schema": given["schema"],
        "schemaType": given.get("schemaType", "AVRO"),
        "references": given.get("references") or [],
    }


def _handler(stub: RegistryStub) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        disable_nagle_algorithm = True

        def handle(self) -> None:
            try:
                super().handle()
            except OSError:  # a client that went away, or does not like our certificate
                self.close_connection = True

        def _serve(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
            path = urlsplit(self.path).path
            stub.asked.append((self.command, path))
            headers = {name.lower(): value for name, value in self.headers.items()}
            status, content = stub.answer(self.command, path, headers, body)
            text = json.dumps(content).encode()
            self.send_response(status)
            self.send_header("Content-Type", JSON)
            self.send_header("Content-Length", str(len(text)))
            # A connection that idles would still be answered after `stop`.
            self.send_header("Connection", "close")
            self.end_headers()
            self.wfile.write(text)

        do_GET = do_POST = _serve

        def log_message(self, *_args: Any) -> None:
            """Nothing: a test reads `asked`."""

    return Handler
