"""What Prometheus looks at: a broker, a function host, two workers and more, and a steady load."""

from __future__ import annotations

import itertools
import json
import os
import signal
import socket
import subprocess
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

from confluent_kafka import Producer, TopicPartition

from tests.scenarios.world import PROGRAM, WorkerProcess, World, until
from workers.local.kafka import KafkaServer
from workers.local.kafka_settings import KafkaSettings

# Records a second into each topic: enough for rates, little enough for two busy cores.
USUAL: Final = {
    "orders": 20.0,
    "slow": 3.0,
    "fragile": 2.0,
    "brief": 5.0,
    "exact": 10.0,
    "kept": 2.0,
    "lonely": 2.0,
    "batched": 8.0,
}
PARTITIONS: Final = {
    "orders": 4,
    "slow": 2,
    "fragile": 1,
    "brief": 2,
    "exact": 6,
    "kept": 1,
    "lonely": 1,
    "batched": 2,
}
LOAD_SECONDS: Final = 0.2

# A function does what its file of modes says: it is read for each call.
FUNCTION: Final = """
import pathlib, random, time
MODE = pathlib.Path({mode!r})
def handler(event, context):
    mode = MODE.read_text()
    if mode == "throw" or (mode == "throw some" and random.random() < 0.3):
        raise ValueError("no price for this")
    if mode.startswith("wait "):
        time.sleep(float(mode[5:]))
    return {{"price": 12}}
"""
# Answers a batch, and once in a while with an id that nobody asked for.
BATCHES: Final = """
import random
def handler(event, context):
    answers = [{"id": one["id"], "result": "ok", "value": one["value"]} for one in event["records"]]
    return {"records": answers + [{"id": "stranger", "result": "ok"}] * (random.random() < 0.2)}
"""
USUAL_MODES: Final = {
    "price": "ok",
    "slow": "wait 0.2",
    "fragile": "ok",
    "keeper": "ok",
    "narrow": "wait 0.02",
}


def free_port() -> int:
    """One that nobody listens on now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


class Site:
    """Everything that runs. `close` stops it by pid."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._modes = folder / "modes"
        self._modes.mkdir(parents=True)
        for name, mode in USUAL_MODES.items():
            self.mode(name, mode)
        self.broker = KafkaServer(folder / "kafka", KafkaSettings())
        self.broker.start()
        numbers = itertools.count()
        self.world = World(self.broker.address, folder, lambda purpose: f"{purpose}-{next(numbers)}")
        # Its own clients need not complain of the broker while that is away on purpose.
        self.world.client_extra = {"log_level": "0"}
        self.topics = {name: self.world.topic(name, partitions=count) for name, count in PARTITIONS.items()}
        self.results, self.dead = self.world.topic("results", partitions=4), self.world.topic("dead")
        names = ("a", "b", "lonely", "intruder", "host")
        self.ports = {name: free_port() for name in names}
        self._host_port = free_port()
        self.app = self._write_app()
        self.host: subprocess.Popen[bytes] | None = None
        self.workers: dict[str, WorkerProcess] = {}
        self.rates = dict(USUAL)
        self._ended = threading.Event()
        self._threads = [threading.Thread(target=self._load)]

    def start(self) -> None:
        """The host, the workers, the load."""
        self.start_host()
        for name in ("a", "b", "lonely"):
            self.start_worker(name)
        for thread in self._threads:
            thread.start()
        for worker in self.workers.values():
            until(worker.is_ready, 90, "a ready worker")

    def close(self) -> None:
        """Stop what runs."""
        self._ended.set()
        for thread in self._threads:
            if thread.is_alive():
                thread.join(20)
        self.world.stop()
        self.stop_host()
        self.broker.stop()

    # what faults change

    def mode(self, function: str, mode: str) -> None:
        """What a function does from its next call on."""
        beside = self._modes / f"{function}.new"
        beside.write_text(mode)
        beside.replace(self._modes / function)

    def start_host(self) -> None:
        """The function host, on the ports that it had before."""
        command = [*PROGRAM, "functions", "serve", "--app", str(self.app), "--port", str(self._host_port)]
        with (self.folder / "host.log").open("ab") as log:
            self.host = subprocess.Popen(
                [*command, "--metrics-port", str(self.ports["host"])],
                stdout=log, stderr=log, stdin=subprocess.DEVNULL,
            )  # fmt: skip

    def stop_host(self) -> None:
        """End it; nobody answers its address then."""
        if self.host is not None and self.host.poll() is None:
            self.host.terminate()
            self.host.wait(40)

    def start_worker(self, name: str, **env: str) -> None:
        """A worker on its own port: `lonely` runs the processor of that name, the others all the rest."""
        own = ["lonely"] if name == "lonely" else [one for one in PARTITIONS if one != "lonely"]
        chosen = ["exact"] if name == "intruder" else own
        arguments = ["--metrics-port", str(self.ports[name])]
        for processor in chosen:
            arguments += ["--processor", processor]
        self.workers[name] = self.world.start_worker(
            self.app, *arguments, env={"PENSTOCK_RELEASE": "live", "PENSTOCK_SLOT": "shared", **env}
        )

    def stop_worker(self, name: str) -> None:
        """Drain it."""
        self.workers[name].terminate()
        self.workers[name].wait(60)

    def engine(self, name: str) -> int:
        """The pid of its engine process; 0 while there is none."""
        return next(iter(self.workers[name].engine_pids()), 0)

    def signal_engine(self, name: str, number: signal.Signals) -> None:
        """Send its engine process a signal."""
        until(lambda: self.engine(name) != 0, 60, "an engine process")
        os.kill(self.engine(name), number)

    def burst(self, name: str, per_second: float) -> None:
        """More or fewer records into a topic."""
        self.rates[name] = per_second

    def forget_records(self, name: str) -> None:
        """Delete everything in the topic but its last records, as retention does."""
        topic = self.topics[name]
        last = self.world.count(topic)
        request = [TopicPartition(topic, 0, last - 5)]
        for done in self.world.admin().delete_records(request).values():
            done.result(20)

    def invoke(self, function: str) -> int:
        """One call by HTTP, as somebody else makes it; the status."""
        url = f"http://127.0.0.1:{self._host_port}/2015-03-31/functions/{function}/invocations"
        try:
            with urllib.request.urlopen(urllib.request.Request(url, data=b"{}"), timeout=30) as answer:
                return int(answer.status)
        except urllib.error.HTTPError as error:
            return error.code
        except OSError:
            return 0

    def call_steadily(self, function: str, at_once: int) -> Callable[[], None]:
        """Call a function from so many threads until the returned function is called."""
        ended = threading.Event()

        def calling() -> None:
            while not ended.is_set() and not self._ended.is_set():
                self.invoke(function)
                ended.wait(0.05)

        threads = [threading.Thread(target=calling) for _ in range(at_once)]
        self._threads += threads
        for thread in threads:
            thread.start()
        return ended.set

    # the app folder and the load

    def _write_app(self) -> Path:
        connections = self.world.connections(
            functions={
                "type": "AWSLambda", "region": "eu-central-1", "accessKeyId": "test",
                "endpointUrl": f"http://127.0.0.1:{self._host_port}", "secretAccessKey": "test",
                "preflight": "off",
            }
        )  # fmt: skip
        app = self.world.write_app(connections, {name: self._processor(name) for name in PARTITIONS})
        (app / "functions").mkdir()
        for name in USUAL_MODES:
            source = FUNCTION.format(mode=str(self._modes / name))
            (app / "functions" / f"{name}.py").write_text(source)
        (app / "functions" / "many.py").write_text(BATCHES)
        (app / "functions" / "broken.js").write_text("exports = () => 1;")
        (app / "functions" / "limits.yaml").write_text('{"narrow": {"concurrency": 1}}\n')
        return app

    def _processor(self, name: str) -> dict[str, Any]:
        call: dict[str, Any] = {"connectionName": "functions", "as": "answer", "timeout": "10s"}
        calls = {
            "orders": {**call, "functionName": "price", "parallelism": 16, "retry": {"maxAttempts": 1}},
            "slow": {**call, "functionName": "slow", "parallelism": 2},
            "fragile": {**call, "functionName": "fragile", "onError": "fail", "retry": {"maxAttempts": 1}},
            "brief": {**call, "functionName": "price", "hold": {"timeout": "10s"}},
            "kept": {**call, "functionName": "keeper", "parallelism": 1},
            "batched": {**call, "functionName": "many", "batch": {"maxRecords": 10, "maxDelay": "300ms"}},
        }  # fmt: skip
        options: dict[str, dict[str, Any]] = {
            "orders": {"maxBufferedRecords": 50},
            "fragile": {"restartWindow": "40s"},
            "exact": {"delivery": "exactly-once"},
            "kept": {"onDataLoss": "earliest", "maxBufferedRecords": 5},
        }
        source = {"connectionName": "kafka", "topic": self.topics[name]}
        stages: list[dict[str, Any]] = [
            {"$source": {**source, "config": {"auto_offset_reset": "earliest"}}},
            *([{"$externalFunction": calls[name]}] if name in calls else []),
            *([{"$externalFunction": {**call, "functionName": "narrow"}}] if name == "batched" else []),
            {"$emit": {"connectionName": "kafka", "topic": self.results}},
        ]
        dlq = {"connectionName": "kafka", "topic": self.dead}
        return {"pipeline": stages, "options": {"dlq": dlq, **options.get(name, {})}}

    def _load(self) -> None:
        producer = Producer({"bootstrap.servers": self.broker.address, "log_level": 0, "linger.ms": 5})
        owed = dict.fromkeys(self.topics, 0.0)
        before = time.monotonic()
        while not self._ended.wait(LOAD_SECONDS):
            now = time.monotonic()
            for name, topic in self.topics.items():
                owed[name] += self.rates[name] * (now - before)
                while owed[name] >= 1.0:
                    owed[name] -= 1.0
                    producer.produce(topic, json.dumps({"at": now}).encode())
            producer.poll(0)
            before = now
        producer.purge()
        producer.flush(5)
