"""Logs: one JSON object a line, no secrets, bounded sizes, whatever is put in."""

from __future__ import annotations

import io
import json
import logging
from collections.abc import Iterator
from typing import Any

import pytest

from workers.logs import MAX_ITEMS, MAX_TEXT, REDACTED, log_event, redact, set_up

LOGGER = logging.getLogger("workers.test_logs")


@pytest.fixture(autouse=True)
def _logging_as_before() -> Iterator[None]:
    """The root logger is the test runner's; give it back."""
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    names = {name: logging.getLogger(name).level for name in ("workers", "topics", "penstock")}
    yield
    root.handlers[:] = handlers
    root.setLevel(level)
    for name, own in names.items():
        logging.getLogger(name).setLevel(own)
    logging.captureWarnings(False)


def written(level: str = "info", /, event: str = "something happened", **fields: Any) -> dict[str, Any]:
    """The one line that an event becomes, parsed."""
    stream = io.StringIO()
    set_up(level, stream=stream)
    log_event(LOGGER, logging.INFO, event, **fields)
    lines = stream.getvalue().splitlines()
    assert len(lines) == 1
    parsed: dict[str, Any] = json.loads(lines[0])
    return parsed


def test_an_event_is_one_json_line_with_its_fields() -> None:
    """ts, level, logger and event come first, then the fields with their own types."""
    line = written(event="partitions assigned", processor="orders", partitions=3, took_seconds=0.25, ok=True)
    assert list(line)[:4] == ["ts", "level", "logger", "event"]
    assert line["ts"].endswith("Z")
    assert line["level"] == "info"
    assert line["logger"] == "workers.test_logs"
    assert line["event"] == "partitions assigned"
    assert line["partitions"] == 3
    assert line["took_seconds"] == 0.25
    assert line["ok"] is True


@pytest.mark.parametrize(
    "name",
    ["password", "saslPassword", "client_secret", "sessionToken", "api-key", "AWS_ACCESS_KEY_ID",
     "Authorization", "ssl.key.passphrase", "private_key", "Cookie", "X-Amz-Signature", "sasl.jaas.config"],
)  # fmt: skip
def test_a_secret_is_hidden_by_its_name(name: str) -> None:
    """Also inside nested fields; the name stays, so that one sees that it was set."""
    assert written(connection={"inner": {name: "hunter2"}})["connection"] == {"inner": {name: REDACTED}}


@pytest.mark.parametrize(
    "text",
    ["connecting with password=hunter2", "bad url https://ada:hunter2@example.org/x", '{"apiKey": "hunter2"}',
     "sasl.password: hunter2, mechanism PLAIN", "token='hunter2'"],
)  # fmt: skip
def test_a_secret_in_a_text_is_hidden(text: str) -> None:
    """Messages of libraries and of errors are texts; `name=value` and user:password@ in them are hidden."""
    line = written(event=text, reason=text)
    assert "hunter2" not in json.dumps(line)
    assert REDACTED in line["reason"]


def test_ordinary_names_and_texts_stay_as_they_are() -> None:
    """Redaction that hides what operators need would be switched off."""
    line = written(
        key_count=3, partition_key="customer", reason="unknown topic orders[3]: offset 42, key null"
    )
    assert line["key_count"] == 3
    assert line["partition_key"] == "customer"
    assert line["reason"] == "unknown topic orders[3]: offset 42, key null"


def test_bytes_are_counted_and_never_shown() -> None:
    """Keys and values of records are bytes: they are payloads."""
    assert written(value=b"a customer's data")["value"] == "<17 bytes>"


def test_sizes_are_bounded() -> None:
    """A text, a list, a depth: each has its bound, and a document that holds itself ends."""
    loop: dict[str, Any] = {}
    loop["again"] = loop
    line = written(text="x" * 10_000, items=list(range(1_000)), loop=loop)
    assert len(line["text"]) < MAX_TEXT + 40
    assert line["text"].endswith("(10000 characters)")
    assert len(line["items"]) == MAX_ITEMS
    assert len(json.dumps(line["loop"])) < MAX_TEXT


@pytest.mark.parametrize(
    "value", [float("nan"), float("inf"), "\ud800", {1: {2, 3}}, object(), "line\nbreak\u2028"]
)
def test_any_value_makes_one_valid_line(value: Any) -> None:
    """Not a number, half a surrogate pair, any object: the line is valid JSON in UTF-8."""
    line = written(value=value)
    assert "value" in line
    json.dumps(line, allow_nan=False).encode()


def test_a_field_cannot_replace_the_lines_own_keys() -> None:
    """A field called `level` does not make an error look like an info."""
    line = written(level="none", ts=0, event="e", logger="me")
    assert (line["level"], line["level_"], line["ts_"], line["logger_"]) == ("info", "none", 0, "me")


def test_an_error_is_shown_with_its_traceback_and_without_its_secrets() -> None:
    """`exc_info=True` adds error and traceback; their texts are redacted too."""
    stream = io.StringIO()
    set_up(stream=stream)
    try:
        raise ValueError("login with password=hunter2 failed")
    except ValueError:
        log_event(LOGGER, logging.ERROR, "login failed", exc_info=True)
    line = json.loads(stream.getvalue())
    assert line["error"] == f"ValueError: login with password={REDACTED} failed"
    assert "Traceback" in line["traceback"]
    assert "hunter2" not in stream.getvalue()


def test_libraries_never_speak_below_warning() -> None:
    """botocore's debug log holds what it signs; `--log-level debug` is about this project."""
    stream = io.StringIO()
    set_up("debug", stream=stream)
    logging.getLogger("botocore.auth").debug("CanonicalRequest")
    logging.getLogger("workers.engine").debug("own")
    logging.getLogger("botocore").warning("retrying %s", "x")
    assert [json.loads(line)["event"] for line in stream.getvalue().splitlines()] == ["own", "retrying x"]


def test_below_its_level_nothing_is_written_and_setting_up_again_replaces() -> None:
    """`error` silences info; a second set_up leaves one handler, not two."""
    stream = io.StringIO()
    set_up("error", stream=stream)
    log_event(LOGGER, logging.INFO, "quiet")
    set_up("info", stream=stream)
    log_event(LOGGER, logging.INFO, "loud")
    assert len(stream.getvalue().splitlines()) == 1


def test_an_unknown_level_is_refused_with_the_known_ones() -> None:
    """A typo in the settings is told, not ignored."""
    with pytest.raises(ValueError, match="'loud' is not one of debug, info, warning, error"):
        set_up("loud")


def test_people_get_a_line_without_json() -> None:
    """On a terminal: time, level, event and the fields as name=value."""
    stream = io.StringIO()
    set_up(stream=stream, human=True)
    log_event(
        LOGGER, logging.WARNING, "broker away", processor="orders", reason="connection refused", token="t"
    )
    line = stream.getvalue().strip()
    assert line.endswith(
        f'warning broker away  processor=orders  reason="connection refused"  token={REDACTED}'
    )


def test_a_terminal_gets_lines_for_people_by_itself() -> None:
    """isatty decides when nobody says."""

    class Terminal(io.StringIO):
        def isatty(self) -> bool:
            return True

    stream = Terminal()
    set_up(stream=stream)
    log_event(LOGGER, logging.INFO, "hello")
    assert "{" not in stream.getvalue()


def test_redact_is_what_other_reports_use() -> None:
    """The same rule is there for what is not a log line."""
    assert redact("sasl_password", "x") == REDACTED
    assert redact("authenticated", True) is True
