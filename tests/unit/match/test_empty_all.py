"""`$all: []` matches nothing, and its `$not` everything."""

from __future__ import annotations

import pytest

from workers.errors import Invalid
from workers.pipeline import compile_stages
from workers.pipeline.match import compile_match


@pytest.mark.parametrize("doc", [{"a": 1}, {"a": []}, {}])
def test_an_empty_all_matches_nothing_and_its_not_everything(doc: dict[str, object]) -> None:
    """Found by holding the compiler against the plain reading."""
    assert not compile_match({"a": {"$all": []}}, "q").test(doc)
    assert compile_match({"a": {"$not": {"$all": []}}}, "q").test(doc)


@pytest.mark.parametrize("stage", ["$addFields", "$set"])
def test_a_stage_that_sets_nothing_is_refused(stage: str) -> None:
    """The server refuses it, too: it is a mistake of whoever wrote it."""
    with pytest.raises(Invalid, match="an empty document"):
        compile_stages([{stage: {}}])
