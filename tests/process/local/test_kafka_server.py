"""The life of an embedded broker: start, stop, kill, and what happens when its starter is killed."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import psutil
import pytest
from confluent_kafka import Consumer, Producer

from workers.local import leftovers
from workers.local.distribution import cache_folder, resolve
from workers.local.failure import LocalFailure
from workers.local.java import find_java
from workers.local.jvm import Jvm
from workers.local.kafka import STATE_FILE, KafkaServer, is_answering, is_open
from workers.local.kafka_settings import KafkaSettings

# A new machine downloads Kafka in the first of these tests.
pytestmark = [pytest.mark.kafka, pytest.mark.timeout(240)]

START_AND_WAIT = """
import sys
from pathlib import Path
from workers.local.kafka import KafkaServer
server = KafkaServer(Path(sys.argv[1]))
server.start()
print(server.pid, flush=True)
sys.stdin.read()
"""


def until(condition: Callable[[], bool], within_seconds: float) -> None:
    deadline = time.monotonic() + within_seconds
    while not condition():
        assert time.monotonic() < deadline, f"not within {within_seconds} s"
        time.sleep(0.02)


def produce(address: str, value: bytes) -> None:
    producer = Producer({"bootstrap.servers": address, "log_level": 0})
    producer.produce("kept", value=value)
    assert producer.flush(60) == 0


def consume(address: str, count: int) -> list[bytes | None]:
    consumer = Consumer(
        {"bootstrap.servers": address, "group.id": "readers", "auto.offset.reset": "earliest", "log_level": 0}
    )
    consumer.subscribe(["kept"])
    try:
        return [record.value() for record in consumer.consume(count, timeout=60)]
    finally:
        consumer.close()


def test_a_stopped_and_a_killed_broker_come_back_with_their_data_and_address(tmp_path: Path) -> None:
    """Clients configured with the address find the same records after a stop and after a crash."""
    server = KafkaServer(tmp_path)
    address = server.start()
    try:
        produce(address, b"before the stop")
        server.stop()
        assert not is_open(address)
        assert server.start() == address
        produce(address, b"before the crash")
        server.kill()
        assert not is_open(address)
        assert server.start() == address
        assert consume(address, 2) == [b"before the stop", b"before the crash"]
    finally:
        server.stop()
    assert leftovers.read(tmp_path / STATE_FILE) is None
    server.stop()  # again: nothing to do


def test_a_broker_ends_when_its_starter_is_killed(tmp_path: Path) -> None:
    """kill -9 of the starter: the broker ends by itself and the folder can be used again."""
    with subprocess.Popen(
        [sys.executable, "-c", START_AND_WAIT, str(tmp_path)], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as starter:
        try:
            assert starter.stdout is not None
            broker = psutil.Process(int(starter.stdout.readline()))
        finally:
            starter.kill()
    until(lambda: not broker.is_running(), 60)
    with KafkaServer(tmp_path) as server:
        assert is_answering(server.address)


def test_a_broker_ends_when_its_guard_is_killed(tmp_path: Path) -> None:
    """kill -9 of the process that watches for the starter leaves no broker: Linux ends it, else stop."""
    server = KafkaServer(tmp_path)
    server.start()
    broker = psutil.Process(server.pid)
    parent = broker.parent()
    assert parent is not None
    parent.kill()
    try:
        if sys.platform == "linux":
            until(lambda: not broker.is_running(), 60)
    finally:
        server.stop()
    assert not broker.is_running()


def test_a_start_ends_the_broker_that_a_killed_starter_left(tmp_path: Path) -> None:
    """The next start finds a broker without its starter by the file it left, and ends it first."""
    with KafkaServer(tmp_path) as server:
        running = leftovers.read(tmp_path / STATE_FILE)
        assert running is not None
        gone = leftovers.ProcessMark(os.getpid(), 1.0)  # this pid, long ago
        leftovers.write(tmp_path / STATE_FILE, leftovers.RunningBroker(running.broker, gone, running.address))
        with KafkaServer(tmp_path) as second:
            assert running.broker.find() is None
            assert is_answering(second.address)
        assert not is_open(server.address)


def test_a_folder_has_one_broker(tmp_path: Path) -> None:
    """A second start in the folder of a living one is refused and harms nothing."""
    with KafkaServer(tmp_path) as server:
        with pytest.raises(LocalFailure, match=rf"process {os.getpid()} runs a Kafka \(pid {server.pid}\)"):
            KafkaServer(tmp_path).start()
        assert is_answering(server.address)


def test_a_broker_that_cannot_start_shows_its_last_words(tmp_path: Path) -> None:
    """The error holds the broker's own log lines, and nothing is left running."""
    server = KafkaServer(tmp_path, KafkaSettings(properties={"authorizer.class.name": "no.such.Authorizer"}))
    with pytest.raises(LocalFailure, match=r"(?s)ended while starting.*no\.such\.Authorizer"):
        server.start()
    assert leftovers.read(tmp_path / STATE_FILE) is None
    assert not [
        child for child in psutil.Process().children(recursive=True) if str(tmp_path) in child.cmdline()
    ]


def test_settings_that_kafka_refuses_are_shown(tmp_path: Path) -> None:
    """Formatting fails with Kafka's reason, and the next start formats anew."""
    with pytest.raises(LocalFailure, match=r"(?s)formatting .* failed:.*num\.io\.threads"):
        KafkaServer(tmp_path, KafkaSettings(properties={"num.io.threads": "none"})).start()
    assert not (tmp_path / "data").exists()


def test_ctrl_c_is_for_the_starter(tmp_path: Path) -> None:
    """SIGINT to the starter's process group leaves the broker alone: the starter still needs it to drain."""
    with subprocess.Popen(
        [
            sys.executable,
            "-c",
            f"import signal; signal.signal(signal.SIGINT, signal.SIG_IGN)\n{START_AND_WAIT}",
            str(tmp_path),
        ],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        start_new_session=True,
    ) as starter:
        assert starter.stdout is not None
        broker = psutil.Process(int(starter.stdout.readline()))
        os.killpg(starter.pid, signal.SIGINT)
        running = leftovers.read(tmp_path / STATE_FILE)
        assert running is not None
        assert is_answering(running.address)
        starter.communicate()  # end of its input: it ends by itself without having stopped the broker
    until(lambda: not broker.is_running(), 60)


def test_the_second_start_uses_the_class_archive(tmp_path: Path) -> None:
    """The first start has it made in the background; Java accepts it for the next."""
    with KafkaServer(tmp_path):
        jvm = Jvm(find_java(), resolve(cache_folder(os.environ)))
        until(jvm.archive.exists, 120)
    command = jvm.command(["-Xshare:on", "-version"], "kafka.Kafka", [])
    assert f"-XX:SharedArchiveFile={jvm.archive}" in command
    # With -Xshare:on Java refuses to start when the archive does not fit.
    assert subprocess.run(command, capture_output=True, timeout=120, check=False).returncode == 0
