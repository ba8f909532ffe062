"""The documents of the language's benchmark: purchases of about 700 bytes, the same for the same seed."""

from __future__ import annotations

import random
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any, Final

import orjson

_FIRST_DAY: Final = datetime(2025, 1, 1, tzinfo=UTC)
_NAMES: Final = ("Ada Lovelace", "Grace Hopper", "Alan Turing", "Barbara Liskov", "Edsger Dijkstra")
_PLACES: Final = (
    ("DE", "Berlin", "10115"),
    ("CH", "Zürich", "8001"),
    ("FR", "Lyon", "69001"),
    ("XX", "?", ""),
)
_NOTES: Final = ("please ring twice", "URGENT, please leave at the door", "", "call asap", "no hurry at all")
_TAGS: Final = ("fragile", "heavy", "gift", "new", "sale")


def purchases(count: int, seed: int = 1) -> Iterator[bytes]:
    """The first `count` values of this seed. One in five has no coupon, one in three no tier, one in ten a
    discount that is null."""
    rng = random.Random(seed)
    for number in range(count):
        yield orjson.dumps(_purchase(rng, number))


def _purchase(rng: random.Random, number: int) -> dict[str, Any]:
    placed = _FIRST_DAY + timedelta(milliseconds=rng.randrange(31_536_000_000))
    due = placed + timedelta(days=rng.randrange(1, 60), seconds=rng.randrange(86_400))
    country, city, code = rng.choice(_PLACES)
    name = rng.choice(_NAMES)
    customer = {
        "id": f"customer-{rng.randrange(20_000)}",
        "name": f"  {name} ",
        "email": f"{name.replace(' ', '.')}@Example.com",
        "country": country,
        "since": rng.randrange(2001, 2026),
        "address": {"street": f"High Street {rng.randrange(99)}", "city": city, "zip": code},
    }
    if rng.randrange(3):
        customer["tier"] = rng.choice(("gold", "silver"))
    net = round(rng.uniform(1, 900), 2)
    purchase: dict[str, Any] = {
        "_id": f"{number:024x}",
        "number": number,
        "status": rng.choice(("paid", "sent", "open", "test")),
        "channel": rng.choice(("web", "app", "shop")),
        "placed": _text(placed),
        "due": _text(due),
        "customer": customer,
        "items": [_item(rng) for _ in range(rng.randrange(1, 7))],
        "net": net,
        "tax": round(net * 0.19, 2),
        "shipping": rng.choice((0.0, 4.9, 9.9)),
        "weight": rng.randrange(100, 20_000),
        "note": rng.choice(_NOTES),
        "audit": {"by": "import", "batch": rng.randrange(1_000)},
    }
    if rng.randrange(2):
        purchase["discount"] = rng.choice((5.0, 7.5, 12.25, 20.0, None))
    if rng.randrange(5):
        purchase["coupon"] = f"C-{rng.randrange(10_000)}"
    return purchase


def _item(rng: random.Random) -> dict[str, Any]:
    return {
        "sku": f"SKU-{rng.randrange(10_000)}-{rng.choice('SML')}",
        "qty": rng.randrange(1, 9),
        "price": round(rng.uniform(1, 99), 2),
        "tags": rng.sample(_TAGS, rng.randrange(3)),
    }


def _text(moment: datetime) -> str:
    return moment.isoformat(timespec="milliseconds").replace("+00:00", "Z")
