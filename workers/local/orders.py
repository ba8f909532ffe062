"""Sample orders: 300 to 400 bytes of a web shop, 5% of them bad in known ways. The same for the same seed.

Each record carries its number and kind in headers, so that whoever reads a result or a dead letter can say
which input it was and whether it belongs there.
"""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from itertools import islice
from types import MappingProxyType
from typing import Any, Final

import orjson


class Kind(StrEnum):
    """What is special about a record."""

    GOOD = "good"
    TEST_ORDER = "test-order"  # channel "test": a filter takes it out
    NOT_JSON = "not-json"  # cut off in the middle
    INVALID_UTF8 = "invalid-utf8"  # Latin-1 in a name
    NO_CUSTOMER = "no-customer"  # a required field is missing
    NEGATIVE_QUANTITY = "negative-quantity"  # the function throws
    SLOW = "slow"  # the function takes longer than its time-out
    TOMBSTONE = "tombstone"  # a null value
    NOT_A_DOCUMENT = "not-a-document"  # a JSON array


class Fate(StrEnum):
    """Where a record of the sample must end."""

    RESULT = "result"
    DROPPED = "dropped"
    DEAD_LETTER = "dead-letter"
    TOMBSTONE = "tombstone"  # a null value with the same key in the results topic


_DEAD: Final = frozenset(
    {
        Kind.NOT_JSON,
        Kind.INVALID_UTF8,
        Kind.NO_CUSTOMER,
        Kind.NEGATIVE_QUANTITY,
        Kind.SLOW,
        Kind.NOT_A_DOCUMENT,
    }
)
FATES: Final[Mapping[Kind, Fate]] = MappingProxyType(
    {kind: Fate.DEAD_LETTER if kind in _DEAD else Fate.RESULT for kind in Kind}
    | {Kind.TEST_ORDER: Fate.DROPPED, Kind.TOMBSTONE: Fate.TOMBSTONE}
)

# How many of each block of 1,000 records are of a kind: exact, so that a summary can be checked against it.
# Slow ones are few: each keeps a function busy until its time-out.
BLOCK: Final = 1000
SPECIAL: Final[Mapping[Kind, int]] = MappingProxyType(
    {
        Kind.TEST_ORDER: 20,
        Kind.NOT_JSON: 12,
        Kind.INVALID_UTF8: 6,
        Kind.NO_CUSTOMER: 12,
        Kind.NEGATIVE_QUANTITY: 12,
        Kind.SLOW: 2,
        Kind.TOMBSTONE: 3,
        Kind.NOT_A_DOCUMENT: 3,
    }
)
NUMBER_HEADER: Final = "sample-number"
KIND_HEADER: Final = "sample-kind"
# The function of the example takes long over this article.
SLOW_SKU: Final = "SLOW-0001"

FIRST_ORDER_AT: Final = datetime(2026, 1, 5, 8, 0, tzinfo=UTC)
CUSTOMERS: Final = 5000
NAMES: Final = (
    "ada",
    "bruno",
    "chiara",
    "dmitri",
    "elif",
    "farah",
    "goran",
    "hana",
    "ines",
    "jonas",
    "kaito",
)
COUNTRIES: Final = {"DE": "EUR", "FR": "EUR", "IT": "EUR", "US": "USD", "GB": "GBP", "CH": "CHF", "JP": "JPY"}
CHANNELS: Final = ("web", "app", "store", "partner")
ARTICLES: Final = (
    ("BOOK-1042", "Field guide to rivers", 24.5),
    ("LAMP-0210", "Desk lamp, brass", 79.0),
    ("CHAIR-33", "Folding chair", 45.9),
    ("CABLE-9", "USB-C cable 2 m", 12.99),
    ("MUG-0007", "Enamel mug", 9.5),
    ("TENT-2P", "Tent for two", 219.0),
    ("SOCKS-41", "Wool socks", 14.0),
)


@dataclass(frozen=True, slots=True)
class SampleRecord:
    """One record to produce. `number` counts from 0 and, with the seed, decides everything else."""

    number: int
    kind: Kind
    key: bytes
    value: bytes | None

    @property
    def fate(self) -> Fate:
        return FATES[self.kind]

    @property
    def headers(self) -> list[tuple[str, str | bytes | None]]:
        return [(NUMBER_HEADER, str(self.number).encode()), (KIND_HEADER, self.kind.encode())]


def orders(seed: int = 1) -> Iterator[SampleRecord]:
    """Orders without end, in blocks of BLOCK records whose SPECIAL kinds stand where the seed decides."""
    block = 0
    while True:
        # S311: sample data, no secrets. A string seeds the same on every machine and Python.
        chance = random.Random(f"{seed}/{block}")  # noqa: S311
        kinds = [kind for kind, count in SPECIAL.items() for _ in range(count)]
        kinds += [Kind.GOOD] * (BLOCK - len(kinds))
        chance.shuffle(kinds)
        for offset, kind in enumerate(kinds):
            yield _record(block * BLOCK + offset, kind, chance)
        block += 1


def count_kinds(records: int, seed: int = 1) -> Counter[Kind]:
    """How many of the first `records` orders are of each kind."""
    return Counter(record.kind for record in islice(orders(seed), records))


def count_fates(kinds: Mapping[Kind, int]) -> Counter[Fate]:
    """The same by where they must end."""
    fates: Counter[Fate] = Counter()
    for kind, count in kinds.items():
        fates[FATES[kind]] += count
    return fates


def _record(number: int, kind: Kind, chance: random.Random) -> SampleRecord:
    order = _order(number, chance)
    key = order["customer"]["id"].encode()
    return SampleRecord(number, kind, key, _value(order, kind))


def _order(number: int, chance: random.Random) -> dict[str, Any]:
    name, country = chance.choice(NAMES), chance.choice(tuple(COUNTRIES))
    customer = chance.randrange(CUSTOMERS)
    placed_at = FIRST_ORDER_AT + timedelta(milliseconds=250 * number + chance.randrange(250))
    return {
        "orderId": f"ORD-{number:08d}",
        "customer": {
            "id": f"C-{customer:05d}",
            "email": f"{name}.{customer}@example.com",
            "country": country,
        },
        "items": [
            {"sku": sku, "name": title, "qty": chance.randint(1, 4), "price": price}
            for sku, title, price in chance.sample(ARTICLES, chance.choice((1, 2, 2, 3)))
        ],
        "currency": COUNTRIES[country],
        "placedAt": placed_at.isoformat(timespec="milliseconds").replace("+00:00", "Z"),
        "channel": chance.choice(CHANNELS),
        "coupon": chance.choice((None, None, None, "SPRING-10")),
    }


def _value(order: dict[str, Any], kind: Kind) -> bytes | None:
    """The bytes on the wire, spoilt as the kind says."""
    match kind:
        case Kind.TOMBSTONE:
            return None
        case Kind.TEST_ORDER:
            order["channel"] = "test"
        case Kind.NO_CUSTOMER:
            del order["customer"]
        case Kind.NEGATIVE_QUANTITY:
            order["items"][-1]["qty"] = -1
        case Kind.SLOW:
            order["items"][0]["sku"] = SLOW_SKU
        case Kind.NOT_A_DOCUMENT:
            return orjson.dumps([order["orderId"], order["items"]])
        case Kind.INVALID_UTF8:
            return orjson.dumps(order).replace(b"@example.com", b"@ex\xe4mple.com")
        case Kind.NOT_JSON:
            text = orjson.dumps(order)
            return text[: len(text) // 2]
        case Kind.GOOD:
            pass
    return orjson.dumps(order)
