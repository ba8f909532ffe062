"""The records of the benchmarks: orders of about 300 bytes, the same for the same seed."""

from __future__ import annotations

import random
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

import orjson

KEYS: Final = 20_000
# Nine in ten pass the pipeline's $match.
PASSING_BELOW: Final = 9


@dataclass(frozen=True, slots=True)
class Order:
    """One record. `passes`: whether the pipeline of the benchmarks lets it through."""

    key: bytes
    value: bytes
    headers: list[tuple[str, bytes | None]]
    passes: bool


def orders(count: int, seed: int = 1) -> Iterator[Order]:
    """The first `count` orders of this seed."""
    rng = random.Random(seed)
    for number in range(count):
        customer = rng.randrange(KEYS)
        kind = rng.randrange(10)
        order = {
            "id": number,
            "customer": f"customer-{customer}",
            "channel": "web" if kind < PASSING_BELOW else "test",
            "amount": round(rng.uniform(1, 500), 2),
            "quantity": rng.randrange(1, 9),
            "currency": "EUR",
            "items": [
                {"sku": f"sku-{rng.randrange(10_000)}", "price": rng.randrange(1, 100)} for _ in range(3)
            ],
            "address": {"city": "Zürich", "street": "Bahnhofstrasse 1", "zip": "8001"},
            "note": "please ring twice",
        }
        trace = f"00-{rng.getrandbits(128):032x}-{rng.getrandbits(64):016x}-01".encode()
        yield Order(
            f"customer-{customer}".encode(),
            orjson.dumps(order),
            [("traceparent", trace)],
            kind < PASSING_BELOW,
        )
