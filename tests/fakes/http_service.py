"""An HTTP service on 127.0.0.1 that answers as a test says and keeps what it was asked."""

from __future__ import annotations

import ssl
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any


@dataclass(frozen=True, slots=True)
class Asked:
    """One request as it came."""

    method: str
    target: str
    headers: dict[str, str]
    body: bytes


@dataclass(frozen=True, slots=True)
class Said:
    """An answer. `chunked` sends the body without saying how long it is, `wait` waits for an event first,
    `cut` closes the connection after so many bytes of the body."""

    status: int = 200
    body: bytes = b"{}"
    headers: dict[str, str] = field(default_factory=lambda: {"Content-Type": "application/json"})
    chunked: bool = False
    wait: threading.Event | None = None
    cut: int | None = None


Answering = Callable[[Asked], Said]


@dataclass(slots=True)
class HttpService:
    """A running service. `answer` may be changed while it runs; `first` is set with the first request."""

    url: str
    answer: Answering
    asked: list[Asked]
    first: threading.Event


@contextmanager
def http_service(answer: Answering | None = None, tls: ssl.SSLContext | None = None) -> Iterator[HttpService]:
    """Runs until the block ends; over TLS with a context."""
    service = HttpService("", answer or (lambda _asked: Said()), [], threading.Event())
    server = ThreadingHTTPServer(("127.0.0.1", 0), _handler(service))
    server.daemon_threads = True
    if tls is not None:
        server.socket = tls.wrap_socket(server.socket, server_side=True, do_handshake_on_connect=False)
    service.url = f"{'http' if tls is None else 'https'}://127.0.0.1:{server.server_address[1]}"
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
    thread.start()
    try:
        yield service
    finally:
        server.shutdown()
        server.server_close()
        thread.join(5)


def _handler(service: HttpService) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        def handle(self) -> None:
            try:
                super().handle()
            except OSError:  # a client that does not like our certificate, or whose own we do not like
                self.close_connection = True

        protocol_version = "HTTP/1.1"
        disable_nagle_algorithm = True

        def _serve(self) -> None:
            length = int(self.headers.get("Content-Length") or 0)
            headers = {name.lower(): value for name, value in self.headers.items()}
            asked = Asked(self.command, self.path, headers, self.rfile.read(length))
            service.asked.append(asked)
            service.first.set()
            said = service.answer(asked)
            if said.wait is not None:
                said.wait.wait(10)
            try:
                self._write(said)
            except OSError:
                self.close_connection = True

        def _write(self, said: Said) -> None:
            self.send_response(said.status)
            for name, value in said.headers.items():
                self.send_header(name, value)
            if said.chunked:
                self.send_header("Transfer-Encoding", "chunked")
            else:
                self.send_header("Content-Length", str(len(said.body)))
            self.end_headers()
            if said.cut is not None:
                self.wfile.write(said.body[: said.cut])
                self.close_connection = True
            elif said.chunked:
                for start in range(0, len(said.body), 4_096):
                    part = said.body[start : start + 4_096]
                    self.wfile.write(f"{len(part):x}\r\n".encode() + part + b"\r\n")
                self.wfile.write(b"0\r\n\r\n")
            else:
                self.wfile.write(said.body)

        do_GET = do_POST = do_PUT = do_PATCH = do_DELETE = _serve

        def log_message(self, *_args: Any) -> None:
            """Nothing: a test reads `asked`."""

    return Handler
