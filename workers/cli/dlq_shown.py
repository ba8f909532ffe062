"""Dead letters for a person and for a program. What came from outside never reaches a terminal raw."""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

import orjson

from workers.emit.letters import Letter

# Printed as text where it is text; one that is none is shown in hexadecimal digits.
_ESCAPES = {"\n": "\\n", "\r": "\\r", "\t": "\\t"}


def printable(text: str) -> str:
    r"""The text without anything that a terminal would act on: `\x1b[31m` instead of red."""
    return "".join(
        char if char.isprintable() else _ESCAPES.get(char) or f"\\x{ord(char):02x}" for char in text
    )


def shown_bytes(raw: bytes | None) -> str:
    """`7 bytes  a text`, or `3 bytes, no text  00 ff 7f`; `null` for none."""
    if raw is None:
        return "null"
    count = f"{len(raw):,} byte{'' if len(raw) == 1 else 's'}"
    try:
        return f"{count}  {printable(raw.decode())}".rstrip()
    except UnicodeDecodeError:
        return f"{count}, no text  {raw.hex(' ')}"


def as_lines(letter: Letter) -> list[str]:
    """The whole letter, for a person."""
    error, original = letter.error, letter.original
    path = f" at {error['path']}" if error.get("path") else ""
    extra = [f"{name} {error[name]}" for name in ("requestId", "executedVersion") if name in error]
    rows = [
        ("time", f"{_moment(letter.time)}, format {letter.format}"),
        ("processor", letter.processor),
        ("operator", f"{letter.why.get('operatorName', '')}{path}"),
        ("error", f"{error.get('class')} (scope {error.get('scope')}, {_attempts(error)})"),
        ("reason", str(error.get("reason", ""))),
        *([("call", ", ".join(extra))] if extra else []),
        ("original", f"{original.topic} {original.partition}:{original.offset}, "
                     f"{_moment(_from_ms(original.timestamp_ms))}, replayed {original.replays} times"),
    ]  # fmt: skip
    lines = [f"{letter.topic} {letter.partition}:{letter.offset}"]
    lines += [f"  {name:<9}  {printable(text)}" for name, text in rows]
    if letter.is_truncated:
        size = letter.why.get("valueBytes")
        lines.append(f"  truncated  the value of {size} bytes is in the source, if it still is")
    lines += [f"  {'key':<9}  {shown_bytes(original.key)}", f"  {'value':<9}  {shown_bytes(original.value)}"]
    lines += [f"  {'header':<9}  {printable(name)}: {shown_bytes(v)}" for name, v in original.headers or ()]
    if letter.why.get("doc") is not None:
        cut = " (cut)" if letter.why.get("docTruncated") else ""
        lines.append(f"  {'doc' + cut:<9}  {printable(orjson.dumps(letter.why['doc']).decode())}")
    return lines


def as_data(letter: Letter) -> dict[str, Any]:
    """The whole letter as plain data: `why` as it was written, and the original's bytes."""
    original = letter.original
    # Atlas's document holds the bytes of key, value and headers as well; they are below once.
    why = {name: value for name, value in letter.why.items() if name != "value"}
    return {
        "letter": {"topic": letter.topic, "partition": letter.partition, "offset": letter.offset},
        "format": letter.format,
        "truncated": letter.is_truncated,
        **why,
        "key": _plain(original.key),
        "value": _plain(original.value),
        "headers": [{"k": name, "v": _plain(value)} for name, value in original.headers or ()],
    }


def _plain(raw: bytes | None) -> dict[str, str] | None:
    """`{"text": ...}`, or `{"base64": ...}` for bytes that are none."""
    if raw is None:
        return None
    try:
        return {"text": raw.decode()}
    except UnicodeDecodeError:
        return {"base64": b64encode(raw).decode()}


def _from_ms(milliseconds: int) -> datetime | None:
    try:
        return datetime.fromtimestamp(milliseconds / 1_000, UTC) if milliseconds >= 0 else None
    except (ValueError, OverflowError, OSError):
        return None


def _moment(moment: datetime | None) -> str:
    return "no time" if moment is None else moment.isoformat(timespec="milliseconds").replace("+00:00", "Z")


def _attempts(error: Mapping[str, Any]) -> str:
    count = error.get("attempts")
    return "1 attempt" if count == 1 else f"{count} attempts"
