"""What `$source` makes of a record before the first stage sees it: the key's value and the record's time."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from typing import Any

from bson.datetime_ms import DatetimeMS

from workers.errors import Poison
from workers.model import Document, Meta, Refused
from workers.pipeline.program import Reading
from workers.pipeline.stages.source import ReadSpec
from workers.pipeline.values import type_name
from workers.pipeline.wire import KEY_READERS

Evaluate = Callable[[Document, Meta | None], Any]
_Step = Callable[[Document | None, Meta], Refused | None]


def compile_reading(spec: ReadSpec, time_field: Evaluate | None, *, needs_meta: bool) -> Reading | None:
    """None where there is nothing to do. `time_field` is the compiled expression of `timeField`; `needs_meta`
    says whether anything reads the meta, so that a key which may be anything is left alone where nobody
    looks."""
    source = spec.source
    steps: list[_Step] = []
    if source.key_format not in ("binData", "schemaRegistry") and (
        needs_meta or source.key_format_error == "dlq"
    ):
        steps.append(_key_step(spec))
    if time_field is not None:
        steps.append(_time_step(spec, time_field))
    if source.ts_field is not None:
        steps.append(_ts_step(source.ts_field))
    if not steps:
        return None
    if len(steps) == 1:
        return steps[0]

    def read(doc: Document | None, meta: Meta) -> Refused | None:
        for step in steps:
            refused = step(doc, meta)
            if refused is not None:
                return refused
        return None

    return read


def _key_step(spec: ReadSpec) -> _Step:
    """A record without a key has none in any format. A key that is none of its format stays bytes, or
    dead-letters its record."""
    read, passes = KEY_READERS[spec.source.key_format], spec.source.key_format_error == "passThrough"
    path = f"{spec.path}.config.keyFormat"

    def step(doc: Document | None, meta: Meta) -> Refused | None:
        raw = meta.source["key"]
        if raw is None:
            return None
        try:
            key = read(raw)
        except Poison as error:
            return None if passes else Refused(error.reason, "$source", path, doc, error_class="KeyFormat")
        meta.source = {**meta.source, "key": key}
        return None

    return step


def _time_step(spec: ReadSpec, evaluate: Evaluate) -> _Step:
    """A tombstone has no field to read: its time stays the record's."""
    path = f"{spec.path}.timeField"

    def step(doc: Document | None, meta: Meta) -> Refused | None:
        if doc is None:
            return None
        try:
            moment = evaluate(doc, meta)
        except Poison as error:
            return Refused(error.reason, "$source", error.at or path, doc, error_class="TimeField")
        if not isinstance(moment, datetime | DatetimeMS):
            reason = f"timeField must give a date, not {type_name(moment)}"
            return Refused(reason, "$source", path, doc, error_class="TimeField")
        meta.source = {**meta.source, "ts": moment}
        return None

    return step


def _ts_step(field: str) -> _Step:
    def step(doc: Document | None, meta: Meta) -> Refused | None:
        if doc is not None:
            doc[field] = meta.source["ts"]
        return None

    return step
