"""Deviations, percentiles, and the first, last, lowest and highest elements."""

from __future__ import annotations

import math
from datetime import UTC, datetime
from typing import Any

from bson import Decimal128, Int64

from tests.unit.pipeline.families.rows import Row, Wrong, at_start, check_rows, check_wrong
from workers.pipeline.values import MISSING

INF, NAN = math.inf, math.nan


def percentile(given: Any, shares: Any, method: Any = "approximate") -> dict[str, Any]:
    return {"$percentile": {"input": given, "p": shares, "method": method}}


ROWS: list[Row] = [
    ({"$stdDevPop": "$a"}, {"a": [1, 3, "x", None]}, 1.0),
    ({"$stdDevPop": ["$a", "$b"]}, {"a": 1, "b": 3}, 1.0),
    ({"$stdDevPop": ["$a", "$b"]}, {"a": [1, 9], "b": 3}, 0.0),
    ({"$stdDevPop": "$a"}, {"a": [1e15 + 1, 1e15 + 3]}, 1.0),
    ({"$stdDevPop": "$a"}, {"a": [Decimal128("1"), Int64(3)]}, 1.0),
    ({"$stdDevPop": "$a"}, {"a": [1, INF]}, NAN),
    ({"$stdDevPop": "$a"}, {}, None),
    ({"$stdDevPop": "$a"}, {"a": 7}, 0.0),
    ({"$stdDevSamp": "$a"}, {"a": [7]}, None),
    ({"$stdDevSamp": "$a"}, {"a": [7, 9]}, math.sqrt(2)),
    (percentile("$a", [0.5, 0, 1]), {"a": [5, 1, 4, 2, 3]}, [3.0, 1.0, 5.0]),
    (percentile("$a", [0.95]), {"a": list(range(1, 101))}, [95.0]),
    (percentile("$a", [0.5, 0.9]), {"a": ["x", None]}, [None, None]),
    (percentile("$a", [0.5]), {"a": 7}, [7.0]),
    (percentile("$a", [0.5]), {"a": "x"}, [None]),
    (percentile("$a", [0.5]), {"a": [NAN, 1, INF]}, [1.0]),
    (percentile("$a", [Decimal128("0.5"), 1]), {"a": [Decimal128("2.5")]}, [2.5, 2.5]),
    ({"$median": {"input": "$a", "method": "approximate"}}, {"a": [4, 1, 3, 2]}, 2.0),
    ({"$median": {"input": "$a", "method": "approximate"}}, {"a": []}, None),
    ({"$median": {"input": ["$a", "$b", 9], "method": "approximate"}}, {"a": 1, "b": 2}, 2.0),
    ({"$first": "$a"}, {"a": [[1], 2]}, [1]),
    ({"$first": "$a"}, {"a": []}, MISSING),
    ({"$first": "$a"}, {}, None),
    ({"$last": "$a"}, {"a": [1, None]}, None),
    ({"$last": "$a"}, {"a": []}, MISSING),
    ({"$firstN": {"n": "$n", "input": "$a"}}, {"a": [3, None, 1], "n": Int64(2)}, [3, None]),
    ({"$firstN": {"n": 9, "input": "$a"}}, {"a": []}, []),
    ({"$lastN": {"n": 2.0, "input": "$a"}}, {"a": [3, None, 1]}, [None, 1]),
    ({"$minN": {"n": 2, "input": "$a"}}, {"a": ["x", 3, None, 1.5]}, [1.5, 3]),
    ({"$maxN": {"n": 2, "input": "$a"}}, {"a": ["x", 3, None, [0]]}, [[0], "x"]),
    ({"$maxN": {"n": 3, "input": "$a"}}, {"a": [1, 3, 2]}, [3, 2, 1]),
]
WRONG: list[Wrong] = [
    ({"$first": "$a"}, {"a": "x"}, "$first's argument must be an array, but is string"),
    ({"$last": "$a"}, {"a": datetime(2024, 1, 1, tzinfo=UTC)}, "must be an array, but is date"),
    ({"$firstN": {"n": 2, "input": "$a"}}, {}, "needs 'input' to be an array, but it is of type missing"),
    ({"$lastN": {"n": "$n", "input": [1]}}, {"n": 0}, "needs 'n' to be a whole number of at least 1"),
    ({"$minN": {"n": "$n", "input": [1]}}, {"n": 1.5}, "needs 'n'"),
    ({"$maxN": {"n": "$n", "input": [1]}}, {"n": None}, "needs 'n'"),
    ({"$maxN": {"n": 1}}, {}, "'input' is missing"),
]


def test_spreads_and_ends_give_what_the_server_gives() -> None:
    """Every row, the type included."""
    check_rows(ROWS)


def test_other_arguments_are_refused() -> None:
    """With what was wrong."""
    check_wrong(WRONG)


def test_shares_and_method_are_checked_before_any_document() -> None:
    """As on the server, both are constants."""
    assert at_start(percentile("$a", 0.5))[0][0] == "p.$percentile.p"
    assert at_start(percentile("$a", []))[0][0] == "p.$percentile.p"
    assert at_start(percentile("$a", [0.5, 1.1]))[0][0] == "p.$percentile.p"
    assert at_start(percentile("$a", ["0.5"]))[0][0] == "p.$percentile.p"
    assert at_start(percentile("$a", "$p")) == [
        ("p.$percentile.p", "$percentile needs 'p' to be a constant"),
    ]
    assert at_start(percentile("$a", [0.5], "exact"))[0][0] == "p.$percentile.method"
    assert at_start({"$median": {"input": "$a"}})[0][0] == "p.$median"
