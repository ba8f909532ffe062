"""Structured logs on stderr: one line an event, fields instead of prose, never a payload.

    log_event(logger, logging.INFO, "partitions assigned", processor="orders", partitions=3)
    {"ts":"2026-01-02T03:04:05.678Z","level":"info","logger":"workers.engine","event":"partitions assi...

A healthy worker logs start, assignment, drain and stop, and nothing per record. Secrets have no business in
a field; the redaction here is the last defence.
"""

from __future__ import annotations

import json
import logging
import re
import sys
import traceback
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any, Final, TextIO

LEVELS: Final = ("debug", "info", "warning", "error")

# A line of 50 fields with 2,000 characters each is 100 kB: more is no log line any more.
MAX_TEXT: Final = 2_000
MAX_ITEMS: Final = 50
MAX_DEPTH: Final = 4
MAX_TRACEBACK: Final = 8_000

REDACTED: Final = "[redacted]"
_SECRET_NAME: Final = re.compile(
    r"passw|passphrase|secret|token|apikey|accesskey|privatekey|authoriz|credential|signature|cookie|jaas"
)
_SECRET_IN_TEXT: Final = re.compile(
    r"(?i)(\b[\w.-]*(?:passw(?:or)?d|secret|token|api[_-]?key|credential)[\w.-]*[\"']?\s*[=:]\s*)([\"']?)[^\s,;&\"'}]+"
)
_USER_IN_URL: Final = re.compile(r"(\w://)[^/\s:@]+:[^/\s@]+@")
_OWN_KEYS: Final = frozenset({"ts", "level", "logger", "event"})


def set_up(level: str = "info", *, stream: TextIO | None = None, human: bool | None = None) -> None:
    """Send the logs of this process to `stream` (stderr): JSON, or lines for people when it is a terminal.

    `level` holds for this project's loggers. Libraries speak from `warning` up, whatever it says: at `debug`
    botocore writes the headers it signs and aiohttp what it reads.
    """
    if level not in LEVELS:
        raise ValueError(f"log level {level!r} is not one of {', '.join(LEVELS)}")
    target = stream if stream is not None else sys.stderr
    handler = logging.StreamHandler(target)
    for_people = target.isatty() if human is None else human
    handler.setFormatter(PeopleFormatter() if for_people else JsonFormatter())
    root = logging.getLogger()
    for old in root.handlers[:]:
        root.removeHandler(old)
    root.addHandler(handler)
    root.setLevel(max(logging.WARNING, _number(level)))
    for name in ("workers", "topics", "penstock"):
        logging.getLogger(name).setLevel(_number(level))
    logging.captureWarnings(True)


def log_event(logger: logging.Logger, level: int, event: str, /, **fields: Any) -> None:
    """Log one event: a constant text; what varies goes into fields. `exc_info=True` adds the error."""
    if logger.isEnabledFor(level):
        exc_info = fields.pop("exc_info", None)
        logger.log(level, "%s", event, exc_info=exc_info, extra={"fields": fields})


class JsonFormatter(logging.Formatter):
    """One JSON object a line: ts, level, logger, event, then the fields."""

    def format(self, record: logging.LogRecord) -> str:
        """The line of one record, without its line feed."""
        line = {
            "ts": _time(record).strftime("%Y-%m-%dT%H:%M:%S.") + f"{record.msecs:03.0f}Z",
            "level": record.levelname.lower(),
            "logger": record.name,
            "event": _text(record.getMessage()),
            **_fields(record),
        }
        # ASCII: a line separator in a text cannot break the line, nor the terminal's encoding the log.
        return json.dumps(line, separators=(",", ":"))


class PeopleFormatter(logging.Formatter):
    """The same for a terminal: time, level, event, then `name=value`."""

    def format(self, record: logging.LogRecord) -> str:
        """The line of one record; a traceback follows on lines of its own."""
        fields = _fields(record)
        trace = fields.pop("traceback", "")
        pairs = "".join(f"  {name}={_shown(value)}" for name, value in fields.items())
        event = _text(record.getMessage())
        line = f"{_time(record).astimezone():%H:%M:%S} {record.levelname.lower():7} {event}{pairs}"
        return f"{line}\n{trace}" if trace else line


def redact(name: str, value: Any) -> Any:
    """`value` as a log may show it under this name: secrets hidden, bytes counted, sizes bounded."""
    return _clean(name, value, MAX_DEPTH)


def _fields(record: logging.LogRecord) -> dict[str, Any]:
    given: Mapping[str, Any] = getattr(record, "fields", {})
    shown = {f"{name}_" if name in _OWN_KEYS else name: redact(name, value) for name, value in given.items()}
    if record.exc_info and record.exc_info[1] is not None:
        error = record.exc_info[1]
        shown.setdefault("error", _text(f"{type(error).__name__}: {error}"))
        lines = traceback.format_exception(type(error), error, error.__traceback__)
        shown["traceback"] = _hide("".join(lines)[-MAX_TRACEBACK:])
    return shown


def _clean(name: str, value: Any, depth: int) -> Any:
    if _SECRET_NAME.search(re.sub(r"[^a-z]", "", name.lower())) and not isinstance(value, bool | None):
        return REDACTED
    if value is None or isinstance(value, bool | int):
        return value
    if isinstance(value, float):
        return value if value - value == 0 else str(value)  # JSON has no NaN and no infinity
    if isinstance(value, bytes | bytearray | memoryview):
        return f"<{len(value)} bytes>"
    if depth and isinstance(value, Mapping):
        pairs = list(value.items())[:MAX_ITEMS]
        return {_text(str(key)): _clean(str(key), item, depth - 1) for key, item in pairs}
    if depth and isinstance(value, list | tuple | set | frozenset):
        return [_clean(name, item, depth - 1) for item in list(value)[:MAX_ITEMS]]
    return _text(str(value))


def _text(text: str) -> str:
    text = _hide(text if len(text) <= MAX_TEXT else f"{text[:MAX_TEXT]}... ({len(text)} characters)")
    return text.encode(errors="replace").decode()


def _hide(text: str) -> str:
    return _USER_IN_URL.sub(rf"\1{REDACTED}@", _SECRET_IN_TEXT.sub(rf"\1\2{REDACTED}", text))


def _shown(value: Any) -> str:
    return (
        value
        if isinstance(value, str) and value and " " not in value
        else json.dumps(value, ensure_ascii=False)
    )


def _time(record: logging.LogRecord) -> datetime:
    return datetime.fromtimestamp(record.created, UTC)


def _number(level: str) -> int:
    return {"debug": logging.DEBUG, "info": logging.INFO, "warning": logging.WARNING, "error": logging.ERROR}[
        level
    ]
