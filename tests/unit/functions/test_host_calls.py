"""What a function asks of the host."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path
from typing import Any

import pytest

from workers.functions import FunctionEntry, host_calls
from workers.functions.context import CallContext

ENTRY = FunctionEntry("f", "javascript", Path("f.js"), "functions/f.js", 1.0, 1 << 20, 1)
ASKER = host_calls.Asker(ENTRY, CallContext("f"), "id")


async def _double(asker: host_calls.Asker, args: list[Any]) -> Any:
    return [asker.entry.name, args[0] * 2]


async def _raise(asker: host_calls.Asker, args: list[Any]) -> Any:
    raise LookupError("no such value")


async def _hang(asker: host_calls.Asker, args: list[Any]) -> Any:
    await asyncio.Event().wait()


TABLE = {"double": _double, "raise": _raise, "hang": _hang}


async def _answer(*calls: dict[str, Any]) -> list[dict[str, Any]]:
    answered: list[dict[str, Any]] = json.loads(
        await host_calls.answer(json.dumps(calls).encode(), TABLE, ASKER, 0.05)
    )
    return answered


async def test_every_call_of_a_batch_gets_its_own_answer() -> None:
    """A value, an exception's type and text, a refusal and a time-out side by side, in order."""
    answered = await _answer(
        {"id": 1, "name": "double", "args": [21]},
        {"id": 2, "name": "raise", "args": []},
        {"id": 3, "name": "nope", "args": []},
        {"id": 4, "name": "hang", "args": []},
        {"id": 5, "name": "double", "args": "no list"},
    )
    assert answered[0] == {"id": 1, "ok": True, "value": ["f", 42]}
    assert answered[1]["value"] == {"errorType": "LookupError", "errorMessage": "no such value"}
    assert [(one["id"], one["ok"], one["value"]["errorType"]) for one in answered[2:] if not one["ok"]] == [
        (3, False, "TypeError"),
        (4, False, "TimeoutError"),
        (5, False, "TypeError"),
    ]


async def test_a_batch_over_the_bound_is_refused_whole() -> None:
    """No call of it is run."""
    answered = await _answer(*({"id": n, "name": "double", "args": [n]} for n in range(257)))
    assert {one["value"]["errorType"] for one in answered} == {"RangeError"}


@pytest.mark.parametrize("batch", [b"{", b"{}", b"[1]", b'[{"name": "double"}]'])
async def test_what_is_no_batch_is_an_error_of_the_worker(batch: bytes) -> None:
    """Only a worker whose program was tampered with sends that."""
    with pytest.raises(ValueError, match=r"."):
        await host_calls.answer(batch, TABLE, ASKER, 1.0)
