"""The pipeline language: text to program. Pure: no I/O, no clock, no randomness.

    program = compile_processor(pipeline, "processors/orders.yaml")

`nodes` describes expressions and operators as data, `parse` and `check` read what the user wrote, `emit` and
`segment` write Python out of it, `catalogue` names everything there is, `compile` puts it together.
"""

from workers.pipeline.catalogue import (
    EDGE_STAGES,
    EXPRESSIONS_NOT_YET,
    FAMILIES,
    OPERATORS,
    STAGES,
    STAGES_NOT_YET,
)
from workers.pipeline.compile import compile_expression, compile_processor, compile_stages
from workers.pipeline.expressions.supplied import UNSUPPLIED, Supply

__all__ = [
    "EDGE_STAGES",
    "EXPRESSIONS_NOT_YET",
    "FAMILIES",
    "OPERATORS",
    "STAGES",
    "STAGES_NOT_YET",
    "UNSUPPLIED",
    "Supply",
    "compile_expression",
    "compile_processor",
    "compile_stages",
]
