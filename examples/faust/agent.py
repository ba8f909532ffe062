"""A Faust agent that has each order scored by the function `score` of examples/orders.

    export KAFKA_BOOTSTRAP=$(penstock kafka start)
    penstock functions serve --app examples/orders --port 9900
    python examples/faust/agent.py worker --without-web

Results are in the topic `faust-orders.out`. One order in ten is wrong: it ends in `faust-orders.dlq`, with
the function's error.
"""

from __future__ import annotations

import json
import os
from collections.abc import AsyncIterator
from typing import Any

import faust

from penstock.faust import external_function

app = faust.App(
    "faust-orders",
    broker=f"kafka://{os.environ.get('KAFKA_BOOTSTRAP', '127.0.0.1:9092')}",
    store="memory://",
    topic_replication_factor=1,
    consumer_auto_offset_reset="earliest",
)
orders = app.topic(
    "faust-orders.in", partitions=4, internal=True, key_serializer="raw", value_serializer="raw"
)
results = app.topic(
    "faust-orders.out", partitions=4, internal=True, key_serializer="raw", value_serializer="json"
)

score = external_function(
    app,
    "faust-orders",
    connection={
        "region": "eu-central-1",
        "endpointUrl": os.environ.get("FUNCTIONS_URL", "http://127.0.0.1:9900"),
        "accessKeyId": "local",
        "secretAccessKey": "local",
    },
    function_name="score",
    as_="fraud",
    payload=[{"$project": {"customer": 1, "items": 1}}],
    timeout="2s",
)


@app.agent(orders, sink=[results])
async def process(stream: Any) -> AsyncIterator[Any]:
    """Whatever comes back has its score; order of a partition kept, up to 64 calls at once."""
    async for order in score(stream):
        yield order


@app.timer(1.0)
async def sell() -> None:
    """Ten orders a second, one of them with a quantity that the function throws at."""
    for number in range(10):
        items = [{"sku": "A-1", "qty": number or -1, "price": 9.5}]
        order = {"id": number, "customer": {"country": "DE"}, "items": items}
        await orders.send(key=str(number).encode(), value=json.dumps(order).encode())


if __name__ == "__main__":
    app.main()
