"""A plain reading of MongoDB's manual: expressions, queries and stages, interpreted naively.

Written apart from `workers.pipeline` and importing nothing of it, so that the two can disagree. Slow on
purpose. `Unsure` marks ground where the manual does not settle the answer: a caller drops such a case.
"""

from tests.property.language.reference.interpreter import (
    check,
    closed_errors,
    evaluate,
    known_operators,
    read_families,
)
from tests.property.language.reference.match import matches
from tests.property.language.reference.stages import run_stage
from tests.property.language.reference.values import (
    MISSING,
    DataError,
    Failure,
    Refusal,
    Unsure,
    compare,
    kind,
)

__all__ = [
    "MISSING",
    "DataError",
    "Failure",
    "Refusal",
    "Unsure",
    "check",
    "closed_errors",
    "compare",
    "evaluate",
    "kind",
    "known_operators",
    "matches",
    "read_families",
    "run_stage",
]

read_families()
