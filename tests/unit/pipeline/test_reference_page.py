"""docs/language.md: in step with the tables of the compiler, and every example on it gives what it shows."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from topics.codecs import decode_value
from workers.pipeline import EDGE_STAGES, OPERATORS, STAGES, compile_expression, compile_processor
from workers.pipeline.eval_stages import EVAL_STAGES
from workers.pipeline.match.build import OPERATORS as QUERY_OPERATORS
from workers.pipeline.reference import REFRESH, as_markdown, outcomes, text_of
from workers.pipeline.reference_data import EDGE_EXAMPLES, QUERIES, STAGE_ERRORS, STAGE_INPUT

PAGE = Path(__file__).parents[3] / "docs" / "language.md"
BLOCK = re.compile(r"^```js\n(.*?)^```$", re.MULTILINE | re.DOTALL)


@dataclass
class Shown:
    """One example as the page has it: what is written, then documents and what comes of them."""

    section: str
    written: Any
    steps: list[tuple[list[Any], list[str]]] = field(default_factory=list)


def examples(page: str) -> Iterator[Shown]:
    for section in re.split(r"^## ", page, flags=re.MULTILINE)[1:]:
        title = section.partition("\n")[0]
        for block in BLOCK.findall(section):
            first, *rest = block.splitlines()
            shown = Shown(title, decode_value(first.encode()))
            for line in rest:
                kind, text = line[3:6], line[7:]
                if kind == "in " and (not shown.steps or shown.steps[-1][1]):
                    shown.steps.append(([], []))
                if kind == "out" and not shown.steps:
                    shown.steps.append(([{}], []))
                if kind == "in ":
                    shown.steps[-1][0].append(decode_value(text.encode()))
                else:
                    assert kind == "out", line
                    shown.steps[-1][1].append(text)
            yield shown


def test_the_committed_page_is_in_step_with_the_language() -> None:
    """An operator that was added, removed or changed shows on the page once it is printed again."""
    assert PAGE.read_text(encoding="utf-8") == as_markdown(), f"run `{REFRESH}` and commit docs/language.md"


def run(shown: Shown, docs: list[Any]) -> list[str]:
    """What the language makes of documents, as the page writes it."""
    if shown.section == "Expressions":
        (doc,) = docs
        return [text_of(compile_expression(shown.written)(doc))]
    return [result for _, results in outcomes(shown.written, docs) for result in results]


def test_every_example_of_the_page_gives_what_it_shows() -> None:
    """Read from the page as it is committed, compiled, and run."""
    found = [shown for shown in examples(PAGE.read_text(encoding="utf-8")) if shown.steps]
    assert len(found) >= len(OPERATORS) + len(QUERIES) + len(STAGES) + len(EVAL_STAGES)
    wrong = [
        f"{shown.written} of {docs}: the page says {results}, it gives {run(shown, docs)}"
        for shown in found
        for docs, results in shown.steps
        if run(shown, docs) != results
    ]
    assert not wrong, "\n".join([*wrong, f"run `{REFRESH}`"])


def test_an_example_that_is_wrong_is_found() -> None:
    """The check above can fail: a page that says 6 where 5 comes out."""
    page = '## Expressions\n\n```js\n{"$add": ["$a", 2]}\n// in  {"a": 3}\n// out 6\n```\n'
    (shown,) = examples(page)
    assert [run(shown, docs) == results for docs, results in shown.steps] == [False]


@pytest.mark.parametrize("name", EDGE_EXAMPLES)
def test_examples_of_the_ends_and_of_calls_compile(name: str) -> None:
    """As the page shows them, among the least that a processor needs beside them."""
    shown = [one.written for one in examples(PAGE.read_text(encoding="utf-8")) if name in one.written]
    assert len(shown) == 1
    whole = {
        "$source": {"$source": {"connectionName": "kafka", "topic": "in"}},
        "$emit": {"$emit": {"connectionName": "kafka", "topic": "out"}},
        name: shown[0],
    }
    order = [
        stage for stage in ("$source", "$externalFunction", "$https", "$throttle", "$emit") if stage in whole
    ]
    assert compile_processor([whole[stage].copy() for stage in order])


def test_nothing_of_the_language_is_left_out() -> None:
    """Each stage has documents to run over and says what goes wrong, each operator of a query an example."""
    again = f"(workers/pipeline/reference_data.py, then `{REFRESH}`)"
    assert {*STAGES, *EVAL_STAGES} == STAGE_INPUT.keys(), f"documents for each stage {again}"
    assert STAGES.keys() == STAGE_ERRORS.keys(), f"errors of each stage {again}"
    assert EDGE_STAGES.keys() == EDGE_EXAMPLES.keys(), f"an example for each end {again}"
    asked = {*QUERY_OPERATORS, "$not", "$regex", "$and", "$or", "$nor", "$expr", "$jsonSchema", "$comment"}
    assert asked | {"$alwaysTrue", "$alwaysFalse"} == QUERIES.keys(), f"an example for each query {again}"


def test_types_and_errors_are_tried_not_written_down() -> None:
    """What the page says of $abs is what $abs does."""
    text = as_markdown()
    about = text[text.index("#### `$abs`") : text.index("#### `$abs`") + 600]
    assert "`int`, `long`, `double`, `decimal`, `null` stay what they are; `missing` gives null." in about
    assert "Refused: all others: `$abs only supports numeric types, not <type>`" in about
