"""Every operator and stage that MongoDB's manual names is there, or refused by its name."""

from __future__ import annotations

from typing import Any

import pytest

from tests.conformance.language import EXPRESSION_NAMES, QUERY_NAMES, STAGES_OF_THE_SERVER
from workers.errors import Invalid
from workers.pipeline import compile_processor, compile_stages
from workers.pipeline.catalogue import EDGE_STAGES, EXPRESSIONS_NOT_YET, OPERATORS, STAGES, STAGES_NOT_YET
from workers.pipeline.eval_stages import EVAL_STAGES
from workers.pipeline.match.build import UNSUPPORTED
from workers.pipeline.reference_data import QUERIES

# What only a server can answer, of itself and its collections.
OF_A_SERVER = frozenset("$changeStream $collStats $indexStats $listSessions $planCacheStats".split())


def test_every_expression_is_there_or_refused_by_name() -> None:
    """None is unknown, and none is there that the manual does not have."""
    assert EXPRESSION_NAMES - {*OPERATORS, *EXPRESSIONS_NOT_YET} == set()
    assert set(OPERATORS) - EXPRESSION_NAMES == set()


def test_every_query_operator_is_there_or_refused_by_name() -> None:
    """`$options` stands beside `$regex`."""
    assert QUERY_NAMES - {*QUERIES, *UNSUPPORTED, "$options"} == set()


def test_every_stage_is_there_or_refused_by_name() -> None:
    """In a processor or in penstock eval."""
    known = {*STAGES, *EDGE_STAGES, *EVAL_STAGES, *STAGES_NOT_YET}
    assert STAGES_OF_THE_SERVER - known == OF_A_SERVER


@pytest.mark.parametrize("name", ["$facet", "$setWindowFields", "$fill", "$unionWith"])
def test_a_stage_that_a_stream_cannot_have_says_why(name: str) -> None:
    """By its name, with what to do or why not; also in eval."""
    for compile_, around in ((compile_processor, True), (compile_stages, False)):
        source: dict[str, Any] = {"$source": {"connectionName": "kafka", "topic": "in"}}
        stages = [source, {name: {}}] if around else [{name: {}}]
        with pytest.raises(Invalid) as caught:
            compile_(stages)
        assert any(f"{name} is not in Penstock yet" in problem.found for problem in caught.value.problems)
