"""Call sites with batches, functions that answer them, and what was sent."""

from __future__ import annotations

import base64
import json
from collections.abc import Callable
from typing import Any

from tests.unit.engine.rig import Rig, site
from workers.model import Document, Meta, Refused
from workers.pipeline.program import BatchSpec, CallSite, Contract
from workers.ports import InvokeRequest


def batched(
    records: int = 4,
    contract: Contract = "records",
    *,
    size: int = 100_000,
    delay: float = 0.001,
    **fields: Any,
) -> CallSite:
    """A call site with batches."""
    return site(batch=BatchSpec(records, size, delay, contract), **fields)


def value_of(doc: Document, _meta: Meta | None) -> Any:
    """`partitionBy: $of` as the compiler makes it."""
    return ("of", doc["of"]) if "of" in doc else Refused("no value", "$externalFunction", "partitionBy", doc)


def by_record(outcome: Callable[[dict[str, Any]], dict[str, Any]]) -> Callable[[InvokeRequest], bytes]:
    """A function that answers the contract `records`, record by record."""

    def answer(request: InvokeRequest) -> bytes:
        records = json.loads(request.body)["records"]
        return json.dumps({"records": [{"id": one["id"], **outcome(one)} for one in records]}).encode()

    return answer


def sizes(rig: Rig) -> list[int]:
    """Records of each request by the contract `records`."""
    return [len(body["records"]) for body in rig.invoked()]


def contexts(rig: Rig) -> list[dict[str, Any]]:
    """What the client context of each request says."""
    texts = [base64.b64decode(request.client_context or "") for request in rig.invoker.requests]
    return [json.loads(text)["penstock"] for text in texts]
