"""What a scenario needs: an app folder of its own, topics, functions and workers on the real broker.

Everything waits for a condition with a deadline, and everything that was started is stopped by its pid at the
end.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import orjson
from confluent_kafka import Consumer, KafkaError, KafkaException, Message, Producer, TopicPartition
from confluent_kafka.admin import AdminClient, ConfigResource, NewTopic, ResourceType

DEAD_LETTER_HEADER: Final = "penstock-dead-letter"
POLL_SECONDS: Final = 0.05
PROGRAM: Final = [sys.executable, "-m", "workers"]


class TimedOut(AssertionError):
    """A condition did not come true in time."""


# Scenarios run side by side, each with a broker at work: what takes 3 s alone took 20 s in the busiest run.
PATIENCE: Final = 4.0


def until(condition: Callable[[], object], within: float, what: str = "") -> None:
    """Wait for a condition. Fails after `within` seconds of a quiet machine with what was waited for."""
    deadline = time.monotonic() + within * PATIENCE
    while not condition():
        if time.monotonic() > deadline:
            raise TimedOut(f"not within {within} s: {what or condition}")
        time.sleep(POLL_SECONDS)


@dataclass(frozen=True, slots=True)
class Seen:
    """A record read back from a topic."""

    partition: int
    offset: int
    key: bytes | None
    value: bytes | None
    headers: list[tuple[str, bytes | None]]
    timestamp_ms: int

    @property
    def json(self) -> Any:
        return None if self.value is None else orjson.loads(self.value)

    @property
    def why(self) -> dict[str, Any]:
        """The dead-letter header."""
        found: dict[str, Any] = orjson.loads(dict(self.headers)[DEAD_LETTER_HEADER] or b"")
        return found


@dataclass(slots=True)
class WorkerProcess:
    """One `penstock worker`."""

    process: subprocess.Popen[bytes]
    address_file: Path
    log_file: Path

    def get(self, path: str) -> tuple[int, str]:
        """(status, text) of a page of the supervisor; (0, "") while it does not answer."""
        try:
            address = self.address_file.read_text().strip()
            with urllib.request.urlopen(f"{address}{path}", timeout=40) as answer:
                return answer.status, answer.read().decode()
        except urllib.error.HTTPError as error:
            return error.code, error.read().decode()
        except (OSError, ValueError):
            return 0, ""

    def status(self, processor: str) -> dict[str, Any]:
        """The sums of one processor over the worker's engine processes; {} while it is not known."""
        code, text = self.get("/status")
        if code != 200:
            return {}
        for entry in json.loads(text)["processors"]:
            if entry["name"] == processor:
                return dict(entry)
        return {}

    def is_ready(self) -> bool:
        return self.get("/readyz")[0] == 200

    def engine_pids(self) -> list[int]:
        import psutil

        return [
            child.pid for child in psutil.Process(self.process.pid).children() if "engine" in child.cmdline()
        ]

    def kill(self) -> None:
        """kill -9 of the supervisor and its engines at the same moment, as a lost machine does it."""
        for pid in [self.process.pid, *self.engine_pids()]:
            os.kill(pid, signal.SIGKILL)
        self.process.wait(60)

    def terminate(self) -> None:
        self.process.send_signal(signal.SIGTERM)

    def wait(self, within: float = 120.0) -> int:
        return self.process.wait(within)

    def log(self) -> str:
        return self.log_file.read_text(errors="replace")


@dataclass(slots=True)
class World:
    """One scenario."""

    bootstrap: str
    folder: Path
    new_name: Callable[[str], str]
    workers: list[WorkerProcess] = field(default_factory=list)
    stub_process: subprocess.Popen[str] | None = None
    stub_url: str = ""
    kafka_extra: dict[str, Any] = field(default_factory=dict)
    client_extra: dict[str, str] = field(default_factory=dict)
    _admin: AdminClient | None = None
    _askers: dict[str, Consumer] = field(default_factory=dict)
    _counts: dict[str, int] = field(default_factory=dict)

    # topics

    def topic(self, purpose: str, partitions: int = 1, **config: str) -> str:
        """A new topic's name. `config` keys are written with underscores for dots."""
        name = self.new_name(purpose)
        new = NewTopic(
            name, num_partitions=partitions, replication_factor=1,
            config={key.replace("_", "."): value for key, value in config.items()},
        )  # fmt: skip
        self.admin().create_topics([new], operation_timeout=60)[name].result(60)
        return name

    def admin(self) -> AdminClient:
        """One client for the scenario: an answer of one that is collected meanwhile is 'Handle is
        terminating'."""
        if self._admin is None:
            self._admin = AdminClient({"bootstrap.servers": self.bootstrap, **self.client_extra})
        return self._admin

    def drop_admin(self) -> None:
        """Before the broker goes down: a client that stays complains of it on stderr."""
        self._admin = None

    def configure_topic(self, topic: str, **config: str) -> None:
        from confluent_kafka.admin import AlterConfigOpType, ConfigEntry

        resource = ConfigResource(ResourceType.TOPIC, topic)
        for key, value in config.items():
            entry = ConfigEntry(key.replace("_", "."), value, incremental_operation=AlterConfigOpType.SET)
            resource.add_incremental_config(entry)
        self.admin().incremental_alter_configs([resource])[resource].result(60)

    def produce(
        self, topic: str, values: Iterable[Any], *, key: Callable[[Any], bytes | None] | None = None,
        headers: list[tuple[str, bytes | None]] | None = None, partition: int = -1, **config: Any,
    ) -> None:  # fmt: skip
        """Write values (dicts as JSON, bytes and None as they are) and wait until they are acked."""
        failures: list[KafkaError] = []

        def delivered(error: KafkaError | None, _message: Message) -> None:
            if error is not None:
                failures.append(error)

        producer = Producer(
            {
                "bootstrap.servers": self.bootstrap,
                "partitioner": "murmur2_random",
                "linger.ms": 5,
                "message.max.bytes": 64 << 20,
                **self.client_extra,
                **config,
            }
        )
        for value in values:
            raw = value if value is None or isinstance(value, bytes) else orjson.dumps(value)
            name = key(value) if key is not None else None
            while True:
                try:
                    producer.produce(
                        topic,
                        raw,
                        name,
                        partition,
                        on_delivery=delivered,
                        headers=headers or [],  # type: ignore[arg-type]
                    )
                    break
                except BufferError:
                    producer.poll(0.1)
            producer.poll(0)
        assert producer.flush(60) == 0
        assert not failures, failures[0]

    def read(self, topic: str, *, committed_only: bool = True) -> list[Seen]:
        """Everything in a topic now, partition by partition in order."""
        consumer = Consumer(
            {
                "bootstrap.servers": self.bootstrap,
                "group.id": self.new_name("reader"),
                "enable.auto.commit": False,
                "enable.partition.eof": True,
                "auto.offset.reset": "earliest",
                "fetch.message.max.bytes": 64 << 20,
                "receive.message.max.bytes": 128 << 20,
                "isolation.level": "read_committed" if committed_only else "read_uncommitted",
                **self.client_extra,
            }
        )
        try:
            partitions = consumer.list_topics(topic, timeout=60).topics[topic].partitions
            consumer.assign([TopicPartition(topic, number, 0) for number in partitions])
            return _read_to_the_ends(consumer, len(partitions))
        finally:
            consumer.close()

    def count(self, topic: str) -> int:
        """Offsets in a topic: its records, when nothing was deleted, compacted or transactional."""
        consumer = self._asker("count")
        ends = [
            consumer.get_watermark_offsets(where, timeout=60) for where in self._partitions(consumer, topic)
        ]
        return sum(high - low for low, high in ends)

    def lag(self, group: str, topic: str) -> int:
        """Offsets from the group's commits, or the beginning without one, to the ends. -1 while a broker that
        came back does not know its groups yet."""
        consumer = self._asker(group)
        total = 0
        try:
            committed = consumer.committed(self._partitions(consumer, topic), timeout=60)
        except KafkaException as error:
            if error.args[0].code() in (KafkaError.NOT_COORDINATOR, KafkaError.COORDINATOR_LOAD_IN_PROGRESS):
                return -1
            raise
        for partition in committed:
            low, high = consumer.get_watermark_offsets(partition, timeout=60)
            total += high - (partition.offset if partition.offset >= 0 else low)
        return total

    def _asker(self, group: str) -> Consumer:
        """A consumer that never joins its group: it is only asked about offsets. One for each group: making
        one takes longer than what it is asked."""
        if group not in self._askers:
            self._askers[group] = Consumer(
                {"bootstrap.servers": self.bootstrap, "group.id": group, **self.client_extra}
            )
        return self._askers[group]

    def _partitions(self, consumer: Consumer, topic: str) -> list[TopicPartition]:
        if topic not in self._counts:
            self._counts[topic] = len(consumer.list_topics(topic, timeout=60).topics[topic].partitions)
        return [TopicPartition(topic, number) for number in range(self._counts[topic])]

    # the app folder

    def write_app(self, connections: Mapping[str, Any], processors: Mapping[str, Mapping[str, Any]]) -> Path:
        """Write connections.yaml and the processors (as JSON, which is YAML) and return the folder."""
        app = self.folder / "app"
        (app / "processors").mkdir(parents=True, exist_ok=True)
        (app / "connections.yaml").write_text(json.dumps(connections))
        for name, processor in processors.items():
            (app / "processors" / f"{name}.json").write_text(json.dumps({"name": name, **processor}))
        return app

    def connections(self, **more: Any) -> dict[str, Any]:
        """A Kafka connection `kafka` to the broker, and `functions` to the stub when it runs."""
        found: dict[str, Any] = {
            "kafka": {"type": "Kafka", "bootstrapServers": self.bootstrap, **self.kafka_extra},
            **more,
        }
        if self.stub_url:
            found["functions"] = {
                "type": "AWSLambda",
                "region": "eu-central-1",
                "endpointUrl": self.stub_url,
                "accessKeyId": "test",
                "secretAccessKey": "test",
            }
        return found

    # processes

    def start_stub(self, **functions: Mapping[str, Any]) -> None:
        """Start the Lambda stub with these behaviours (tests/fakes/lambda_behaviour.py), or change them."""
        if self.stub_process is None:
            self.start_stub_of(["tests.fakes.lambda_stub", "--port", "0"])
        if functions:
            self._stub("/config", {"functions": functions})

    def configure_stub(self, **settings: Any) -> None:
        """Settings of the stub as a whole, such as `known_only`."""
        self._stub("/config", settings)

    def start_stub_of(self, module: list[str]) -> None:
        """Start a stub that is a module of its own and prints its port; `module` begins with its name."""
        assert self.stub_process is None
        self.stub_process = subprocess.Popen(
            [sys.executable, "-m", *module], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )
        assert self.stub_process.stdout is not None
        self.stub_url = f"http://127.0.0.1:{int(self.stub_process.stdout.readline())}"

    def stub_stats(self, function: str) -> dict[str, Any]:
        stats = self._stub("/stats", None)
        return dict(stats["functions"].get(function, {"calls": 0, "ran": 0, "ids": {}}))

    def _stub(self, path: str, data: Any) -> Any:
        body = None if data is None else json.dumps(data).encode()
        with urllib.request.urlopen(f"{self.stub_url}{path}", data=body, timeout=40) as answer:
            return json.loads(answer.read())

    def start_worker(self, app: Path, *arguments: str, env: Mapping[str, str] | None = None) -> WorkerProcess:
        """Start `penstock worker` on the app folder; it has its own port and log."""
        number = len(self.workers)
        address_file, log_file = (
            self.folder / f"worker-{number}.address",
            self.folder / f"worker-{number}.log",
        )
        command = [*PROGRAM, "worker", "--app", str(app), "--metrics-port", "0"]
        with log_file.open("wb") as log:
            process = subprocess.Popen(
                [*command, "--address-file", str(address_file), *arguments],
                stderr=log, stdout=log, stdin=subprocess.DEVNULL, env={**os.environ, **(env or {})},
            )  # fmt: skip
        worker = WorkerProcess(process, address_file, log_file)
        self.workers.append(worker)
        return worker

    def ready_worker(self, app: Path, *arguments: str, within: float = 40.0) -> WorkerProcess:
        """Start a worker and wait until it is ready."""
        worker = self.start_worker(app, *arguments)
        until(lambda: worker.process.poll() is not None or worker.is_ready(), within, "a ready worker")
        assert worker.process.poll() is None, worker.log()[-3_000:]
        return worker

    def stop(self) -> None:
        """Stop what runs, by pid."""
        for worker in self.workers:
            if worker.process.poll() is None:
                worker.terminate()
        for worker in self.workers:
            try:
                worker.wait(60)
            except subprocess.TimeoutExpired:
                worker.kill()
        for asker in self._askers.values():
            asker.close()
        if self.stub_process is not None:
            assert self.stub_process.stdin is not None
            assert self.stub_process.stdout is not None
            self.stub_process.stdin.close()  # it ends with its standard input
            self.stub_process.wait(60)
            self.stub_process.stdout.close()

    def logs(self) -> str:
        """The ends of all workers' logs, for the report of a failed test."""
        return "\n".join(f"--- {worker.log_file.name}\n{worker.log()[-4_000:]}" for worker in self.workers)


def _read_to_the_ends(consumer: Consumer, partitions: int) -> list[Seen]:
    ended: set[int] = set()
    seen: list[Seen] = []
    deadline = time.monotonic() + 60
    while len(ended) < partitions:
        assert time.monotonic() < deadline, "reading a topic to its end took over 60 s"
        for message in consumer.consume(1_000, 0.2):
            error = message.error()
            if error is None:
                seen.append(_seen(message))
            else:
                assert error.code() == KafkaError._PARTITION_EOF, error
                ended.add(message.partition() or 0)
    return sorted(seen, key=lambda record: (record.partition, record.offset))


def _seen(message: Message) -> Seen:
    partition, offset = message.partition(), message.offset()
    assert partition is not None and offset is not None  # noqa: PT018
    headers: Any = message.headers() or []
    return Seen(partition, offset, message.key(), message.value(), list(headers), message.timestamp()[1])
