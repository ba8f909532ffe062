"""What the chart renders is run, pod by pod, against a real broker: commands, files, variables, probes."""

from __future__ import annotations

import contextlib
import json
import random
import signal
import socket
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from confluent_kafka import Producer

from tests.chart import rendering
from tests.chart.pods import Node
from tests.chart.toolchain import Tools
from tests.scenarios.world import World, until

pytestmark = pytest.mark.timeout(300)

KEY = "a-key-of-32-characters-for-calls"
SECRET = {"existingSecret": "function-keys", "key": "workers"}


def free_port() -> int:
    """A port that nobody listens on, out of those that no system gives to whoever asks for any."""
    while True:
        port = random.randrange(20_000, 32_000)
        with socket.socket() as tried, contextlib.suppress(OSError):
            tried.bind(("127.0.0.1", port))
            return port


def status(url: str) -> int:
    """Of a GET; 0 when nobody is there."""
    try:
        with urllib.request.urlopen(url, timeout=5) as answer:
            return int(answer.status)
    except urllib.error.HTTPError as error:
        return error.code
    except OSError:
        return 0


@pytest.fixture
def world(kafka: str, topic_name: Callable[[str], str], tmp_path: Path) -> Iterator[World]:
    """Topics and what is in them."""
    made = World(kafka, tmp_path, topic_name)
    yield made
    made.stop()


def release(world: World, topics: tuple[str, str, str], ports: tuple[int, int, int]) -> dict[str, Any]:
    """Values of a whole release: a processor that calls a function of the host, contracts, accounts."""
    source, results, dead = topics
    name = source.replace("orders", "processor")
    pipeline = [
        {
            "$source": {
                "connectionName": "kafka",
                "topic": source,
                "config": {"auto_offset_reset": "earliest"},
            }
        },
        {
            "$externalFunction": {
                "connectionName": "functions",
                "functionName": "utils/double",
                "as": "doubled",
            }
        },
        {"$emit": {"connectionName": "kafka", "topic": results}},
    ]
    options = {"dlq": {"connectionName": "kafka", "topic": dead}, "drainTimeout": "10s"}
    processor = json.dumps({"name": name, "pipeline": pipeline, "options": options})
    return {
        "fullnameOverride": "shop",
        "connections": {
            "kafka": {"type": "Kafka", "bootstrapServers": world.bootstrap},
            "functions": {
                "type": "AWSLambda", "region": "eu-west-1", "endpointUrl": "${PENSTOCK_FUNCTIONS_URL}",
                "accessKeyId": "WORKERS", "secretAccessKey": SECRET,
            },
        },
        "app": {
            "files": {
                f"processors/{name}.json": processor,
                "functions/utils/double.js": "exports = (order) => ({id: order.id, twice: order.n * 2});",
                "functions/config.json": '[{"name": "utils/double"}]',
                **{f"topics/{topic}.yaml": "partitions: 2\n" for topic in topics},
            }
        },
        "metricsPort": ports[0],
        "functions": {
            "enabled": True, "port": ports[1], "metricsPort": ports[2], "service": {"port": ports[1]},
            "authentication": {"accounts": {"accessKeys": {"WORKERS": {"secret": SECRET, "user": "worker"}}}},
        },
        "topics": {"enabled": True},
        "test": {"timeoutSeconds": 60},
    }  # fmt: skip


@pytest.mark.kafka
def test_a_release_works_from_topics_to_drain(
    tools: Tools, world: World, topic_name: Callable[[str], str], tmp_path: Path
) -> None:
    """The topics job makes the topics; the host answers its probes; the worker becomes ready, calls the
    function and writes results; all four tests of `helm test` pass; SIGTERM drains."""
    topics = (topic_name("orders"), topic_name("results"), topic_name("dead"))
    ports = (free_port(), free_port(), free_port())
    values = tmp_path / "values.json"
    values.write_text(json.dumps(release(world, topics, ports)), "utf-8")
    said = rendering.template(tools, [values])
    assert said.code == 0, said.err
    replaced = {"0.0.0.0": "127.0.0.1", "shop-functions.space.svc": "127.0.0.1"}
    node = Node(
        tmp_path / "node", rendering.documents(said.out), {"function-keys": {"workers": KEY}}, replaced
    )
    node.folder.mkdir()

    def passes(name: str) -> None:
        assert node.start(name).wait(120) == 0, node.log(name)

    try:
        passes("shop-topics")
        assert f"done: create {topics[0]}: 2 partitions" in node.log("shop-topics")
        host = node.start("shop-functions")
        until(lambda: status(f"http://127.0.0.1:{ports[1]}/healthz") == 200, 30, "a host that answers")
        worker = node.start("shop-main")
        until(lambda: status(f"http://127.0.0.1:{ports[0]}/livez") == 200, 30, "a live worker")
        until(lambda: status(f"http://127.0.0.1:{ports[0]}/readyz") == 200, 60, "a ready worker")

        producer = Producer({"bootstrap.servers": world.bootstrap})
        for number in range(200):
            producer.produce(
                topics[0], json.dumps({"id": number, "n": number}).encode(), str(number).encode()
            )
        assert producer.flush(30) == 0
        until(lambda: world.count(topics[1]) == 200, 60, "200 results")
        assert sorted(seen.json["doubled"]["twice"] for seen in world.read(topics[1])) == [
            2 * number for number in range(200)
        ]
        for name in ("kafka", "groups", "functions", "calls"):
            passes(f"shop-test-{name}")
        worker.send_signal(signal.SIGTERM)
        assert worker.wait(60) == 0, node.log("shop-main")
        host.send_signal(signal.SIGTERM)
        assert host.wait(60) == 0, node.log("shop-functions")
    except AssertionError:
        for name in node.logs:
            print(f"--- {name}\n{node.log(name)[-3000:]}")
        raise
    finally:
        node.stop()


@pytest.mark.kafka
def test_tests_fail_for_a_release_that_does_not_work(
    tools: Tools, world: World, topic_name: Callable[[str], str], tmp_path: Path
) -> None:
    """No topics, no members, no host: each says what is missing."""
    topics = (topic_name("orders"), topic_name("results"), topic_name("dead"))
    values = tmp_path / "values.json"
    whole = release(world, topics, (free_port(), free_port(), free_port()))
    values.write_text(json.dumps({**whole, "test": {"timeoutSeconds": 1}}), "utf-8")
    said = rendering.template(tools, [values])
    replaced = {"shop-functions.space.svc": "127.0.0.1"}
    node = Node(
        tmp_path / "node", rendering.documents(said.out), {"function-keys": {"workers": KEY}}, replaced
    )
    node.folder.mkdir()
    try:
        expected = {
            "kafka": f"there is no topic {topics[0]}",
            "groups": "its group is MISSING, not STABLE",
            "functions": "Connection refused",
        }
        for name, text in expected.items():
            assert node.start(f"shop-test-{name}").wait(120) == 1, node.log(f"shop-test-{name}")
            assert text in node.log(f"shop-test-{name}")
    finally:
        node.stop()


@pytest.mark.kafka
def test_an_app_folder_of_others_config_maps_works(
    tools: Tools, world: World, topic_name: Callable[[str], str], tmp_path: Path
) -> None:
    """Folders lie in the folder of the connections; a password comes by a secret that connections.yaml names;
    a member of a StatefulSet is a static one."""
    source, results = world.topic("in", 2), world.topic("out", 2)
    processor = source.replace("in", "p")
    values = tmp_path / "values.json"
    whole = {
        "fullnameOverride": "shop",
        "metricsPort": (port := free_port()),
        "app": {
            "configMaps": [
                {"name": "root", "items": [{"key": "connections", "path": "connections.yaml"}]},
                {"name": "processors", "folder": "processors"},
            ]
        },
        "secrets": {"kafka": {"existingSecret": "brokers"}},
        "workers": {"kind": "StatefulSet", "staticMembership": True},
    }
    values.write_text(json.dumps(whole), "utf-8")
    said = rendering.template(tools, [values])
    assert said.code == 0, said.err
    pipeline = (
        f"- $source: {{connectionName: kafka, topic: {source}, config: {{auto_offset_reset: earliest}}}}\n"
        f"- $emit: {{connectionName: kafka, topic: {results}}}\n"
    )
    others = {
        "root": {
            "connections": "kafka:\n  type: Kafka\n  bootstrapServers: {file: /run/secrets/kafka/servers}\n"
        },
        "processors": {f"{processor}.yaml": pipeline},
    }
    node = Node(
        tmp_path / "node", rendering.documents(said.out), {"brokers": {"servers": f"{world.bootstrap}\n"}},
        {"0.0.0.0": "127.0.0.1"}, others,
    )  # fmt: skip
    node.folder.mkdir()
    try:
        worker = node.start("shop-main")
        until(lambda: status(f"http://127.0.0.1:{port}/readyz") == 200, 60, "a ready worker")
        group = f"penstock-{processor}"
        members = world.admin().describe_consumer_groups([group])[group].result(timeout=20).members
        assert [member.group_instance_id for member in members] == [f"space-shop-shop-main-0-0-{processor}"]
        world.produce(source, [{"id": number} for number in range(20)])
        until(lambda: world.count(results) == 20, 60, "20 results")
        worker.send_signal(signal.SIGTERM)
        assert worker.wait(60) == 0
    finally:
        print(node.log("shop-main")[-3000:])
        node.stop()
