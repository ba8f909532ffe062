"""An embedded Apache Kafka: one KRaft node on 127.0.0.1 that starts in seconds and ends with its starter.

with KafkaServer(Path(".penstock/kafka")) as server:
    print(server.address)
"""

from __future__ import annotations

import base64
import contextlib
import os
import shutil
import socket
import subprocess
import sys
import threading
import time
import uuid
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType
from typing import Final, Self

import psutil
from confluent_kafka import KafkaException
from confluent_kafka.admin import AdminClient

from workers.local import guard, leftovers
from workers.local.distribution import cache_folder, exclusive, resolve
from workers.local.failure import LocalFailure
from workers.local.java import find_java
from workers.local.jvm import Jvm, clean_environment
from workers.local.kafka_settings import (
    LISTENER_HOST,
    KafkaSettings,
    KeyStore,
    Ports,
    broker_properties,
    properties_text,
    scram_arguments,
)
from workers.local.leftovers import ProcessMark, RunningBroker
from workers.local.tls import make_keys

STATE_FILE: Final = "broker.json"
LOG_LINES_SHOWN: Final = 20
# Between choosing a free port and Kafka binding it another process may take it.
PORT_ATTEMPTS: Final = 3


class KafkaServer:
    """One embedded broker. Not safe to use from several threads at once.

    `folder` holds everything of this broker (data, configuration, log); it is formatted by the first start
    and kept by `stop`. A stopped server may be started again: same data, same ports.
    """

    def __init__(
        self,
        folder: Path,
        settings: KafkaSettings | None = None,
        *,
        environment: Mapping[str, str] | None = None,
    ) -> None:
        self.folder = folder.absolute()
        self.settings = settings or KafkaSettings()
        self.environment = dict(os.environ if environment is None else environment)
        self.seconds_to_start = 0.0
        self._ports: Ports | None = None
        self._keys: KeyStore | None = None
        self._guard: subprocess.Popen[str] | None = None
        self._running: RunningBroker | None = None

    @property
    def address(self) -> str:
        """host:port of the plain listener. Only after `start`."""
        return self._broker().address

    @property
    def secure_address(self) -> str:
        """host:port of the SASL_SSL listener. Only after `start`, with SecurityOptions."""
        address = self._broker().secure_address
        assert address is not None, "this broker was started without SecurityOptions"
        return address

    @property
    def ca_file(self) -> Path:
        """The certificate (PEM) that clients of the SASL_SSL listener trust."""
        assert self._keys is not None, "this broker was started without SecurityOptions"
        return self._keys.ca_file

    @property
    def pid(self) -> int:
        """The broker's process id."""
        return self._broker().broker.pid

    def start(self) -> str:
        """Start and wait until the broker answers; returns the bootstrap address.

        The broker ends with this process, however this process ends. Raises LocalFailure: no Java, no
        download, the folder is in use, or the broker did not come up (with the last lines of its log).
        """
        return self._start(detached=False)

    def start_detached(self) -> str:
        """The same for a broker that outlives this process, until `stop_detached`."""
        return self._start(detached=True)

    def stop(self) -> None:
        """End the broker cleanly: SIGTERM, and SIGKILL after `stop_timeout_seconds`. Idempotent."""
        running, self._running = self._running, None
        if running is not None:
            leftovers.end(running.broker, self.settings.stop_timeout_seconds)
            self._state_file.unlink(missing_ok=True)
        self._end_guard()

    def kill(self) -> None:
        """End the broker as a crash would (SIGKILL); `start` brings it back with its data."""
        process = self._broker().broker.find()
        if process is not None:
            process.kill()
        self.stop()

    def log_tail(self, lines: int = LOG_LINES_SHOWN) -> str:
        """The last lines that the broker and its JVM wrote."""
        texts = []
        for name in ("kafka.out", "kafka.log"):
            with contextlib.suppress(OSError):
                text = (self.folder / name).read_text(errors="replace")
                texts += [line for line in text.splitlines() if line and not line.startswith("WARNING: ")]
        return "\n".join(texts[-lines:])

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    @property
    def _state_file(self) -> Path:
        return self.folder / STATE_FILE

    @property
    def _log_folder(self) -> Path:
        return self.folder / "data"

    def _broker(self) -> RunningBroker:
        assert self._running is not None, "the broker is not started"
        return self._running

    def _start(self, *, detached: bool) -> str:
        assert self._running is None, "the broker is started already"
        jvm = Jvm(find_java(), resolve(cache_folder(self.environment)))
        begun = time.monotonic()
        self.folder.mkdir(parents=True, exist_ok=True)
        with exclusive(self.folder / "start.lock", self.settings.start_timeout_seconds):
            self._clean_up()
            if self.settings.security is not None:
                self._keys = make_keys(jvm.java, self.folder / "tls")
            for attempt in range(1, PORT_ATTEMPTS + 1):
                ports = self._ports or free_ports(secure=self.settings.security is not None)
                try:
                    self._launch(jvm, ports, detached=detached)
                    break
                except LocalFailure as failure:
                    self.stop()
                    if "already in use" not in str(failure) or self._ports or attempt == PORT_ATTEMPTS:
                        raise
                except BaseException:
                    self.stop()
                    raise
            self._ports = ports
        self.seconds_to_start = time.monotonic() - begun
        if self._class_list.exists():
            jvm.dump_archive(self._class_list)
        return self.address

    def _clean_up(self) -> None:
        """End what a killed starter left here. Raises LocalFailure when the broker has a living owner."""
        running = leftovers.read(self._state_file)
        if running is None or running.broker.find() is None:
            return
        if running.starter is None:
            raise LocalFailure(
                f"a detached Kafka (pid {running.broker.pid}, {running.address}) uses {self.folder}: "
                "use it by KAFKA_BOOTSTRAP or end it with: penstock kafka stop"
            )
        if running.starter.find() is not None:
            raise LocalFailure(
                f"process {running.starter.pid} runs a Kafka (pid {running.broker.pid}) in {self.folder}: "
                "choose another folder or wait until that process ends"
            )
        leftovers.end(running.broker, self.settings.stop_timeout_seconds)

    def _launch(self, jvm: Jvm, ports: Ports, *, detached: bool) -> None:
        configuration = self.folder / "server.properties"
        text = properties_text(broker_properties(self.settings, ports, self._log_folder, self._keys))
        with open(os.open(configuration, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w") as handle:
            handle.write(text)
        for name in ("kafka.out", "kafka.log", self._class_list.name):
            (self.folder / name).unlink(missing_ok=True)
        if not (self._log_folder / "meta.properties").exists():
            self._format(jvm, configuration)
        command = jvm.command(
            [*self._jvm_options(), *jvm.recording(self._class_list)],
            "kafka.Kafka",
            [str(configuration)],
        )
        broker = self._spawn_detached(command) if detached else self._spawn_guarded(command)
        secure = None if ports.secure is None else f"{LISTENER_HOST}:{ports.secure}"
        starter = None if detached else ProcessMark.of(os.getpid())
        self._running = RunningBroker(broker, starter, f"{LISTENER_HOST}:{ports.plain}", secure)
        leftovers.write(self._state_file, self._running)
        self._wait_until_it_answers()

    @property
    def _class_list(self) -> Path:
        return self.folder / "classes.list"

    def _jvm_options(self) -> list[str]:
        logger = "-Dorg.slf4j.simpleLogger."
        settings = self.settings
        return [
            f"-Xmx{settings.heap_mb}m",
            f"-Xms{min(128, settings.heap_mb)}m",
            "-XX:+ExitOnOutOfMemoryError",
            *(["-XX:TieredStopAtLevel=1"] if settings.compiler == "quick" else []),
            f"{logger}logFile={self.folder / 'kafka.log'}",
            f"{logger}defaultLogLevel={settings.log_level}",
            f"{logger}showDateTime=true",
            f"{logger}dateTimeFormat=HH:mm:ss.SSS",
        ]

    def _format(self, jvm: Jvm, configuration: Path) -> None:
        """Make the data folder as Kafka's own tool does; half a folder of a killed attempt is made anew."""
        shutil.rmtree(self._log_folder, ignore_errors=True)
        cluster_id = base64.urlsafe_b64encode(uuid.uuid4().bytes).rstrip(b"=").decode()
        # Kafka's tool takes a leading dash for an option.
        arguments = ["format", f"--cluster-id={cluster_id}", "--config", str(configuration)]
        if self.settings.security is not None:
            arguments += scram_arguments(self.settings.security)
        ran = subprocess.run(  # noqa: S603 - the Java that we found
            jvm.command(self._jvm_options(), "kafka.tools.StorageTool", arguments),
            capture_output=True, text=True, check=False, timeout=self.settings.start_timeout_seconds,
            stdin=subprocess.DEVNULL, env=clean_environment(self.environment),
        )  # fmt: skip
        if ran.returncode:
            shutil.rmtree(self._log_folder, ignore_errors=True)
            said = "\n".join((ran.stdout + ran.stderr).splitlines()[-LOG_LINES_SHOWN:])
            raise LocalFailure(f"formatting {self._log_folder} failed:\n{said}")

    def _spawn_guarded(self, command: list[str]) -> ProcessMark:
        self._guard = subprocess.Popen(  # noqa: S603 - our own script
            [
                sys.executable, "-I", "-S", guard.__file__, str(self.settings.stop_timeout_seconds),
                str(self.folder / "kafka.out"), *command,
            ],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, cwd=self.folder,
            env=clean_environment(self.environment), start_new_session=True,  # Ctrl-C is for the starter
        )  # fmt: skip
        assert self._guard.stdout is not None
        try:
            return ProcessMark.of(int(self._guard.stdout.readline()))
        except (ValueError, psutil.NoSuchProcess):
            raise LocalFailure(f"Java could not be started: {command[0]}\n{self.log_tail()}") from None

    def _spawn_detached(self, command: list[str]) -> ProcessMark:
        with (self.folder / "kafka.out").open("ab") as output:
            child = subprocess.Popen(  # noqa: S603 - the Java that we found
                command, stdin=subprocess.DEVNULL, stdout=output, stderr=output, cwd=self.folder,
                env=clean_environment(self.environment), start_new_session=True,
            )  # fmt: skip
        mark = ProcessMark.of(child.pid)
        threading.Thread(
            target=child.wait, name="embedded Kafka's end", daemon=True
        ).start()  # no zombie is left
        return mark

    def _end_guard(self) -> None:
        child, self._guard = self._guard, None
        if child is None:
            return
        assert child.stdin is not None
        assert child.stdout is not None
        child.stdin.close()  # the guard ends the broker, if it still runs, and itself
        try:
            child.wait(self.settings.stop_timeout_seconds + 5.0)
        except subprocess.TimeoutExpired:
            child.kill()
            child.wait()
        child.stdout.close()

    def _wait_until_it_answers(self) -> None:
        running = self._broker()
        deadline = time.monotonic() + self.settings.start_timeout_seconds
        while time.monotonic() < deadline:
            if running.broker.find() is None:
                raise LocalFailure(
                    f"the embedded Kafka ended while starting; its last words:\n{self.log_tail()}"
                )
            if is_open(running.address) and is_answering(running.address):
                warm_groups_up(running.address)
                return
            time.sleep(0.02)
        raise LocalFailure(
            f"the embedded Kafka did not answer within {self.settings.start_timeout_seconds:g} s; "
            f"its last words:\n{self.log_tail()}"
        )


def free_ports(*, secure: bool) -> Ports:
    """Ports of 127.0.0.1 that nobody uses at this moment."""
    with contextlib.ExitStack() as stack:
        sockets = [stack.enter_context(socket.socket()) for _ in range(3 if secure else 2)]
        for opened in sockets:
            opened.bind((LISTENER_HOST, 0))
        numbers = [opened.getsockname()[1] for opened in sockets]
    return Ports(*numbers)


def is_open(address: str) -> bool:
    """Whether something accepts connections at host:port."""
    host, _, port = address.rpartition(":")
    try:
        socket.create_connection((host, int(port)), timeout=1.0).close()
    except OSError:
        return False
    return True


def warm_groups_up(address: str) -> None:
    """Let the broker make its topic of committed offsets now: 0.2 s here, 3 s for the first consumer to join.

    A client that finds no coordinator asks again only after a pause; the answer itself is of no interest.
    """
    client = AdminClient({"bootstrap.servers": address, "log_level": 0})
    with contextlib.suppress(KafkaException):
        client.describe_consumer_groups(["warm-up"], request_timeout=5.0)["warm-up"].result(timeout=10.0)


def is_answering(address: str, timeout_seconds: float = 2.0) -> bool:
    """Whether a cluster with at least one broker answers there."""
    return topics_count(address, timeout_seconds) is not None


def topics_count(address: str, timeout_seconds: float = 2.0) -> int | None:
    """How many topics the cluster has beside its internal ones; None when it does not answer."""
    client = AdminClient({"bootstrap.servers": address, "log_level": 0, "socket.timeout.ms": 2_000})
    try:
        found = client.list_topics(timeout=timeout_seconds)
    except KafkaException:
        return None
    own = [name for name in found.topics if not name.startswith("__")]
    return len(own) if found.brokers else None
