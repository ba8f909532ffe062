"""The language's benchmark compares like with like."""

from __future__ import annotations

import pytest

from benchmarks.cases import language
from benchmarks.peers.by_hand import FUNCTIONS
from benchmarks.pipelines import PIPELINES, long_pipeline
from benchmarks.purchases import purchases
from workers.pipeline import compile_stages

VALUES = list(purchases(400))


def test_the_same_seed_makes_the_same_purchases() -> None:
    """Runs of different days compare, since they read the same bytes."""
    assert list(purchases(50)) == VALUES[:50]
    assert list(purchases(50, seed=2)) != VALUES[:50]


@pytest.mark.parametrize("name", PIPELINES)
def test_pipelines_and_functions_give_the_same_bytes(name: str) -> None:
    """Each pipeline against the function of its name, and neither lets everything or nothing through."""
    (segment,) = compile_stages(PIPELINES[name]).segments
    found = language.compiled(segment, VALUES)
    language.check_equal(name, found, language.by_hand(FUNCTIONS[name], VALUES))
    passed = sum(value is not None for value in found)
    assert 100 < passed < 300 if name == "filter" else passed == len(VALUES)


def test_a_difference_is_told_with_its_document() -> None:
    """The check that the ratios rest on can fail."""
    with pytest.raises(AssertionError, match="x, document 1:"):
        language.check_equal("x", [b"a", b"b"], [b"a", None])


def test_there_is_a_row_for_each_pipeline_and_a_mean() -> None:
    """A short run fills the table."""
    findings = language.run(100, 1, with_mingo=False)
    assert [row[0] for row in findings.rows] == list(PIPELINES)
    assert findings.summary["geometric_mean"] > 0


def test_the_long_pipeline_has_every_stage_it_promises() -> None:
    """Two hundred stages compile into one segment."""
    (segment,) = compile_stages(long_pipeline(200)).segments
    assert len(segment.stages) == 200
