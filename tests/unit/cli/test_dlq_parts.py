"""The parts of `penstock dlq` that need no broker: queries, paces, what a terminal is shown."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace

import pytest

from tests.unit.appfolder.folders import PROCESSOR, write
from tests.unit.cli.run_command import penstock
from workers.appfolder import load_app
from workers.cli import dlq_run
from workers.cli.dlq_run import Pace
from workers.cli.dlq_shown import as_data, as_lines, printable, shown_bytes
from workers.cli.dlq_where import Where
from workers.emit.dead_letter import DeadLetter, DeadLetterPolicy, Origin, dead_letter, truncated
from workers.emit.letter_counts import MAX_KINDS, LetterCounts
from workers.emit.letters import Letter, read_letter
from workers.errors import Invalid
from workers.model import Refused


class Record:
    """A dead letter as a client gives it."""

    def __init__(self, made: DeadLetter) -> None:
        self._parts = (made.key, made.value, made.headers)

    def topic(self) -> str:
        return "orders.dlq"

    def partition(self) -> int:
        return 0

    def offset(self) -> int:
        return 17

    def key(self) -> bytes | None:
        return self._parts[0]

    def value(self) -> bytes | None:
        return self._parts[1]

    def headers(self) -> list[tuple[str, bytes | None]]:
        return self._parts[2]

    def timestamp(self) -> tuple[int, int]:
        return 1, 0


ORIGIN = Origin(
    "orders", 3, 1209, 1_700_000_000_000, b"k\x1b[31m", b'{"customer": 7}', [("t", b"\xff"), ("t", None)]
)
REFUSED = Refused(
    "no such customer", "$externalFunction", "pipeline[1].$externalFunction", {"customer": 7}, "Lookup",
    "record", attempts=2, request_id="r-1",
)  # fmt: skip


def letter(refused: Refused = REFUSED, now: str = "2026-11-21T10:30:00.000Z") -> Letter:
    made = dead_letter(ORIGIN, refused, DeadLetterPolicy("orders"), now)
    found = read_letter(Record(made))
    assert found is not None
    return found


@pytest.mark.parametrize(
    "query",
    [
        "{}",
        "{'errInfo.class': 'Lookup'}",
        "{errInfo: {$exists: true}, 'value.customer': {$gt: 6}}",
        "{$or: [{'headers.t': null}, {key: 'x'}]}",
        "{$expr: {$gte: ['$errInfo.attempts', 2]}}",
        "{dlqTime: {$gte: ISODate('2026-11-21T10:00:00Z'), $lt: ISODate('2026-11-21T11:00:00Z')}}",
        "{'_stream_meta.source.partition': 3, 'letter.offset': 17}",
        "{'doc.customer': 7}",
        "[{$match: {operatorName: '$externalFunction'}}, {$match: {processorName: 'orders'}}]",
        "{$match: {'errInfo.scope': 'record'}}",
    ],
)
def test_a_query_reaches_every_part_of_a_letter(query: str) -> None:
    """Why, when, where, the document, and of the original the key, the value and the headers."""
    assert Where(query).matches(letter())


@pytest.mark.parametrize("query", ["{'errInfo.class': 'Timeout'}", "[{$match: {a: 1}}]", "{key: 'k'}"])
def test_what_does_not_match_is_left_out(query: str) -> None:
    """Without being an error."""
    where = Where(query)
    assert not where.matches(letter())
    assert where.remarks() == []


def test_a_query_that_fails_on_a_letter_says_so() -> None:
    """The letter does not match, and the number of such letters and the first place are told."""
    where = Where("{$expr: {$eq: [{$toInt: '$errInfo.class'}, 1]}}")
    assert not where.matches(letter())
    (remark,) = where.remarks()
    assert remark.startswith("note: --where failed on 1 letters, first on orders.dlq 0:17: ")


@pytest.mark.parametrize(
    ("query", "said"),
    [
        ('{"errInfo.class": {$foo: 1}}', "--where: errInfo.class.$foo: unknown operator $foo"),
        ("{$or: [{a: {$foo: 1}}]}", "--where: $or[0].a.$foo: unknown operator $foo"),
        ("[{$match: {a: 1}}, {$nope: 1}]", "--where: [1].$nope: unknown stage $nope"),
        ("{a: ", "--where: line 1, column 5: the end of the text; expected a value"),
        ("", "--where: holds no query"),
        ('{dlqTime: {$gte: {$date: "soon"}}}', "--where: dlqTime.$gte: a malformed $date"),
        ("[{$group: {_id: 1}}]", "--where: has a stage over all letters at once"),
        ("{$expr: {$eq: [{$meta: 'stream.source.topic'}, 1]}}", "--where: reads $meta"),
        ("[{$emit: {connectionName: 'k', topic: 't'}}]", "--where: has $source, $emit or calls"),
    ],
)
def test_a_wrong_query_is_refused_with_its_place(
    query: str, said: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """As the user wrote it: exit code 2, before any broker is asked."""
    app = write(tmp_path, {})
    for command in ("list", "show", "replay"):
        ran = penstock(capsys, "dlq", command, "orders", "--app", app, "--where", query)
        assert ran.code == 2
        assert said in ran.err


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["list", "order"], "processors: order: no such processor; did you mean orders?"),
        (["replay", "order"], "processors: order: no such processor; did you mean orders?"),
        (["list"], "neither a processor nor --topic; one of them"),
        (["show", "orders", "--topic", "dead"], "a processor and --topic; one of them"),
        (["show", "--topic", "dead", "--connection", "kafk"], "is no Kafka connection; there are: kafka"),
        (["show", "orders", "--connection", "kafka"], "--connection: beside a processor"),
        (["show", "orders", "--offset", "17"], "--offset: found '17'; partition:offset, such as 0:17"),
        (["replay", "orders", "--rate", "fast"], "--rate: found 'fast'; a number above 0: 100/s or 30/m"),
        (["replay", "orders", "--rate", "0/s"], "--rate: found '0/s'"),
    ],
)
def test_wrong_arguments_are_refused(
    arguments: list[str], said: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Exit code 2 and what would be right, before any broker is asked."""
    ran = penstock(capsys, "dlq", *arguments, "--app", write(tmp_path, {}))
    assert ran.code == 2
    assert said in ran.err


@pytest.mark.parametrize(
    ("text", "per_second", "batch"),
    [
        ("100/s", 100.0, 50),
        ("30/m", 0.5, 1),
        ("2.5", 2.5, 1),
        (" 9000 / s ", 9_000.0, 500),
        (None, None, 500),
    ],
)
def test_a_rate_bounds_what_goes_at_once(text: str | None, per_second: float | None, batch: int) -> None:
    """Half a second's worth in one transaction, at least one record and at most 500."""
    pace = Pace(text)
    assert pace.per_second == per_second
    assert pace.batch_records() == batch


def test_a_slow_pace_waits(monkeypatch: pytest.MonkeyPatch) -> None:
    """The second batch comes no sooner than the first one's records take; time that was lost is not caught
    up."""
    now, slept = 1_000.0, list[float]()

    def sleep(seconds: float) -> None:
        nonlocal now
        slept.append(seconds)
        now += seconds

    monkeypatch.setattr(dlq_run, "time", SimpleNamespace(monotonic=lambda: now, sleep=sleep))
    pace = Pace("100/s")
    for records, passing in ((10, 0.0), (20, 0.03), (10, 5.0), (10, 0.0), (1, 0.0)):
        pace.wait(records)
        now += passing
    assert slept == pytest.approx([0.0, 0.1, 0.17, 0.0, 0.1])


def test_nothing_from_outside_reaches_a_terminal_raw() -> None:
    """Control characters are spelt out, bytes that are no text are shown in hexadecimal digits."""
    assert printable("a\x1b[31m\n\u202e\u00e9") == "a\\x1b[31m\\n\\x202eé"
    assert shown_bytes(b"k\x1b") == "2 bytes  k\\x1b"
    assert shown_bytes(b"\x00\xff") == "2 bytes, no text  00 ff"
    assert (shown_bytes(b""), shown_bytes(None)) == ("0 bytes", "null")
    text = "\n".join(as_lines(letter()))
    assert "\x1b" not in text
    assert "orders.dlq 0:17" in text
    assert "$externalFunction at pipeline[1].$externalFunction" in text
    assert "Lookup (scope record, 2 attempts)" in text
    assert "orders 3:1209, 2023-11-14T22:13:20.000Z, replayed 0 times" in text
    assert "k\\x1b[31m" in text
    assert "t: 1 byte, no text  ff" in text
    assert "t: null" in text


def test_a_letter_as_data_holds_the_bytes() -> None:
    """Text where it is some, base64 where not, and why as it was written."""
    data = as_data(letter())
    assert data["key"] == {"text": "k\x1b[31m"}
    assert data["value"] == {"text": '{"customer": 7}'}
    assert data["headers"] == [{"k": "t", "v": {"base64": "/w=="}}, {"k": "t", "v": None}]
    assert data["errInfo"]["requestId"] == "r-1"
    assert data["letter"] == {"topic": "orders.dlq", "partition": 0, "offset": 17}


def test_a_truncated_letter_says_what_it_lacks() -> None:
    """Its size, and where the value is."""
    made = truncated(ORIGIN, REFUSED, DeadLetterPolicy("orders"), "2026-11-21T10:30:00.000Z")
    found = read_letter(Record(made))
    assert found is not None
    assert any("truncated  the value of 15 bytes" in line for line in as_lines(found))


def test_counts_are_by_kind_and_hour() -> None:
    """The most frequent first; past the bound the rest is counted together, and none is missed."""
    counts = LetterCounts()
    for now in ("2026-11-21T10:30:00.000Z", "2026-11-21T11:00:00.000Z", "2026-11-21T10:59:59.999Z"):
        counts.add(letter(now=now))
    counts.add(letter(Refused("x", "$project", "", error_class="Overflow"), "2026-11-20T00:00:00.000Z"))
    data = counts.as_data()
    assert data["count"] == 4
    assert data["firstTime"] == "2026-11-20T00:00:00.000Z"
    assert data["kinds"][0] == {
        "class": "Lookup", "scope": "record", "operator": "$externalFunction", "count": 3,
        "firstTime": "2026-11-21T10:30:00.000Z", "lastTime": "2026-11-21T11:00:00.000Z",
    }  # fmt: skip
    assert data["hours"][1:] == [
        {"hour": "2026-11-21T10:00Z", "count": 2}, {"hour": "2026-11-21T11:00Z", "count": 1},
    ]  # fmt: skip
    for number in range(MAX_KINDS):
        counts.add(letter(Refused("x", "$project", "", error_class=f"Class{number}")))
    kinds = counts.as_data()["kinds"]
    assert len(kinds) == MAX_KINDS + 1
    assert sum(kind["count"] for kind in kinds) == 4 + MAX_KINDS


def test_dead_letters_never_go_where_replays_come_from(tmp_path: Path) -> None:
    """Each would come back for ever."""
    processor = f"{PROCESSOR}options: {{dlq: {{topic: orders.replay}}}}\n"
    app = write(tmp_path, {"processors/orders.yaml": processor})
    with pytest.raises(Invalid) as refused:
        load_app(app, {})
    (problem,) = refused.value.problems
    assert (problem.path, problem.found) == (
        "options.dlq.topic", "orders.replay, a topic that this processor reads",
    )  # fmt: skip
