"""What `helm test` asks, inside a pod of the release: `check_release.py kafka | groups | functions`.

kafka      every Kafka connection of a processor answers, and the topics that processors read are there
groups     the consumer group of each processor has members (arguments: --seconds N, --processor NAME...)
functions  the function host answers at PENSTOCK_FUNCTIONS_URL, and turns away who does not say who they are

Exit code 0: all of it is so. 1: something is not, and the last lines say what.
"""

from __future__ import annotations

import argparse
import os
import ssl
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path

from confluent_kafka import ConsumerGroupState, KafkaException
from confluent_kafka.admin import AdminClient

from workers.appfolder import App, KafkaConnection, ProcessorSpec, load_app
from workers.assembly import client_config, default_group

APP = Path(os.environ.get("PENSTOCK_APP", "/app"))
REQUEST_SECONDS = 20.0
LOOK_SECONDS = 1.0
# Whoever takes calls without a credential says one of these.
TURNED_AWAY = (401, 403)


def main(arguments: list[str] | None = None) -> int:
    """Run one check and say what it found. Returns the exit code."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("check", choices=("kafka", "groups", "functions"))
    parser.add_argument("--seconds", type=float, default=120.0)
    parser.add_argument("--processor", action="append", default=[])
    asked = parser.parse_args(arguments)
    if asked.check == "functions":
        wrong = list(functions_wrong(os.environ["PENSTOCK_FUNCTIONS_URL"]))
    else:
        app = load_app(APP, os.environ)
        specs = [spec for spec in app.processors if not asked.processor or spec.name in asked.processor]
        wrong = list(
            kafka_wrong(app, specs) if asked.check == "kafka" else groups_wrong(app, specs, asked.seconds)
        )
    for line in wrong:
        say(f"wrong: {line}")
    say("failed" if wrong else "ok")
    return 1 if wrong else 0


def kafka_wrong(app: App, specs: list[ProcessorSpec]) -> Iterator[str]:
    """Brokers that do not answer, and sources that are not there."""
    for name, connection in kafka_connections(app, specs).items():
        client = admin(connection)
        try:
            cluster = client.list_topics(timeout=REQUEST_SECONDS)
        except KafkaException as error:
            yield f"connection {name}: {error.args[0].str()}"
            continue
        say(f"connection {name}: {len(cluster.brokers)} brokers, {len(cluster.topics)} topics")
        for spec in specs:
            source, sink = spec.program.source, spec.program.sink
            if source is not None and source.connection == name:
                missing = [topic for topic in source.topics if topic not in cluster.topics]
                yield from (f"processor {spec.name}: there is no topic {topic}" for topic in missing)
            if sink is not None and sink.connection == name and sink.topic not in (None, *cluster.topics):
                say(f"note: processor {spec.name}: {sink.topic} is not there yet")
            letters = spec.dead_letters
            if letters.connection == name and letters.topic not in cluster.topics:
                say(f"note: processor {spec.name}: {letters.topic} is not there yet")


def groups_wrong(app: App, specs: list[ProcessorSpec], seconds: float) -> Iterator[str]:
    """Groups without members after so many seconds."""
    deadline = time.monotonic() + seconds
    clients = {name: admin(one) for name, one in kafka_connections(app, specs).items()}
    wanted = {spec.name: spec for spec in specs if spec.program.source is not None}
    states: dict[str, str] = {}
    while wanted:
        for name, spec in list(wanted.items()):
            source = spec.program.source
            assert source is not None, "only those with one are wanted"
            group = source.group_id or default_group(name)
            states[name] = state_of(clients[source.connection], group)
            if states[name] == "STABLE":
                say(f"processor {name}: group {group} has members")
                del wanted[name]
        if time.monotonic() > deadline:
            break
        time.sleep(LOOK_SECONDS if wanted else 0)
    yield from (f"processor {name}: its group is {states[name]}, not STABLE" for name in wanted)


def state_of(client: AdminClient, group: str) -> str:
    """The state of a group as its coordinator has it; MISSING without one, UNKNOWN when nobody says."""
    try:
        found = client.list_consumer_groups(request_timeout=REQUEST_SECONDS).result()
    except KafkaException:
        return "UNKNOWN"
    states = {one.group_id: one.state for one in found.valid}
    state = states.get(group)
    return state.name if isinstance(state, ConsumerGroupState) else "MISSING"


def functions_wrong(url: str) -> Iterator[str]:
    """A host that does not answer, or that answers whoever comes."""
    try:
        health = status_of(f"{url}/healthz")
        stranger = status_of(f"{url}/2015-03-31/functions")
    except OSError as error:
        yield f"{url}: {error}"
        return
    say(f"{url}: /healthz {health}, a stranger's call {stranger}")
    if health != 200:
        yield f"{url}/healthz answers {health}"
    if stranger not in TURNED_AWAY:
        yield f"{url} answers {stranger} to a call without a credential"


def status_of(url: str) -> int:
    """The status of a GET. The host's certificate may be of an authority that this pod does not know."""
    context = ssl.create_default_context()
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    try:
        with urllib.request.urlopen(url, timeout=REQUEST_SECONDS, context=context) as answer:  # noqa: S310
            return int(answer.status)
    except urllib.error.HTTPError as error:
        return error.code


def kafka_connections(app: App, specs: list[ProcessorSpec]) -> dict[str, KafkaConnection]:
    """Those that the processors use, by name."""
    names = {spec.dead_letters.connection for spec in specs}
    for spec in specs:
        source, sink = spec.program.source, spec.program.sink
        names |= {one.connection for one in (source, sink) if one is not None}
    found = {name: app.connections[name] for name in sorted(names)}
    return {name: one for name, one in found.items() if isinstance(one, KafkaConnection)}


def admin(connection: KafkaConnection) -> AdminClient:
    """A client that says nothing by itself."""
    return AdminClient({"log_level": 0, **client_config(connection, "any")})


def say(text: str) -> None:
    """A line of the pod's log."""
    sys.stdout.write(f"{text}\n")
    sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(main())
