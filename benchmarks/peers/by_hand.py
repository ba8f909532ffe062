"""The peer to measure compiled pipelines against: what a good engineer writes by hand for these documents.

Each function takes a record's value and gives the value to produce, or None where the document goes no
further. They know what the documents hold and check no types; the pipelines of `cases/language.py` say the
same in the language, and the benchmark compares what comes out byte by byte.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Final

import orjson

_loads = orjson.loads
_dumps = orjson.dumps

_WANTED: Final = frozenset({"paid", "sent"})


def filtered(value: bytes) -> bytes | None:
    """Paid or sent, from a known country, worth 20 or more: the record itself."""
    doc = _loads(value)
    if doc["status"] in _WANTED and doc["customer"]["country"] != "XX" and doc["net"] >= 20:
        return value
    return None


def reshaped(value: bytes) -> bytes | None:
    """A smaller document with other names."""
    doc = _loads(value)
    customer = doc["customer"]
    address = customer["address"]
    return _dumps(
        {
            "kind": "purchase",
            "purchase": {
                "_id": doc["_id"],
                "placed": doc["placed"],
                "customer": {"id": customer["id"], "country": customer["country"]},
                "total": doc["net"],
                "lines": len(doc["items"]),
                "shipTo": {"city": address["city"], "zip": address["zip"]},
            },
            "channel": doc["channel"],
        }
    )


def computed(value: bytes) -> bytes | None:
    """Twenty fields more."""
    doc = _loads(value)
    customer = doc["customer"]
    net, tax, weight = doc["net"], doc["tax"], doc["weight"]
    lines = len(doc["items"])
    discount = doc.get("discount")
    if discount is None:
        discount = 0
    address = customer["address"]
    doc["gross"] = net + tax
    doc["total"] = net + tax + doc["shipping"]
    doc["taxRate"] = tax / net
    doc["perLine"] = net / lines
    doc["kilos"] = weight / 1000
    doc["cents"] = float(round(net * 100))
    doc["reduction"] = discount
    doc["toPay"] = net - discount
    doc["isLarge"] = net >= 200
    doc["isDomestic"] = customer["country"] == "DE"
    doc["isHeavy"] = weight > 5000 and lines > 2
    doc["band"] = "small" if net < 50 else "medium" if net < 400 else "large"
    doc["risk"] = "high" if net > 500 and customer["since"] >= 2020 else "low"
    doc["label"] = f"{customer['country']}-{address['zip']} {address['city']}"
    doc["tier"] = customer.get("tier", "none")
    doc["lines"] = lines
    doc["years"] = 2026 - customer["since"]
    doc["points"] = weight * 2
    doc["shard"] = doc["number"] % 7
    doc["hasCoupon"] = "coupon" in doc
    return _dumps(doc)


def folded(value: bytes) -> bytes | None:
    """Arrays mapped, filtered and reduced."""
    doc = _loads(value)
    items = doc.pop("items")
    lines = [{"sku": item["sku"], "total": item["qty"] * item["price"]} for item in items]
    doc["lines"] = lines
    dear = [item for item in items if item["price"] >= 50]
    doc["dear"] = dear
    doc["pieces"] = sum([item["qty"] for item in items])
    skus = [item["sku"] for item in items]
    doc["skus"] = skus
    total = 0
    for line in lines:
        total += line["total"]
    doc["total"] = total
    doc["first"] = skus[0]
    doc["hasDear"] = len(dear) > 0
    doc["fragile"] = any("fragile" in item["tags"] for item in items)
    return _dumps(doc)


_URGENT: Final = re.compile("urgent|asap", re.IGNORECASE)
_FORTNIGHT: Final = timedelta(days=14)


def _date(moment: datetime) -> dict[str, str]:
    thousandths = moment.microsecond // 1000
    text = moment.isoformat()[:19]
    return {"$date": f"{text}.{thousandths:03d}Z" if thousandths else f"{text}Z"}


def dated(value: bytes) -> bytes | None:
    """Dates read, moved and written; texts cleaned, cut and searched."""
    doc = _loads(value)
    customer = doc["customer"]
    placed, due = datetime.fromisoformat(doc.pop("placed")), datetime.fromisoformat(doc.pop("due"))
    note, name, email = doc.pop("note"), customer["name"].strip(), customer["email"]
    doc["placedAt"] = _date(placed)
    doc["dueAt"] = _date(due)
    doc["day"] = f"{placed.year:04d}-{placed.month:02d}-{placed.day:02d}"
    doc["month"] = _date(placed.replace(day=1, hour=0, minute=0, second=0, microsecond=0))
    doc["reminder"] = _date(placed + _FORTNIGHT)
    doc["days"] = due.toordinal() - placed.toordinal()
    doc["hour"] = placed.hour
    doc["weekday"] = placed.isoweekday()
    doc["name"] = name
    doc["greeting"] = f"Dear {name},"
    doc["email"] = email.lower()
    doc["domain"] = email.split("@")[1]
    doc["initial"] = name[0:1]
    doc["remark"] = note.replace("please", "pls")
    doc["isUrgent"] = _URGENT.search(note) is not None
    doc["noteLength"] = len(note)
    return _dumps(doc)


FUNCTIONS: Final[dict[str, Callable[[bytes], bytes | None]]] = {
    "filter": filtered,
    "reshape": reshaped,
    "20 computed fields": computed,
    "arrays": folded,
    "dates and strings": dated,
}
"""By the names of the pipelines."""
