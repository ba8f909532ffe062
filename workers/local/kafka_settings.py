"""What the embedded Kafka can be told, and the broker's properties made from it. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final, Literal

LISTENER_HOST: Final = "127.0.0.1"
MECHANISMS: Final = ("PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512", "OAUTHBEARER")


@dataclass(frozen=True, slots=True)
class SecurityOptions:
    """One more listener, SASL_SSL, with a certificate made for 127.0.0.1 and localhost.

    `users` (name -> password) may come in by PLAIN, SCRAM-SHA-256 and SCRAM-SHA-512. OAUTHBEARER takes
    unsecured tokens of anybody: it exists to try clients, not to keep anyone out.
    """

    users: Mapping[str, str]

    def __post_init__(self) -> None:
        assert self.users, "a SASL listener needs at least one user"


@dataclass(frozen=True, slots=True)
class KafkaSettings:
    """Settings of one embedded broker; the defaults are for development and tests on one machine.

    `group_session_timeout_ms` is also its own minimum: under `groupProtocol: consumer` the broker decides how
    soon a killed member is missed. `properties` are added last and win over everything else.
    """

    auto_create_topics: bool = True
    partitions: int = 1
    heap_mb: int = 512
    # C1 alone starts in half the time and is enough for tests; "full" lets C2 in for benchmarks.
    compiler: Literal["quick", "full"] = "quick"
    log_level: Literal["error", "warn", "info", "debug"] = "warn"
    max_message_bytes: int = 16 * 1024 * 1024
    group_session_timeout_ms: int = 6_000
    group_heartbeat_interval_ms: int = 1_000
    retention_check_interval_ms: int = 300_000
    # A warm start takes 1.5 s, a cold one 3.5 s; 120 s is for a machine that runs eight of them at once.
    start_timeout_seconds: float = 120.0
    stop_timeout_seconds: float = 20.0
    security: SecurityOptions | None = None
    properties: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Ports:
    """The TCP ports of one broker on 127.0.0.1; `secure` is None without SecurityOptions."""

    plain: int
    controller: int
    secure: int | None = None


@dataclass(frozen=True, slots=True)
class KeyStore:
    """A PKCS12 key store for the broker, its password, and the CA certificate for clients (PEM)."""

    file: Path
    password: str
    ca_file: Path


def broker_properties(
    settings: KafkaSettings, ports: Ports, log_folder: Path, keys: KeyStore | None
) -> dict[str, str]:
    """The content of server.properties for a single KRaft node that is broker and controller."""
    host = LISTENER_HOST
    properties = {
        "process.roles": "broker,controller",
        "node.id": "1",
        "controller.quorum.voters": f"1@{host}:{ports.controller}",
        "controller.listener.names": "CONTROLLER",
        "inter.broker.listener.name": "PLAINTEXT",
        "listeners": f"PLAINTEXT://{host}:{ports.plain},CONTROLLER://{host}:{ports.controller}",
        "advertised.listeners": f"PLAINTEXT://{host}:{ports.plain}",
        "listener.security.protocol.map": "PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT,SASL_SSL:SASL_SSL",
        "log.dirs": str(log_folder),
        "num.partitions": str(settings.partitions),
        "auto.create.topics.enable": str(settings.auto_create_topics).lower(),
        "message.max.bytes": str(settings.max_message_bytes),
        "replica.fetch.max.bytes": str(settings.max_message_bytes),
        "log.retention.check.interval.ms": str(settings.retention_check_interval_ms),
        "log.initial.task.delay.ms": str(min(30_000, settings.retention_check_interval_ms)),
        **_groups(settings),
        **SINGLE_NODE,
    }
    if settings.security is not None:
        assert keys is not None, "a SASL_SSL listener needs a key store"
        assert ports.secure is not None, "a SASL_SSL listener needs a port"
        for name in ("listeners", "advertised.listeners"):
            properties[name] += f",SASL_SSL://{host}:{ports.secure}"
        properties |= _sasl_ssl(settings.security, keys)
    return properties | dict(settings.properties)


# Sizes of a one-node cluster: few partitions and threads make start and stop quick, and the log cleaner's
# default buffer (128 MB) would take a quarter of the heap.
SINGLE_NODE: Final = {
    "offsets.topic.replication.factor": "1",
    "offsets.topic.num.partitions": "4",
    "transaction.state.log.replication.factor": "1",
    "transaction.state.log.min.isr": "1",
    "transaction.state.log.num.partitions": "4",
    "share.coordinator.state.topic.replication.factor": "1",
    "share.coordinator.state.topic.min.isr": "1",
    "share.coordinator.state.topic.num.partitions": "1",
    "log.cleaner.dedupe.buffer.size": str(16 * 1024 * 1024),
    # After kill -9 the controller lets the broker in again only when its old session is over: 11 s by default
    # (9 s and a heartbeat of 2 s), 6 s with these. Less would fence a broker that a busy machine holds up.
    "broker.session.timeout.ms": "5000",
    "broker.heartbeat.interval.ms": "1000",
    "num.network.threads": "2",
    "num.io.threads": "4",
    "background.threads": "2",
}


def _groups(settings: KafkaSettings) -> dict[str, str]:
    session, heartbeat = settings.group_session_timeout_ms, settings.group_heartbeat_interval_ms
    return {
        "group.initial.rebalance.delay.ms": "0",
        "group.min.session.timeout.ms": "1000",
        "group.consumer.session.timeout.ms": str(session),
        "group.consumer.min.session.timeout.ms": str(session),
        "group.consumer.heartbeat.interval.ms": str(heartbeat),
        "group.consumer.min.heartbeat.interval.ms": str(heartbeat),
    }


def _sasl_ssl(security: SecurityOptions, keys: KeyStore) -> dict[str, str]:
    prefix = "listener.name.sasl_ssl"
    common, oauth = "org.apache.kafka.common.security", "oauthbearer.OAuthBearerLoginModule"
    plain_users = " ".join(f"{jaas_quoted(f'user_{name}', text)}" for name, text in security.users.items())
    scram = f"{common}.scram.ScramLoginModule required;"
    return {
        f"{prefix}.sasl.enabled.mechanisms": ",".join(MECHANISMS),
        f"{prefix}.plain.sasl.jaas.config": f"{common}.plain.PlainLoginModule required {plain_users};",
        f"{prefix}.scram-sha-256.sasl.jaas.config": scram,
        f"{prefix}.scram-sha-512.sasl.jaas.config": scram,
        f"{prefix}.oauthbearer.sasl.jaas.config": (
            f'{common}.{oauth} required unsecuredLoginStringClaim_sub="broker";'
        ),
        f"{prefix}.ssl.keystore.type": "PKCS12",
        f"{prefix}.ssl.keystore.location": str(keys.file),
        f"{prefix}.ssl.keystore.password": keys.password,
        f"{prefix}.ssl.key.password": keys.password,
    }


def jaas_quoted(name: str, text: str) -> str:
    """`name="text"` as a JAAS option, quotes and backslashes escaped."""
    escaped = text.replace("\\", "\\\\").replace('"', '\\"')
    return f'{name}="{escaped}"'


def scram_arguments(security: SecurityOptions) -> list[str]:
    """Arguments for `StorageTool format` that create the users for both SCRAM mechanisms."""
    return [
        argument
        for name, password in security.users.items()
        for mechanism in ("SCRAM-SHA-256", "SCRAM-SHA-512")
        for argument in ("--add-scram", f'{mechanism}=[name="{name}",password="{password}"]')
    ]


def properties_text(properties: Mapping[str, str]) -> str:
    """A Java properties file: sorted, backslashes doubled, everything beyond ASCII as \\uXXXX."""
    return "".join(f"{key}={_escaped(value)}\n" for key, value in sorted(properties.items()))


def _escaped(value: str) -> str:
    assert "\n" not in value, "a property is one line"
    units = value.replace("\\", "\\\\").encode("utf-16-be")
    codes = [units[at] << 8 | units[at + 1] for at in range(0, len(units), 2)]
    return "".join(chr(code) if 0x20 <= code < 0x7F else f"\\u{code:04x}" for code in codes)
