"""Every bound of the function host, with its default and why."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

MAX_SYNC_REQUEST_BYTES: Final = 6_291_456  # AWS: 6 MiB for RequestResponse
MAX_EVENT_REQUEST_BYTES: Final = 1_048_576  # AWS: 1 MiB for Event
MAX_RESPONSE_BYTES: Final = 6_291_556  # AWS names this number in Function.ResponseSizeTooLarge
MAX_CLIENT_CONTEXT_BYTES: Final = 3_583  # AWS: of the base64 text
LOG_TAIL_BYTES: Final = 4_096  # AWS: X-Amz-Log-Result holds the last 4 KB
# A worker's frame: an answer, or an error or a batch of host calls, which may quote a whole request.
MAX_FRAME_BYTES: Final = MAX_RESPONSE_BYTES + 65_536

# Connections. Heads as long as aiohttp's server takes a line; one with a signature and its session has 3 KB.
MAX_HEAD_BYTES: Final = 8_190
PIPELINED_BYTES: Final = 65_536  # what a caller may send ahead while a call of its connection runs
REMEMBERED_HEADS: Final = 1_024  # parsed once each, about 3 KB; over it they are forgotten and begun anew
CONNECTION_IDLE_SECONDS: Final = 3_630.0  # aiohttp's own: longer than any proxy in front keeps one
REQUEST_PAUSE_SECONDS: Final = 60.0  # without a byte within a call's head or body
REFUSED_SECONDS: Final = 2.0  # a caller that is refused gets so long to ask and to read why
REFUSED_CONNECTIONS: Final = 256  # at once; over it they are closed without a word

# Key sets of token issuers. Issuers publish a new key long before they sign with it: ten minutes are early
# enough, and a key that is taken back is gone after an hour even when the issuer cannot be reached.
KEY_SET_SECONDS: Final = 5.0  # for one fetch; the first caller waits for it
KEY_SET_RETRY_SECONDS: Final = 30.0  # between two fetches, whatever key ids tokens name
KEY_SET_FRESH_SECONDS: Final = 600.0
KEY_SET_STALE_SECONDS: Final = 3_600.0
KEY_SET_BYTES: Final = 1 << 20
KEY_SET_SIZE: Final = 100  # keys; issuers have two or three

# Certificates and accounts are looked at this often: they are read again when a file of them has changed.
ROTATION_SECONDS: Final = 5.0


@dataclass(frozen=True, slots=True)
class HostSettings:
    """Bounds of one function host. The first three are defaults that a function's entry may replace."""

    timeout_seconds: float = 30.0
    memory_bytes: int = 128 << 20  # AWS's default; a JavaScript worker itself takes 15 MB, a Python one 12
    concurrency: int = 10  # workers of one function: 10 x 15 MB; more only helps functions that wait
    # Calls of one function beyond its concurrency, which wait for a worker; above: 429, with 0 at once, as
    # AWS does. Twice a call site's default of 64 calls in flight, from two workers.
    waiting_calls: int = 256
    # How long a call may wait for a worker before it gets 429 (its time-out starts when it runs). Below the
    # 60 s after which callers give up, so nothing runs for a caller that left.
    waiting_seconds: float = 20.0
    waiting_events: int = 1_000  # accepted `Event` calls of one function; above: 429
    waiting_event_bytes: int = 64 << 20  # the same for the whole host: 1,000 x 1 MiB would be 1 GiB
    workers: int = 64  # worker processes of the whole host: about 1 GB at 15 MB each
    # Processes that a Python function may start, and theirs; more ends it. A pool of 2 x 8 fits.
    child_processes: int = 16
    # Open connections; over it a caller gets 503. 15 workers of 64 calls in flight; each is a descriptor, and
    # may hold 64 KiB that its caller sent ahead.
    connections: int = 1_024
    # Bodies of more than those 64 KiB that come, wait or run, all together; over it 503. 42 of the largest.
    body_bytes: int = 256 << 20
    idle_seconds: float = 300.0  # a worker without work for so long is ended
    # A further worker is started only when a call has waited this long: a call of 50 us drains a queue of 64
    # in 3 ms, and a start costs 40 ms of CPU that the running workers need.
    grow_after_seconds: float = 0.05
    load_seconds: float = 10.0  # AWS: the init phase may take 10 s
    failed_load_seconds: float = 1.0  # a source that does not load is not tried again sooner
    drain_seconds: float = 25.0  # under the 30 s that Kubernetes gives a pod
    # How often the app folder is looked at for changes: a saved file is live after two looks and a start.
    # 0: never. 5,000 files take 15 ms of a thread.
    reload_seconds: float = 0.25
    # Where `context.http` may go: `api.example.com`, `*.example.com`, `10.0.0.5:8080`, `*`. Empty: nowhere.
    http_allow: tuple[str, ...] = ()
    http_connections: int = 32  # of the whole host: with the next two 200 MB of answers at most
    http_response_bytes: int = 6 << 20  # what the function could hand on at most
    http_seconds: float = 25.0  # under the default time-out, so that a function learns of it
