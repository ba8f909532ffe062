"""The sample orders: the same for everyone, bad in exactly the ways and numbers they say."""

from __future__ import annotations

import json
from itertools import islice

import pytest

from workers.local.orders import (
    BLOCK,
    FATES,
    SLOW_SKU,
    SPECIAL,
    Fate,
    Kind,
    SampleRecord,
    count_fates,
    count_kinds,
    orders,
)


def taken(count: int, seed: int = 1) -> list[SampleRecord]:
    return list(islice(orders(seed), count))


def of_kind(kind: Kind) -> SampleRecord:
    return next(record for record in orders() if record.kind is kind)


def test_the_seed_decides_everything() -> None:
    """The same seed gives the same bytes, another seed others."""
    assert taken(1500) == taken(1500)
    assert taken(10) != taken(10, seed=2)


def test_a_record_does_not_depend_on_how_many_are_taken() -> None:
    """A longer sample begins with the shorter one."""
    assert taken(2500)[:1200] == taken(1200)


def test_numbers_count_from_zero() -> None:
    """The number in the header finds the record again."""
    records = taken(BLOCK + 5)
    assert [record.number for record in records] == list(range(BLOCK + 5))
    assert records[-1].headers == [("sample-number", b"1004"), ("sample-kind", records[-1].kind.encode())]


def test_each_block_has_the_promised_kinds() -> None:
    """Counts are exact, and about 5% are bad."""
    kinds = count_kinds(3 * BLOCK)
    assert all(kinds[kind] == 3 * count for kind, count in SPECIAL.items())
    bad = sum(count for kind, count in kinds.items() if FATES[kind] in (Fate.DEAD_LETTER, Fate.TOMBSTONE))
    assert 0.045 <= bad / (3 * BLOCK) <= 0.055


def test_every_record_has_one_fate() -> None:
    """Results, dead letters, dropped and tombstones add up to the input."""
    fates = count_fates(count_kinds(2500))
    assert sum(fates.values()) == 2500
    assert set(fates) == set(Fate)


@pytest.mark.parametrize(
    "kind", [Kind.GOOD, Kind.TEST_ORDER, Kind.NO_CUSTOMER, Kind.NEGATIVE_QUANTITY, Kind.SLOW]
)
def test_a_document_is_spoilt_in_its_one_way(kind: Kind) -> None:
    """Each kind shows its own mark and no other's."""
    order = json.loads(of_kind(kind).value or b"")
    marks = {
        Kind.TEST_ORDER: order["channel"] == "test",
        Kind.NO_CUSTOMER: "customer" not in order,
        Kind.NEGATIVE_QUANTITY: any(item["qty"] < 0 for item in order["items"]),
        Kind.SLOW: any(item["sku"] == SLOW_SKU for item in order["items"]),
    }
    assert [name for name, there in marks.items() if there] == ([] if kind is Kind.GOOD else [kind])


def test_poison_is_poison() -> None:
    """Cut text, wrong bytes, an array and a null value."""
    with pytest.raises(json.JSONDecodeError):
        json.loads((of_kind(Kind.NOT_JSON).value or b"").decode())
    with pytest.raises(UnicodeDecodeError):
        (of_kind(Kind.INVALID_UTF8).value or b"").decode()
    assert isinstance(json.loads(of_kind(Kind.NOT_A_DOCUMENT).value or b""), list)
    assert of_kind(Kind.TOMBSTONE).value is None


def test_a_good_order_is_of_realistic_size() -> None:
    """300 to 400 bytes on average, as the peers were measured with."""
    sizes = [len(record.value or b"") for record in taken(1000) if record.kind is Kind.GOOD]
    assert 300 <= sum(sizes) / len(sizes) <= 400
