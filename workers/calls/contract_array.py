"""The contract `array`: documents in an array, answered by an array of as many values. Pure."""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from typing import Final

from topics.codecs import json as codec
from workers.calls.framing import Framed, Reading, RecordAnswer, all_invalid, kind_of
from workers.ports import SourceRecord

HEAD: Final = b"["
TAIL: Final = b"]"


class ArrayContract:
    """Keeps `framing.BatchContract`. An answer has values and nothing else: a function that cannot answer for
    one record throws, and the batch is split."""

    name = "array"
    keeps_order = True
    is_grouped = False
    frame_bytes = len(HEAD) + len(TAIL)

    def entry(self, identity: str, record: SourceRecord, document: bytes) -> bytes:
        return document

    def group(self, record: SourceRecord) -> str:
        return ""

    def group_bytes(self, group: str) -> int:
        return 0

    def single(self, item: Framed) -> Hashable | None:
        return None

    def frame(self, batch: Sequence[Framed]) -> bytes:
        return HEAD + b",".join([item.text for item in batch]) + TAIL

    def read(self, body: bytes, batch: Sequence[Framed]) -> Reading:
        """An array of another length fails every record: nobody can tell which value is whose."""
        count = len(batch)
        try:
            values = codec.decode_value(body)
        except ValueError:
            what = "0 bytes" if not body else "no JSON"
            return all_invalid(count, "not_json", f"the answer to the batch is {what}")
        if not isinstance(values, list):
            reason = f"the answer to the batch is {kind_of(values)}, not an array of {count}"
            return all_invalid(count, "wrong_type", reason)
        if len(values) != count:
            reason = f"the answer to the batch is an array of {len(values)}, the request had {count} records"
            return all_invalid(count, "wrong_length", reason)
        return Reading([RecordAnswer("ok", value) for value in values])
