"""The five pipelines of the language's benchmark; `peers/by_hand.py` does the same without the language."""

from __future__ import annotations

from typing import Any, Final, TypeAlias

Stages: TypeAlias = list[dict[str, Any]]

_FILTER: Final[Stages] = [
    {"$match": {"status": {"$in": ["paid", "sent"]}, "customer.country": {"$ne": "XX"}, "net": {"$gte": 20}}}
]

_RESHAPE: Final[Stages] = [
    {
        "$project": {
            "placed": 1,
            "customer": {"id": 1, "country": 1},
            "total": "$net",
            "lines": {"$size": "$items"},
            "shipTo": {"city": "$customer.address.city", "zip": "$customer.address.zip"},
            "channel": "$channel",
        }
    },
    {"$set": {"purchase": "$$ROOT"}},
    {"$unset": "purchase.channel"},
    {"$replaceWith": {"kind": "purchase", "purchase": "$purchase", "channel": "$channel"}},
]

_DISCOUNT: Final = {"$ifNull": ["$discount", 0]}
_LINES: Final = {"$size": "$items"}
_COMPUTE: Final[Stages] = [
    {
        "$addFields": {
            "gross": {"$add": ["$net", "$tax"]},
            "total": {"$add": ["$net", "$tax", "$shipping"]},
            "taxRate": {"$divide": ["$tax", "$net"]},
            "perLine": {"$divide": ["$net", _LINES]},
            "kilos": {"$divide": ["$weight", 1000]},
            "cents": {"$round": [{"$multiply": ["$net", 100]}, 0]},
            "reduction": _DISCOUNT,
            "toPay": {"$subtract": ["$net", _DISCOUNT]},
            "isLarge": {"$gte": ["$net", 200]},
            "isDomestic": {"$eq": ["$customer.country", "DE"]},
            "isHeavy": {"$and": [{"$gt": ["$weight", 5000]}, {"$gt": [_LINES, 2]}]},
            "band": {
                "$switch": {
                    "branches": [
                        {"case": {"$lt": ["$net", 50]}, "then": "small"},
                        {"case": {"$lt": ["$net", 400]}, "then": "medium"},
                    ],
                    "default": "large",
                }
            },
            "risk": {
                "$cond": [
                    {"$and": [{"$gt": ["$net", 500]}, {"$gte": ["$customer.since", 2020]}]},
                    "high",
                    "low",
                ]
            },
            "label": {
                "$concat": ["$customer.country", "-", "$customer.address.zip", " ", "$customer.address.city"]
            },
            "tier": {"$ifNull": ["$customer.tier", "none"]},
            "lines": _LINES,
            "years": {"$subtract": [2026, "$customer.since"]},
            "points": {"$multiply": ["$weight", 2]},
            "shard": {"$mod": ["$number", 7]},
            "hasCoupon": {"$ne": [{"$type": "$coupon"}, "missing"]},
        }
    }
]

_ARRAYS: Final[Stages] = [
    {
        "$addFields": {
            "lines": {
                "$map": {
                    "input": "$items",
                    "as": "item",
                    "in": {"sku": "$$item.sku", "total": {"$multiply": ["$$item.qty", "$$item.price"]}},
                }
            },
            "dear": {"$filter": {"input": "$items", "as": "item", "cond": {"$gte": ["$$item.price", 50]}}},
            "pieces": {"$sum": "$items.qty"},
            "skus": "$items.sku",
        }
    },
    {
        "$addFields": {
            "total": {
                "$reduce": {"input": "$lines", "initialValue": 0, "in": {"$add": ["$$value", "$$this.total"]}}
            },
            "first": {"$arrayElemAt": ["$skus", 0]},
            "hasDear": {"$gt": [{"$size": "$dear"}, 0]},
            "fragile": {
                "$reduce": {
                    "input": "$items",
                    "initialValue": False,
                    "in": {"$or": ["$$value", {"$in": ["fragile", "$$this.tags"]}]},
                }
            },
        }
    },
    {"$unset": "items"},
]

_DATES: Final[Stages] = [
    {
        "$addFields": {
            "placedAt": {"$toDate": "$placed"},
            "dueAt": {"$dateFromString": {"dateString": "$due"}},
        }
    },
    {
        "$addFields": {
            "day": {"$dateToString": {"date": "$placedAt", "format": "%Y-%m-%d"}},
            "month": {"$dateTrunc": {"date": "$placedAt", "unit": "month"}},
            "reminder": {"$dateAdd": {"startDate": "$placedAt", "unit": "day", "amount": 14}},
            "days": {"$dateDiff": {"startDate": "$placedAt", "endDate": "$dueAt", "unit": "day"}},
            "hour": {"$hour": "$placedAt"},
            "weekday": {"$isoDayOfWeek": "$placedAt"},
            "name": {"$trim": {"input": "$customer.name"}},
        }
    },
    {
        "$addFields": {
            "greeting": {"$concat": ["Dear ", "$name", ","]},
            "email": {"$toLower": "$customer.email"},
            "domain": {"$arrayElemAt": [{"$split": ["$customer.email", "@"]}, 1]},
            "initial": {"$substrCP": ["$name", 0, 1]},
            "remark": {"$replaceAll": {"input": "$note", "find": "please", "replacement": "pls"}},
            "isUrgent": {"$regexMatch": {"input": "$note", "regex": "urgent|asap", "options": "i"}},
            "noteLength": {"$strLenCP": "$note"},
        }
    },
    {"$unset": ["placed", "due", "note"]},
]

PIPELINES: Final[dict[str, Stages]] = {
    "filter": _FILTER,
    "reshape": _RESHAPE,
    "20 computed fields": _COMPUTE,
    "arrays": _ARRAYS,
    "dates and strings": _DATES,
}
"""By the names that the results print."""


def long_pipeline(stages: int) -> Stages:
    """As many stages, of the usual kinds, each with a few expressions."""
    made: Stages = []
    for number in range(stages):
        kind = number % 4
        if kind == 0:
            made.append({"$match": {"status": {"$ne": f"s{number}"}, "net": {"$gte": -number}}})
        elif kind == 1:
            total = {"$add": ["$net", {"$multiply": ["$tax", number]}]}
            band = {"$cond": [{"$gt": ["$net", number]}, "high", {"$concat": ["$status", "-low"]}]}
            made.append({"$addFields": {f"total{number}": total, f"band{number}": band}})
        elif kind == 2:
            lines = {"$map": {"input": "$items", "in": {"$multiply": ["$$this.price", number]}}}
            made.append({"$set": {f"lines{number}": {"$size": lines}}})
        else:
            made.append({"$unset": [f"total{number - 2}", f"lines{number - 1}"]})
    return made
