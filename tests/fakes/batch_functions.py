"""What a fake function does with a batch, by any of the three contracts: the outcome `batch`. Pure.

Each record meets the fate of its own id (`Behaviour.fates`, `id_field`): `echo` is ok with the document as
its value, `empty` a drop, `error` a retry, `function_error` a failure. With `value_field` it counts calls
that hold a value while another one does; with `order_field` new records behind a later one of their value.
"""

from __future__ import annotations

import base64
from dataclasses import replace
from typing import Any

import orjson

from tests.fakes.lambda_behaviour import Behaviour, Function, fate_of, in_force

Numbered = tuple[Any, dict[str, Any]]
"""How the answer names a record, and its document."""


def records_of(body: bytes) -> tuple[str, list[Numbered]]:
    """(contract, records) of a request."""
    whole = orjson.loads(body)
    if isinstance(whole, list):
        return "array", [(None, doc) for doc in whole]
    if isinstance(whole["records"], list):
        return "records", [(record["id"], record["value"]) for record in whole["records"]]
    found = [
        ({"partition": group, "offset": record["offset"]}, orjson.loads(base64.b64decode(record["value"])))
        for group, records in whole["records"].items()
        for record in records
    ]
    return "kafkaEvent", found


def begin(function: Function, behaviour: Behaviour, body: bytes) -> None:
    """A call with this body starts."""
    _, records = records_of(body)
    values = {str(doc[behaviour.value_field]) for _, doc in records} if behaviour.value_field else set()
    for value in values:
        running = function.running_values.get(value, 0)
        function.overlaps += running > 0
        function.running_values[value] = running + 1
    if behaviour.value_field and behaviour.order_field:
        for _, doc in records:
            value, place = str(doc[behaviour.value_field]), int(doc[behaviour.order_field])
            is_new = str(doc.get(behaviour.id_field or "")) not in function.ids
            function.disorder += is_new and place < function.last_places.get(value, -1)
            function.last_places[value] = max(place, function.last_places.get(value, -1))


def end(function: Function, behaviour: Behaviour, body: bytes) -> None:
    """A call with this body is over."""
    if behaviour.value_field:
        for value in {str(doc[behaviour.value_field]) for _, doc in records_of(body)[1]}:
            function.running_values[value] -= 1


def answer(function: Function, behaviour: Behaviour, body: bytes) -> bytes:
    """The answer to a whole batch."""
    contract, records = records_of(body)
    fates = [_fate(function, behaviour, doc) for _, doc in records]
    if contract == "array":
        return orjson.dumps([doc for _, doc in records])
    if contract == "kafkaEvent":
        failed = [name for (name, _), fate in zip(records, fates, strict=True) if fate != "echo"]
        return orjson.dumps({"batchItemFailures": [{"itemIdentifier": name} for name in failed]})
    answers: list[dict[str, Any]] = []
    for (name, doc), fate in zip(records, fates, strict=True):
        result = {"empty": "drop", "error": "retry", "function_error": "fail"}.get(fate, "ok")
        answers.append({"id": name, "result": result, **({"value": doc} if result == "ok" else {})})
    return orjson.dumps({"records": answers})


def _fate(function: Function, behaviour: Behaviour, doc: dict[str, Any]) -> str:
    if behaviour.id_field is None:
        return "echo"
    identity = str(doc[behaviour.id_field])
    before = function.ids.get(identity, 0)
    function.ids[identity] = before + 1
    fate = fate_of(behaviour, identity)
    return "echo" if fate is behaviour else in_force(replace(fate, fates=()), before).outcome
