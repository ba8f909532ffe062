"""One pooled libcurl handle: a request in, an InvokeAnswer or an error out."""

from __future__ import annotations

import asyncio
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from ipaddress import ip_address
from typing import Any, Final
from urllib.parse import urlsplit

import pycurl

from workers.adapters.curl_loop import CurlLoop
from workers.adapters.curl_outcome import Transfer, failure
from workers.ports import InvokeAnswer

# A pooled handle keeps its last body until the next call; beyond this it lets go at once.
KEPT_BODY_BYTES: Final = 65_536
# NAT gateways forget an idle connection after 350 s: probes every 60 s keep a long call's alive.
TCP_PROBE_SECONDS: Final = 60
FORBIDDEN: Final = 403
_PERMIT: Final[int] = pycurl.PREREQFUNC_OK
_REFUSE: Final[int] = pycurl.PREREQFUNC_ABORT

_FIELDS: Final = {
    b"x-amz-function-error": "function_error",
    b"x-amz-executed-version": "executed_version",
    b"x-amzn-requestid": "request_id",
    b"x-amzn-errortype": "error_type",
    b"x-amz-log-result": "log_tail",
    b"retry-after": "retry_after_seconds",
}
# Lines that begin with another letter are passed by without a look: half of the lines of an answer.
_FIRST_BYTES: Final = frozenset(b"xXrRH")


@dataclass(frozen=True, slots=True)
class HandleOptions:
    """What every handle of one endpoint has in common. `idle_seconds`: an older idle connection is not
    used; `refused` gets the header lines of each answer with status 403.
    """

    endpoint_url: str
    ca_bundle: str
    user_agent: str
    connect_timeout_seconds: float
    idle_seconds: int
    max_answer_bytes: int
    refused: Callable[[list[bytes]], None]


def is_loopback(url: str) -> bool:
    """Whether the URL names this machine, so that no proxy can be meant."""
    host = urlsplit(url).hostname or ""
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost" or host.endswith(".localhost")


class Exchange:
    """One easy handle with its buffers. Used again for the next call when one is over."""

    __slots__ = (
        "_attempts",
        "_body_bytes",
        "_chunks",
        "_curl",
        "_free",
        "_head",
        "_max_answer_bytes",
        "_met_dead",
        "_refused",
        "_timeout_ms",
        "_url",
        "_what",
        "answer",
        "easy",
    )  # fmt: skip

    def __init__(self, options: HandleOptions, curl: CurlLoop, free: Callable[[Exchange], None]) -> None:
        self.answer: asyncio.Future[InvokeAnswer]
        self._chunks: list[bytes] = []
        self._head: list[bytes] = []
        self._attempts = 0
        self._met_dead = False
        self._body_bytes = 0
        self._curl = curl
        self._timeout_ms = -1
        self._url = self._what = ""
        self._free = free
        self._refused = options.refused
        self._max_answer_bytes = options.max_answer_bytes
        self.easy: Any = self._configured(options)

    def _configured(self, options: HandleOptions) -> Any:
        easy = pycurl.Curl()
        setopt = easy.setopt
        setopt(pycurl.POST, 1)
        setopt(pycurl.WRITEFUNCTION, self._chunks.append)
        setopt(pycurl.HEADERFUNCTION, self._head.append)
        setopt(pycurl.PREREQFUNCTION, self._permit)
        setopt(pycurl.MAXFILESIZE_LARGE, options.max_answer_bytes)
        setopt(pycurl.HTTP_VERSION, pycurl.CURL_HTTP_VERSION_1_1)
        setopt(pycurl.CONNECTTIMEOUT_MS, max(1, int(options.connect_timeout_seconds * 1000)))
        setopt(pycurl.MAXAGE_CONN, options.idle_seconds)
        setopt(pycurl.NOSIGNAL, 1)
        setopt(pycurl.TCP_NODELAY, 1)
        setopt(pycurl.TCP_KEEPALIVE, 1)
        setopt(pycurl.TCP_KEEPIDLE, TCP_PROBE_SECONDS)
        setopt(pycurl.TCP_KEEPINTVL, TCP_PROBE_SECONDS)
        setopt(pycurl.USERAGENT, options.user_agent)
        setopt(pycurl.SSL_VERIFYPEER, 1)
        setopt(pycurl.SSL_VERIFYHOST, 2)
        setopt(pycurl.CAINFO, options.ca_bundle)
        if is_loopback(options.endpoint_url):
            setopt(pycurl.PROXY, "")  # else libcurl reads https_proxy, http_proxy and no_proxy itself
        return easy

    def prepare(
        self, what: str, url: str, headers: Sequence[str | bytes], body: bytes | None, timeout_seconds: float,
        answer: asyncio.Future[InvokeAnswer],
    ) -> None:  # fmt: skip
        """Load the next request. `what` names the call in errors; `answer` gets its result or error."""
        self.answer = answer
        self._what = what
        self._attempts = 0
        self._met_dead = False
        self._body_bytes = 0 if body is None else len(body)
        easy = self.easy
        if url != self._url:
            easy.setopt(pycurl.URL, url)
            self._url = url
        timeout_ms = max(1, int(timeout_seconds * 1000))
        if timeout_ms != self._timeout_ms:
            easy.setopt(pycurl.TIMEOUT_MS, timeout_ms)
            self._timeout_ms = timeout_ms
        easy.setopt(pycurl.HTTPHEADER, headers)
        if body is not None:
            easy.setopt(pycurl.POSTFIELDS, body)

    def _permit(self, _address: str, _local_address: str, _port: int, local_port: int) -> int:
        """Called by libcurl when it is connected and about to write the request.

        It does so again, unasked, when a kept-alive connection breaks before the first byte of an answer. The
        function may have run by then, so only the first attempt is allowed: sending twice is the caller's
        decision. A connection known to be dead is left before anything is written.
        """
        if self._curl.is_dead(local_port):
            self._met_dead = True
            return _REFUSE
        self._attempts += 1
        return _PERMIT if self._attempts == 1 else _REFUSE

    def ended(self, code: int, message: str) -> None:
        """Hand over what came, then go back to the pool."""
        answer = self.answer
        if not answer.done():
            if code == 0:
                answer.set_result(self._whole())
            elif self._met_dead and self._attempts == 0:
                self._met_dead = False
                self._curl.start(self)  # nothing was written, and libcurl has closed that connection
                return
            else:
                answer.set_exception(self.failed(code, message))
        self.release()

    def failed(self, code: int, message: str) -> Exception:
        """The error for libcurl's code, by how far the transfer came."""
        uploaded = int(self.easy.getinfo(pycurl.SIZE_UPLOAD_T))
        transfer = Transfer(
            self._what, self._attempts, uploaded, self._body_bytes, max_answer_bytes=self._max_answer_bytes
        )
        return failure(code, message, transfer)

    def release(self) -> None:
        """Forget the request and go back to the pool."""
        self._chunks.clear()
        self._head.clear()
        if self._body_bytes > KEPT_BODY_BYTES:
            self.easy.setopt(pycurl.POSTFIELDS, b"")
        self._free(self)

    def _whole(self) -> InvokeAnswer:
        chunks = self._chunks
        body = chunks[0] if len(chunks) == 1 else b"".join(chunks)
        status = self.easy.getinfo(pycurl.RESPONSE_CODE)
        if status == FORBIDDEN:
            self._refused(self._head)
        return answer_of(status, self._head, body)


def answer_of(status: int, head: list[bytes], body: bytes) -> InvokeAnswer:
    """An InvokeAnswer out of the header lines as they came.

    Only the last answer's lines count: those of a proxy's CONNECT and of interim answers (1xx) come before.
    """
    found: dict[str, Any] = {}
    for line in head:
        if line[0] not in _FIRST_BYTES:
            continue
        name, colon, value = line.partition(b":")
        if colon:
            field = _FIELDS.get(name.lower())
            if field is not None:
                found[field] = value.strip().decode("latin-1")
        elif line.startswith(b"HTTP/"):
            found.clear()
    if error_type := found.get("error_type"):
        found["error_type"] = error_type.partition(":")[0].rpartition("#")[2]
    if "retry_after_seconds" in found:
        found["retry_after_seconds"] = _seconds(found["retry_after_seconds"])
    return InvokeAnswer(status, body, **found)


def _seconds(text: str) -> float | None:
    """A Retry-After in seconds; Lambda sends no dates."""
    try:
        seconds = float(text)
    except ValueError:
        return None
    return seconds if math.isfinite(seconds) and seconds >= 0 else None
