"""`penstock dlq` and what it says, on a real broker with dead letters made by hand."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from confluent_kafka import Message, Producer
from confluent_kafka.admin import AdminClient

from tests.kafka_fixture import MakeTopic
from tests.unit.appfolder.folders import write
from tests.unit.cli.run_command import Ran, penstock
from workers.adapters.kafka_replay_writer import ReplayFailed, ReplayWriter
from workers.emit.dead_letter import DeadLetterPolicy, Format, Origin, dead_letter
from workers.emit.replay import Outgoing
from workers.local import readback
from workers.local.readback import Reader
from workers.model import Headers, Refused

# The retention of a topic goes by its records' own times.
TIME_MS = int(time.time() * 1_000) - 60_000
HEADERS: Headers = [("trace", b"1"), ("trace", None), ("raw", b"\x00\xff")]


@dataclass
class Table:
    """A processor `p` with its topics; `run` is `penstock dlq`."""

    kafka: str
    app: Path
    name: str
    source: str
    dead: str
    capsys: pytest.CaptureFixture[str]

    def run(self, *arguments: object) -> Ran:
        return penstock(self.capsys, "dlq", *arguments, "--app", self.app)

    def refuse(self, count: int, *, form: Format = "header", processor: str = "", first: int = 0) -> None:
        """Dead letters of records `first` and so on of the source."""
        producer = Producer({"bootstrap.servers": self.kafka})
        for offset in range(first, first + count):
            value = b'{"n": %d}' % offset
            origin = Origin(self.source, offset % 2, offset, TIME_MS, b"k", value, HEADERS)
            refused = Refused("no", "$match", "pipeline[1]", {"n": offset}, "Odd" if offset % 2 else "Even")
            policy = DeadLetterPolicy(processor or self.name, form)
            made = dead_letter(origin, refused, policy, f"2026-11-21T{10 + offset % 2}:00:00.000Z")
            producer.produce(self.dead, made.value, made.key, headers=made.headers, timestamp=TIME_MS)  # type: ignore[arg-type]
        assert producer.flush(60) == 0

    def read(self, topic: str) -> list[Message]:
        """What a read_committed consumer sees."""
        found: list[Message] = []
        with Reader({"bootstrap.servers": self.kafka}, "t-dlq") as reader:
            reader.read({}, reader.ends([topic]), found.append)
        return found

    def topics(self) -> set[str]:
        return set(AdminClient({"bootstrap.servers": self.kafka}).list_topics(timeout=60).topics)


@pytest.fixture
def table(
    kafka: str, make_topic: MakeTopic, topic_name: Callable[[str], str], tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> Table:  # fmt: skip
    name, source, dead = topic_name("p"), make_topic("in", partitions=2), make_topic("dead", partitions=2)
    processor = f"""
pipeline:
  - $source: {{connectionName: kafka, topic: {source}}}
  - $match: {{status: paid}}
  - $emit: {{connectionName: kafka, topic: {source}.out}}
options: {{dlq: {{topic: {dead}}}}}
"""
    connections = f'kafka: {{type: Kafka, bootstrapServers: "{kafka}"}}\n'
    app = write(tmp_path, {"connections.yaml": connections, f"processors/{name}.yaml": processor})
    (tmp_path / "processors/orders.yaml").unlink()
    return Table(kafka, app, name, source, dead, capsys)


def test_letters_are_counted_by_kind_and_hour(table: Table) -> None:
    """Of this processor with its name, of all with --topic; what is no dead letter is remarked upon."""
    table.refuse(5)
    table.refuse(2, form="document", first=5)
    table.refuse(1, processor="another", first=9)
    producer = Producer({"bootstrap.servers": table.kafka})
    producer.produce(table.dead, b"not ours")
    assert producer.flush(60) == 0
    ran = table.run("list", table.name, "--json")
    assert ran.code == 0
    assert (ran.data["read"], ran.data["count"]) == (9, 7)
    assert [(kind["class"], kind["count"]) for kind in ran.data["kinds"]] == [("Even", 4), ("Odd", 3)]
    assert ran.data["hours"] == [
        {"hour": "2026-11-21T10:00Z", "count": 4}, {"hour": "2026-11-21T11:00Z", "count": 3},
    ]  # fmt: skip
    assert f"1 records of {table.dead} are no dead letters of Penstock" in ran.err
    assert "1 dead letters there are of other processors" in ran.err
    shown = table.run("list", "--topic", table.dead, "--where", "{'errInfo.class': 'Odd'}")
    assert f"4 dead letters in {table.dead}" in shown.out
    assert "2026-11-21T11:00Z" in shown.out
    assert "Even" not in shown.out


@pytest.mark.parametrize("form", ["header", "document"])
def test_letters_are_shown_whole(table: Table, form: Format) -> None:
    """Why, and the original's key, value and headers with their bytes; one by its place."""
    table.refuse(3, form=form)
    ran = table.run("show", table.name, "--json", "--limit", "2")
    assert ran.code == 0
    assert len(ran.data) == 2
    letter = ran.data[0]
    assert letter["errInfo"]["reason"] == "no"
    assert letter["value"] == {"text": f'{{"n": {letter["doc"]["n"]}}}'}
    assert letter["headers"] == [
        {"k": "trace", "v": {"text": "1"}}, {"k": "trace", "v": None}, {"k": "raw", "v": {"base64": "AP8="}},
    ]  # fmt: skip
    place = f"{letter['letter']['partition']}:{letter['letter']['offset']}"
    one = table.run("show", table.name, "--offset", place)
    assert one.code == 0
    assert one.out.startswith(f"{table.dead} {place}\n")
    assert "raw: 2 bytes, no text  00 ff" in one.out
    beyond = table.run("show", table.name, "--offset", "0:9999")
    assert beyond.code == 2
    assert "--offset: no record at 0:9999" in beyond.err


def test_a_topic_that_is_not_there(table: Table, topic_name: Callable[[str], str]) -> None:
    """By name it is bad input; as the dead-letter topic of a processor it means that there are none. Neither
    is made by asking."""
    name = topic_name("none")
    ran = table.run("list", "--topic", name)
    assert ran.code == 2
    assert f"--topic: no topic {name} on kafka" in ran.err
    file = table.app / "processors" / f"{table.name}.yaml"
    file.write_text(file.read_text().replace(table.dead, name))
    assert table.run("list", table.name).out == f"no dead letters in {name}\n"
    ran = table.run("replay", table.name)
    assert (ran.code, ran.out[:7]) == (0, "0 read,")
    assert not {name, f"{name}.replayed", f"{table.name}.replay"} & table.topics()


def test_no_broker_is_a_failure(table: Table, monkeypatch: pytest.MonkeyPatch) -> None:
    """Exit code 1 and one line, with every command."""
    monkeypatch.setattr(readback, "ASK_SECONDS", 0.5)
    connections = 'kafka: {type: Kafka, bootstrapServers: "127.0.0.1:1"}\n'
    (table.app / "connections.yaml").write_text(connections)
    for command in ("list", "show", "replay"):
        ran = table.run(command, table.name)
        assert (ran.code, ran.out) == (1, "")
        assert ran.err.count("\n") == 1
        assert ran.err.startswith("penstock: asking for the topics of the Kafka at 127.0.0.1:1: ")


def test_a_dry_run_changes_nothing(table: Table) -> None:
    """It says what would be written, and makes no topic."""
    table.refuse(4)
    ran = table.run("replay", table.name, "--dry-run", "--where", "{'errInfo.class': 'Odd'}")
    assert ran.code == 0
    assert ran.out.startswith("4 read, 2 matched, 0 already replayed, 2 would be written to ")
    assert not {f"{table.dead}.replayed", f"{table.name}.replay"} & table.topics()


@pytest.mark.parametrize("form", ["header", "document"])
def test_each_letter_is_written_once(table: Table, form: Format) -> None:
    """With the original's key, value, headers, time and partition, and its id; in parts, by query and limit,
    and again in vain. Letters of another processor stay where they are."""
    table.refuse(6, form=form)
    table.refuse(1, form=form, processor="another", first=8)
    assert table.run("replay", table.name, "--limit", "1", "--json").data["written"] == 1
    odd = table.run("replay", table.name, "--where", "{'errInfo.class': 'Odd'}", "--json").data
    assert odd["matched"] == 3
    rest = table.run("replay", table.name, "--json").data
    assert 1 + odd["written"] + rest["written"] == 6
    again = table.run("replay", table.name, "--json").data
    assert (again["matched"], again["alreadyReplayed"], again["written"]) == (6, 6, 0)

    seen: dict[bytes, Any] = {}
    for message in table.read(f"{table.name}.replay"):
        written: Any = message.headers()
        *headers, (id_name, record_id), replays = written
        assert (id_name, replays) == ("penstock-record-id", ("penstock-replays", b"1"))
        number = int(record_id.rpartition(b"/")[2])
        assert record_id == f"{table.source}/{number % 2}/{number}".encode()
        assert (message.key(), message.value()) == (b"k", b'{"n": %d}' % number)
        assert (headers, message.timestamp()[1]) == (HEADERS, TIME_MS)
        assert message.partition() == number % 2
        seen[record_id] = message
    assert len(seen) == 6
    assert len(table.read(f"{table.dead}.replayed")) == 6


def test_to_the_source_goes_the_original_alone(table: Table) -> None:
    """The partition, key, value, headers and time that it had, nothing of ours; and not again."""
    table.refuse(2)
    assert table.run("replay", table.name, "--to-source", "--json").data["written"] == 2
    assert table.run("replay", table.name, "--json").data["alreadyReplayed"] == 2
    found = table.read(table.source)
    assert sorted(message.value() or b"" for message in found) == [b'{"n": 0}', b'{"n": 1}']
    assert all(message.headers() == HEADERS for message in found)
    assert all(message.timestamp()[1] == TIME_MS for message in found)
    assert table.read(f"{table.name}.replay") == []


def test_topics_are_planned_with_a_contract_of_the_dead_letters(table: Table) -> None:
    """As many partitions as the source, kept for ever, with room for the headers; a compacted ledger."""
    assert ".replay" not in penstock(table.capsys, "topics", "plan", "--app", table.app).out
    write(table.app, {f"topics/{table.dead}.yaml": "partitions: 2\n"})
    (table.app / "processors/orders.yaml").unlink()
    (table.app / "connections.yaml").write_text(
        f'kafka: {{type: Kafka, bootstrapServers: "{table.kafka}"}}\n'
    )
    ran = penstock(table.capsys, "topics", "plan", "--app", table.app, "--json")
    made = {step["topic"]: step for step in ran.data["steps"]}
    queue = made[f"{table.name}.replay"]
    assert queue["partitions"] == 2
    assert queue["config"]["retention.ms"] == "-1"
    assert int(queue["config"]["max.message.bytes"]) > 65_536
    ledger = made[f"{table.dead}.replayed"]
    assert (ledger["partitions"], ledger["config"]) == (1, {"cleanup.policy": "compact"})


def test_a_second_replay_shuts_the_first_out(table: Table, topic_name: Callable[[str], str]) -> None:
    """The older one can write nothing more, and says why."""
    config = {"bootstrap.servers": table.kafka}
    name = topic_name("replay")
    older, newer = ReplayWriter(config, name), ReplayWriter(config, name)
    older.open()
    older.write([Outgoing(table.source, b"k", b"1", [], 0)])
    newer.open()
    with pytest.raises(ReplayFailed, match="another replay of this processor began"):
        older.write([Outgoing(table.source, b"k", b"2", [], 0)])
    newer.write([Outgoing(table.source, b"k", b"3", [], 0)])
    assert [message.value() for message in table.read(table.source)] == [b"1", b"3"]
    older.close()
    newer.close()


def test_a_record_that_does_not_fit_writes_nothing(table: Table, make_topic: MakeTopic) -> None:
    """The transaction is aborted whole, and the topic is named."""
    small = make_topic("small", config={"max.message.bytes": "2000"})
    writer = ReplayWriter(
        {"bootstrap.servers": table.kafka, "compression.type": "none"}, f"{small}-replay"
    )  # fmt: skip
    writer.open()
    with pytest.raises(ReplayFailed, match=f"{small} does not take a record"):
        writer.write([Outgoing(table.source, b"k", b"1", [], 0), Outgoing(small, None, b"x" * 9_000, [], 0)])
    assert table.read(table.source) == []
    writer.write([Outgoing(table.source, b"k", b"2", [], 0)])
    assert [message.value() for message in table.read(table.source)] == [b"2"]
    writer.close()
