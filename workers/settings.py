"""Every bound of the engine, and what a processor may change of it. Frozen, read once at the edge.

The three families: `EngineSettings` (all processors of a process), `ProcessorOptions` (`options` of one
processor; what it does not say comes from the engine's), `ServiceSettings` (PENSTOCK_* of the environment).
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Annotated, Any, Final, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, WithJsonSchema
from pydantic.alias_generators import to_camel

from workers.errors import Invalid, Problem

MIB: Final = 1024 * 1024

# Documents that stand in line at a $throttle before no more are taken up: two turns of a slice, so that its
# rate is reached.
MAX_THROTTLED_RECORDS: Final = 200
# Documents that pass it before other tasks of the loop have their turn: about 2 ms at 20 us each.
THROTTLE_SLICE_RECORDS: Final = 100

# Documents that wait for each place of a call site before no more are taken up: one turn more keeps the
# places busy, a second one covers a slice that comes late.
WAITING_PER_PLACE: Final = 2
# Documents that wait because a call with their `partitionBy` value is open, for each place: where few values
# come at once, more documents have to be looked at to find work for every place.
GATED_PER_PLACE: Final = 16
# Full batches that wait for each place: what fills a place again while the next batch forms.
BATCHES_PER_PLACE: Final = 1

# Bytes of requests that one process has in flight or waiting for their next attempt; further calls wait. 64
# places with the largest batches (6 MiB) would be 384 MiB, more than the 250 MB that a process may take.
MAX_OUTSTANDING_BYTES: Final = 128 * MIB
# Calls that are open at once at first: doubled each round of answers, so 256 are open after five.
LIMIT_START: Final = 8
# Retries of a function that the budget lends before answers earn more: AWS's SDKs lend 500 tokens of which a
# retry takes 5.
RETRY_BUDGET_RETRIES: Final = 100
# While a function is held it is probed so often: at first, and at most after doubling.
HOLD_PROBE_FIRST_SECONDS: Final = 5.0
HOLD_PROBE_CAP_SECONDS: Final = 60.0
# Atlas restarts a processor for as long before it gives up.
HOLD_TIMEOUT_SECONDS: Final = 300.0

# A processor that failed of something that may be mended starts again after this, and at most after doubling
# up to the second; the first is what a role or a deploy takes to come back, the second what a person waits.
RESTART_FIRST_SECONDS: Final = 1.0
RESTART_CAP_SECONDS: Final = 60.0
# It stays FAILED when no start got past the same place for as long, as Atlas does it.
RESTART_WINDOW_SECONDS: Final = 300.0

# What one expression may take of the loop at most: about 40 ms for hashing so much in Python ...
MAX_XXH64_BYTES: Final = MIB
# ... and about 0.5 s for finding matches: finding the place of one looks at the text before it again.
MAX_MATCHING_CHARACTERS: Final = 200_000_000

# The body of a request of $https, and of its answer: what a document may be.
MAX_HTTPS_REQUEST_BYTES: Final = 16 * MIB
MAX_HTTPS_ANSWER_BYTES: Final = 16 * MIB
# Connections that one Https connection keeps open; over it requests wait within their own time-out.
MAX_HTTPS_CONNECTIONS: Final = 1_024

# Questions that one processor has open to a schema registry: each is answered in milliseconds.
MAX_SCHEMA_REQUESTS: Final = 8
# Records that are taken up at once where values have schemas: about 5 ms at 100 us for one, in and out.
SCHEMA_SLICE_RECORDS: Final = 50
# A registry that is away is asked again after so long: at first, and at most after doubling. Records wait.
SCHEMA_RETRY_FIRST_SECONDS: Final = 0.25
SCHEMA_RETRY_CAP_SECONDS: Final = 15.0
# A registry that does not let us in for so long, or is none, fails the processor: as a broker's permissions.
SCHEMA_DENIED_SECONDS: Final = 300.0

# What Lambda lets a function run at most. As the time-out of a call it stands for the function's own, which
# the preflight learns; where that is not permitted it holds as it is.
FUNCTION_RUN_SECONDS: Final = 900.0
# An async call ends when Lambda has put it into its queue: some 20 ms, and nobody waits for the function.
ACCEPT_SECONDS: Final = 60.0

# A pod with a longer grace period is rare, and a typing error in the unit is not.
MAX_DRAIN_SECONDS: Final = 600
DURATION_RULE: Final = "a time such as 500ms, 25s or 5m (a bare number counts seconds)"
SIZE_RULE: Final = "a size such as 512KiB or 16MiB (a bare number counts bytes)"
_DURATION: Final = re.compile(r"(\d{1,9}(?:\.\d{1,6})?)\s*(ms|s|m|h)?")
_DURATION_UNITS: Final = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0}
_SIZE: Final = re.compile(r"(\d{1,15})\s*(B|KiB|MiB|GiB)?")
_SIZE_UNITS: Final = {"B": 1, "KiB": 1024, "MiB": MIB, "GiB": 1024 * MIB}


@dataclass(frozen=True, slots=True)
class EngineSettings:
    """Bounds of one processor in one engine process. Seconds, bytes and records as the names say."""

    # Records between being taken and being settled. 20 ms calls at 5,000 records/s keep 100 in flight; 10,000
    # also hold two seconds of that rate while a call at the head of a partition is tried again.
    max_buffered_records: int = 10_000
    # The same in bytes of record values: 6.5 KB a record at the bound above. With decoded documents (about 3
    # times their text) a full processor stays under the 250 MB a process that the design promises.
    max_buffered_bytes: int = 64 * MIB
    # Records asked of the client at once: 1.5 ms of work at 3 us a record, so a pause or a revocation waits
    # no longer for the poll thread.
    poll_batch_records: int = 500
    # Records that a segment works on before other tasks of the loop have their turn: about 3 ms at 6 us each.
    slice_records: int = 500
    # A crash repeats what was acked and not yet committed: half a second of the rate, at 2 commits a second.
    commit_interval_seconds: float = 0.5
    # The same under exactly-once, where results wait for it: they come this late, and five transactions a
    # second of some 10 requests each cost a broker little.
    transaction_interval_seconds: float = 0.2
    # One transaction: written in some 100 ms at 100,000 records/s, and far under its time-out of 10 s where a
    # broker takes a tenth of that.
    max_transaction_records: int = 10_000
    max_transaction_bytes: int = 32 * MIB
    # SIGTERM to the end; under the 30 s that Kubernetes grants before it kills the pod.
    drain_timeout_seconds: float = 25.0
    # What open calls get when their partition moves away. The poll thread stands still for it, so it must
    # stay far below max.poll.interval.ms (300 s); most calls end within 5 s.
    revoke_drain_seconds: float = 5.0
    # A full processor first stops asking for this long, then pauses: a pause throws away what the client
    # fetched ahead (measured: 60 MB for 13,000 records when flapping).
    hold_before_pause_seconds: float = 1.0
    # A larger record is poison. The broker's own default is 1 MB; the embedded one takes 16 MiB.
    max_record_bytes: int = 16 * MIB
    # What librdkafka fetches ahead, for the whole process; divided by the number of processors.
    fetch_ahead_kilobytes: int = 65_536
    # The least that one processor gets of it: one fetch of a partition (max.partition.fetch.bytes, 1 MiB).
    min_fetch_ahead_kilobytes: int = 1_024
    # Topics that one $emit may name by expression, in one process since its start: Atlas's limit. 1,000 names
    # of 249 characters are 0.25 MB here; the client keeps some 10 KB more for each.
    max_dynamic_topics: int = 1_000
    # The `doc` of a dead letter is cut here: it helps a person, the original value is whole beside it.
    dead_letter_doc_bytes: int = 8 * 1024
    # Connections to one endpoint of functions. A call above them waits for a free one within its time-out.
    max_connections: int = 1_024
    # A second SYN goes out after 1 s, a third after 3 s: longer than 5 s nobody is there.
    connect_timeout_seconds: float = 5.0
    # Load balancers drop a connection that idles for 60 s: it is not used again after less.
    idle_connection_seconds: int = 50
    # What the checks of one function may take at start. They run beside each other.
    preflight_seconds: float = 10.0
    # Between two looks at the files of secrets. Kubernetes renews a mounted secret within about a minute.
    secrets_look_seconds: float = 5.0
    # Between two writings of what was learned of the limits of functions: a crash forgets as much.
    limits_interval_seconds: float = 30.0
    # Between two frames of an engine to its supervisor, which calls 30 s of silence dead.
    status_interval_seconds: float = 1.0

    def __post_init__(self) -> None:
        assert 0 < self.poll_batch_records <= self.max_buffered_records
        assert 0 < self.max_record_bytes
        assert self.revoke_drain_seconds <= self.drain_timeout_seconds

    def with_options(self, options: ProcessorOptions) -> EngineSettings:
        """These settings with what the processor says otherwise."""
        said = {
            "max_buffered_records": options.max_buffered_records,
            "max_buffered_bytes": options.max_buffered_bytes,
            "commit_interval_seconds": options.commit_interval,
            "drain_timeout_seconds": options.drain_timeout,
            "revoke_drain_seconds": options.revoke_drain,
            "max_record_bytes": options.max_record_bytes,
        }
        if options.delivery == "exactly-once" and options.commit_interval is None:
            said["commit_interval_seconds"] = self.transaction_interval_seconds
        changed: dict[str, Any] = {name: value for name, value in said.items() if value is not None}
        records = changed.get("max_buffered_records", self.max_buffered_records)
        # One partition must not fill a small room with a single answer of the client.
        changed["poll_batch_records"] = min(self.poll_batch_records, max(1, records // 8))
        drain = changed.get("drain_timeout_seconds", self.drain_timeout_seconds)
        revoke = changed.get("revoke_drain_seconds", self.revoke_drain_seconds)
        changed["revoke_drain_seconds"] = min(revoke, drain)
        return replace(self, **changed)

    def fetch_ahead_each(self, processors: int) -> int:
        """Kilobytes that one of `processors` consumers may fetch ahead (queued.max.messages.kbytes)."""
        return max(self.min_fetch_ahead_kilobytes, self.fetch_ahead_kilobytes // max(1, processors))


def seconds_of(value: Any) -> float:
    """`25`, `"25s"`, `"500ms"`, `"5m"` as seconds. Raises ValueError with what would be right."""
    if isinstance(value, int | float) and not isinstance(value, bool):
        return float(value)
    found = _DURATION.fullmatch(value.strip()) if isinstance(value, str) else None
    if found is None:
        raise ValueError(DURATION_RULE)
    return float(found[1]) * _DURATION_UNITS[found[2] or "s"]


def bytes_of(value: Any) -> int:
    """`1024`, `"512KiB"`, `"16MiB"` as bytes. Raises ValueError with what would be right."""
    if isinstance(value, int) and not isinstance(value, bool):
        return value
    found = _SIZE.fullmatch(value.strip()) if isinstance(value, str) else None
    if found is None:
        raise ValueError(SIZE_RULE)
    return int(found[1]) * _SIZE_UNITS[found[2] or "B"]


def bytes_text(count: float) -> str:
    """A size as one writes it: `1 byte`, `512 KiB`, `16 MiB`; in bytes where it is no whole one of those."""
    for unit, size in (("GiB", 1024 * MIB), ("MiB", MIB), ("KiB", 1024)):
        if count and count % size == 0:
            return f"{count / size:g} {unit}"
    return "1 byte" if count == 1 else f"{count:,.0f} bytes"


Seconds = Annotated[float, BeforeValidator(seconds_of), WithJsonSchema({"type": ["number", "string"]})]
Bytes = Annotated[int, BeforeValidator(bytes_of), WithJsonSchema({"type": ["integer", "string"]})]


class Model(BaseModel):
    """What a user writes: camelCase keys, unknown ones refused, never changed, inputs kept out of errors."""

    model_config = ConfigDict(
        frozen=True, extra="forbid", alias_generator=to_camel, populate_by_name=False,
        hide_input_in_errors=True, protected_namespaces=(),
    )  # fmt: skip


class DeadLetterOptions(Model):
    """`options.dlq`: where records go that can never pass. A part left out keeps its default."""

    connection_name: str | None = Field(
        default=None, min_length=1, description="the name of a Kafka connection"
    )
    topic: str | None = Field(default=None, min_length=1, max_length=249, description="the name of a topic")
    format: Literal["header", "document"] = "header"


class ProcessorOptions(Model):
    """`options` of a processor. None: the engine's default.

    Without `dlq` dead letters go to `<processor>.dlq` on the connection of the `$source`: nothing is lost by
    leaving it out.
    """

    dlq: DeadLetterOptions = Field(default_factory=DeadLetterOptions)
    delivery: Literal["at-least-once", "exactly-once"] = "at-least-once"
    ordering: Literal["partition", "key", "none"] = "partition"
    tombstones: Literal["pass", "drop", "dlq"] = "pass"
    on_data_loss: Literal["fail", "earliest", "latest"] = "fail"
    # None: replay under at-least-once, fail under exactly-once, where a repeat would break the promise.
    on_unreadable_progress: Literal["fail", "replay"] | None = None
    drain_timeout: Seconds | None = Field(default=None, ge=0, le=MAX_DRAIN_SECONDS)
    # The poll thread stands still for it: a fifth of max.poll.interval.ms (300 s) is safe.
    revoke_drain: Seconds | None = Field(default=None, ge=0, le=60)
    # Below 50 ms the commits themselves become the load; above 60 s a crash repeats a minute of records.
    commit_interval: Seconds | None = Field(default=None, ge=0.05, le=60)
    max_buffered_records: int | None = Field(default=None, ge=1, le=1_000_000, strict=True)
    max_buffered_bytes: Bytes | None = Field(default=None, ge=MIB, le=8 * 1024 * MIB)
    # 0: FAILED at the first failure. Up to a day: what is not mended by then needs a person in any case.
    restart_window: Seconds = Field(default=RESTART_WINDOW_SECONDS, ge=0, le=86_400)
    # 64 MiB is message.max.bytes of our producers: nothing larger could be dead-lettered.
    max_record_bytes: Bytes | None = Field(default=None, ge=1024, le=64 * MIB)

    @property
    def unreadable_progress(self) -> Literal["fail", "replay"]:
        """What a commit without a readable map means for this processor."""
        return self.on_unreadable_progress or ("replay" if self.delivery == "at-least-once" else "fail")


_ID_PART: Final = re.compile(r"[A-Za-z0-9._-]{1,128}")
LOG_LEVELS: Final = ("debug", "info", "warning", "error")
# Processes are meant for one core each; more than 64 on one machine is a typing error.
MAX_PROCESSES: Final = 64


@dataclass(frozen=True, slots=True)
class ServiceSettings:
    """What the environment says of a whole `penstock worker`; options of the command win over it."""

    log_level: str = "info"
    metrics_host: str = "127.0.0.1"
    metrics_port: int = 9464
    processes: int = 1
    # Both become part of transactional ids, `<release>-<slot>-<number>-<processor>`: the release keeps two
    # installations on one cluster apart, the slot two machines. An empty slot is the name of the host.
    release: str = "penstock"
    slot: str = ""
    # What a processor drains for at most, whatever its options say: the supervisor kills engines 3 s later.
    drain_timeout_seconds: float = 25.0
    # Consumers keep their partitions over a restart, by an id of release and slot: for machines whose slot
    # stays the same, such as the pods of a StatefulSet.
    is_static_member: bool = False
    # The folder for what a restart need not learn again; empty: one among the temporary files. Nothing
    # depends on it.
    state: str = ""

    @classmethod
    def from_env(cls, env: Mapping[str, str]) -> ServiceSettings:
        """Read PENSTOCK_LOG_LEVEL, PENSTOCK_METRICS_HOST, PENSTOCK_METRICS_PORT, PENSTOCK_PROCESSES,
        PENSTOCK_RELEASE, PENSTOCK_SLOT, PENSTOCK_DRAIN_TIMEOUT, PENSTOCK_STATIC_MEMBERSHIP and
        PENSTOCK_STATE.

        Raises Invalid with every problem. Other PENSTOCK_* names are left alone: Kubernetes makes some of its
        own (PENSTOCK_SERVICE_HOST) for a service of that name.
        """
        problems: list[Problem] = []
        default = cls()
        level = env.get("PENSTOCK_LOG_LEVEL", default.log_level).lower()
        if level not in LOG_LEVELS:
            problems.append(_wrong("PENSTOCK_LOG_LEVEL", level, f"one of {', '.join(LOG_LEVELS)}"))
        found = cls(
            log_level=level,
            metrics_host=env.get("PENSTOCK_METRICS_HOST", default.metrics_host),
            metrics_port=_integer(env, "PENSTOCK_METRICS_PORT", default.metrics_port, (0, 65_535), problems),
            processes=_integer(env, "PENSTOCK_PROCESSES", default.processes, (1, MAX_PROCESSES), problems),
            release=_id_part(env, "PENSTOCK_RELEASE", default.release, problems),
            slot=_id_part(env, "PENSTOCK_SLOT", default.slot, problems),
            drain_timeout_seconds=_drain(env, default.drain_timeout_seconds, problems),
            is_static_member=_flag(env, "PENSTOCK_STATIC_MEMBERSHIP", problems),
            state=env.get("PENSTOCK_STATE", default.state),
        )
        if found.is_static_member and not found.slot:
            expected = "a slot that is the same after a restart, and another one on every machine"
            found_text = "true, and PENSTOCK_SLOT is not set"
            problems.append(Problem("environment", "PENSTOCK_STATIC_MEMBERSHIP", found_text, expected))
        if not found.metrics_host:
            problems.append(_wrong("PENSTOCK_METRICS_HOST", "", "an address to listen on, such as 0.0.0.0"))
        if problems:
            raise Invalid(problems)
        return found


def _drain(env: Mapping[str, str], default: float, problems: list[Problem]) -> float:
    name, text = "PENSTOCK_DRAIN_TIMEOUT", env.get("PENSTOCK_DRAIN_TIMEOUT", "")
    try:
        seconds = seconds_of(text) if text else default
    except ValueError:
        seconds = -1.0
    if 1.0 <= seconds <= MAX_DRAIN_SECONDS:
        return seconds
    problems.append(_wrong(name, text, f"{DURATION_RULE}, from 1s to {MAX_DRAIN_SECONDS}s"))
    return default


def _flag(env: Mapping[str, str], name: str, problems: list[Problem]) -> bool:
    text = env.get(name, "").lower()
    if text not in ("", "true", "false"):
        problems.append(_wrong(name, text, "true or false"))
    return text == "true"


def _id_part(env: Mapping[str, str], name: str, default: str, problems: list[Problem]) -> str:
    text = env.get(name, default)
    if text and not _ID_PART.fullmatch(text):
        problems.append(_wrong(name, text, "letters, digits and . _ - (at most 128)"))
    return text or default


def _integer(
    env: Mapping[str, str], name: str, default: int, bounds: tuple[int, int], problems: list[Problem]
) -> int:
    text = env.get(name, str(default)).strip()
    low, high = bounds
    if re.fullmatch(r"\d{1,9}", text) and low <= int(text) <= high:
        return int(text)
    problems.append(_wrong(name, text, f"a whole number from {low} to {high}"))
    return default


def _wrong(name: str, found: str, expected: str) -> Problem:
    return Problem("environment", name, f"found {found!r}", f"expected {expected}")
