"""Which librdkafka settings a Kafka connection's `config` may hold, and why the others may not. Data."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any, Final, Literal

Role = Literal["consumer", "producer", "any"]
"""`any`: settings of the connection itself, which both sides take."""


@dataclass(frozen=True, slots=True)
class Setting:
    """One setting that may be changed: who takes it, and its values: bounds of an integer, true or false, or
    words."""

    role: Role
    low: int = 0
    high: int = 0
    words: tuple[str, ...] = ()
    is_classic: bool = False

    def text(self, value: Any) -> str:
        """The value as librdkafka takes it. Raises ValueError with what would be right."""
        if self.words:
            text = str(value).lower() if isinstance(value, bool) else value
            if text in self.words:
                return str(text)
            raise ValueError(" or ".join(self.words))
        if self.high:
            is_number = isinstance(value, int) and not isinstance(value, bool)
            if is_number or (
                isinstance(value, str) and value.strip().lstrip("-").isdigit() and len(value) < 20
            ):
                if self.low <= int(value) <= self.high:
                    return str(int(value))
            raise ValueError(f"a whole number from {self.low:,} to {self.high:,}")
        if isinstance(value, str) and 0 < len(value) <= 1_000 and value.isprintable():
            return value
        raise ValueError("a text")


_FLAG: Final = ("true", "false")
_INT: Final = 2**31 - 1

SETTINGS: Final[Mapping[str, Setting]] = MappingProxyType({
    "allow.auto.create.topics": Setting("any", words=_FLAG),
    "broker.address.family": Setting("any", words=("any", "v4", "v6")),
    "broker.address.ttl": Setting("any", high=86_400_000),
    "client.dns.lookup": Setting(
        "any", words=("use_all_dns_ips", "resolve_canonical_bootstrap_servers_only")
    ),
    "client.id": Setting("any"),
    "client.rack": Setting("any"),
    "connections.max.idle.ms": Setting("any", high=_INT),
    "message.max.bytes": Setting("any", low=1_000, high=1_000_000_000),
    "metadata.max.age.ms": Setting("any", low=1, high=86_400_000),
    "receive.message.max.bytes": Setting("any", low=1_000, high=_INT),
    "reconnect.backoff.max.ms": Setting("any", high=3_600_000),
    "reconnect.backoff.ms": Setting("any", high=3_600_000),
    "retry.backoff.max.ms": Setting("any", low=1, high=300_000),
    "retry.backoff.ms": Setting("any", low=1, high=300_000),
    "socket.connection.setup.timeout.ms": Setting("any", low=1_000, high=_INT),
    "socket.keepalive.enable": Setting("any", words=_FLAG),
    "socket.receive.buffer.bytes": Setting("any", high=100_000_000),
    "socket.send.buffer.bytes": Setting("any", high=100_000_000),
    "socket.timeout.ms": Setting("any", low=10, high=300_000),
    "ssl.cipher.suites": Setting("any"),
    "topic.metadata.refresh.interval.ms": Setting("any", low=10, high=3_600_000),
    "batch.num.messages": Setting("producer", low=1, high=1_000_000),
    "batch.size": Setting("producer", low=1, high=_INT),
    "compression.level": Setting("producer", low=-1, high=12),
    "compression.type": Setting("producer", words=("none", "gzip", "snappy", "lz4", "zstd")),
    "linger.ms": Setting("producer", high=900_000),
    "queue.buffering.max.kbytes": Setting("producer", low=1, high=_INT),
    "queue.buffering.max.messages": Setting("producer", low=1, high=_INT),
    "request.timeout.ms": Setting("producer", low=1, high=900_000),
    "check.crcs": Setting("consumer", words=_FLAG),
    "fetch.error.backoff.ms": Setting("consumer", high=300_000),
    "fetch.max.bytes": Setting("consumer", low=1, high=2_147_483_135),
    "fetch.min.bytes": Setting("consumer", low=1, high=100_000_000),
    "fetch.wait.max.ms": Setting("consumer", high=300_000),
    "heartbeat.interval.ms": Setting("consumer", low=1, high=3_600_000, is_classic=True),
    "isolation.level": Setting("consumer", words=("read_committed", "read_uncommitted")),
    "max.partition.fetch.bytes": Setting("consumer", low=1, high=1_000_000_000),
    "max.poll.interval.ms": Setting("consumer", low=60_000, high=86_400_000),
    "session.timeout.ms": Setting("consumer", low=1, high=3_600_000, is_classic=True),
})  # fmt: skip

OWN: Final[Mapping[str, str]] = MappingProxyType({
    "acks": "it is all, so that dead letters are safe; for results write $emit.config.acks into the pipeline",
    "auto.offset.reset": "write it into the pipeline: $source.config.auto_offset_reset",
    "bootstrap.servers": "write bootstrapServers",
    "delivery.timeout.ms": "results are never given up by the clock; maxBufferedRecords bounds what waits",
    "enable.auto.commit": "offsets are committed behind acknowledged output, never by a timer",
    "enable.idempotence": "it is always true",
    "group.id": "write it into the pipeline: $source.config.group_id",
    "group.instance.id": "set PENSTOCK_STATIC_MEMBERSHIP; it is made of release and slot",
    "group.protocol": "write groupProtocol beside config",
    "max.in.flight.requests.per.connection": "an idempotent producer keeps it at 5",
    "max.in.flight": "an idempotent producer keeps it at 5",
    "message.timeout.ms": "results are never given up by the clock; maxBufferedRecords bounds what waits",
    "partition.assignment.strategy": "it is always cooperative-sticky under the classic protocol",
    "partitioner": "it is always murmur2_random, so that keys land where Java's clients put them",
    "retries": "an idempotent producer retries until the broker answers",
    "transactional.id": "it is made of PENSTOCK_RELEASE, PENSTOCK_SLOT and the processor's name",
})  # fmt: skip
"""Settings that Atlas or librdkafka know and Penstock decides itself, with the reason."""


def reason_against(name: str) -> str | None:
    """Why `config` may not hold this known setting; None for one that is unknown or allowed."""
    if name in OWN:
        return OWN[name]
    if name.startswith("sasl."):
        return "write authentication"
    if name.startswith("ssl.") or name == "security.protocol":
        return "write security"
    return None
