"""A stub of STS AssumeRole on 127.0.0.1. Enforces role and ExternalId, which moto does not."""

from __future__ import annotations

import threading
from datetime import UTC, datetime, timedelta
from email.utils import formatdate
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType
from typing import Self
from urllib.parse import parse_qs

ASSUMED = """<AssumeRoleResponse xmlns="https://sts.amazonaws.com/doc/2011-06-15/"><AssumeRoleResult>
<AssumedRoleUser><Arn>arn:aws:sts::123456789012:assumed-role/r/penstock</Arn><AssumedRoleId>A:p</AssumedRoleId>
</AssumedRoleUser><Credentials><AccessKeyId>ASIA{number}</AccessKeyId><SecretAccessKey>assumed-secret-{number}
</SecretAccessKey><SessionToken>token-{number}</SessionToken><Expiration>{expires}</Expiration></Credentials>
</AssumeRoleResult></AssumeRoleResponse>"""
REFUSED = """<ErrorResponse xmlns="https://sts.amazonaws.com/doc/2011-06-15/"><Error><Type>Sender</Type>
<Code>{code}</Code><Message>User is not authorized to perform: sts:AssumeRole</Message></Error>
</ErrorResponse>"""
SKEWED = """<ErrorResponse xmlns="https://sts.amazonaws.com/doc/2011-06-15/"><Error><Type>Sender</Type>
<Code>SignatureDoesNotMatch</Code><Message>Signature expired: {signed} is now earlier than our time - 5 min.
</Message></Error></ErrorResponse>"""


class StsStub:
    """Assumes `role_arn` for who sends `external_id`; `lifetime_seconds` is the life of the keys it gives."""

    def __init__(self, role_arn: str, external_id: str | None, lifetime_seconds: float = 3600.0) -> None:
        self.role_arn = role_arn
        self.external_id = external_id
        self.lifetime_seconds = lifetime_seconds
        self.failure: tuple[int, str] | None = None
        self.access_key_id: str | None = None
        """Set: who signs with another key is refused."""
        self.forms: list[dict[str, str]] = []
        self.authorizations: list[str] = []
        self.ends: dict[str, float] = {}
        """When each session token that was given runs out, by the clock of `time.time`."""
        self.clock_offset_seconds = 0.0
        """What this stub's clock is ahead of ours: it takes signatures within 5 minutes of its own time."""
        self.gate = threading.Event()
        self.gate.set()
        stub = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"])).decode()
                status, answer = stub.answer(body, self.headers["Authorization"], self.headers["X-Amz-Date"])
                self.send_response(status)
                self.send_header("Content-Type", "text/xml")
                self.send_header("Content-Length", str(len(answer)))
                self.end_headers()
                self.wfile.write(answer)

            def date_time_string(self, timestamp: float | None = None) -> str:
                """The `Date` of every answer."""
                return formatdate(stub.now().timestamp(), usegmt=True)

            def log_message(self, format: str, *args: object) -> None:
                """Say nothing."""

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.01,), daemon=True)
        self.url = f"http://127.0.0.1:{self._server.server_port}"

    def now(self) -> datetime:
        """The time here."""
        return datetime.now(UTC) + timedelta(seconds=self.clock_offset_seconds)

    def answer(self, body: str, authorization: str, date: str) -> tuple[int, bytes]:
        """(status, XML) for the form body of one request. Waits while `gate` is shut."""
        form = {name: values[0] for name, values in parse_qs(body).items()}
        self.forms.append(form)
        self.authorizations.append(authorization)
        assert self.gate.wait(30), "the test forgot to open the gate"
        status, code = self.failure or (0, "")
        signed = datetime.strptime(date, "%Y%m%dT%H%M%SZ").replace(tzinfo=UTC)
        if abs((signed - self.now()).total_seconds()) > 300:
            return 403, SKEWED.format(signed=date).encode()
        if self.access_key_id is not None and f"Credential={self.access_key_id}/" not in authorization:
            status, code = 403, "InvalidClientTokenId"
        if not code and (form["RoleArn"], form.get("ExternalId")) != (self.role_arn, self.external_id):
            status, code = 403, "AccessDenied"
        if code:
            return status, REFUSED.format(code=code).encode()
        expires = (self.now() + timedelta(seconds=self.lifetime_seconds)).replace(microsecond=0)
        self.ends[f"token-{len(self.forms)}"] = expires.timestamp() - self.clock_offset_seconds
        text = ASSUMED.format(number=len(self.forms), expires=expires.strftime("%Y-%m-%dT%H:%M:%SZ"))
        return 200, text.replace("\n", "").encode()

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.gate.set()
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()
