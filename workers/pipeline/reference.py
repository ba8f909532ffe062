"""The page docs/language.md: every stage, query operator and expression, from the tables the compiler reads.

    python -m workers.pipeline.reference > docs/language.md

Types and errors are not written down anywhere: each expression's example is tried with a value of every type,
and the page says what came of it.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any, Final

from bson import Binary, Code, Decimal128, Int64, MaxKey, MinKey, ObjectId, Regex, Timestamp

from topics.codecs import encode_value
from workers.errors import Invalid, Poison, ProcessorFailed
from workers.model import Document, Dropped, Many, Refused
from workers.pipeline.catalogue import EDGE_STAGES, EXPRESSIONS_NOT_YET, FAMILIES, STAGES, STAGES_NOT_YET
from workers.pipeline.compile import compile_expression, compile_stages
from workers.pipeline.eval_stages import EVAL_STAGES
from workers.pipeline.eval_stages.accumulate import ACCUMULATORS
from workers.pipeline.nodes import Operator
from workers.pipeline.option import Option
from workers.pipeline.options import OPTIONS
from workers.pipeline.reference_data import EDGE_EXAMPLES, QUERIES, STAGE_ERRORS, STAGE_INPUT
from workers.pipeline.spec import StageType
from workers.pipeline.values import MISSING, is_number, type_name

REFRESH: Final = "make docs"
"""The command that prints the page again."""

# One value of each type; an example's own value stands for its type instead.
SAMPLES: Final[Mapping[str, Any]] = {
    "int": 2,
    "long": Int64(2),
    "double": 2.0,
    "decimal": Decimal128("2"),
    "string": "text",
    "bool": True,
    "date": datetime(2024, 1, 31, tzinfo=UTC),
    "timestamp": Timestamp(2, 1),
    "object": {"x": 1},
    "array": [1, 2],
    "binData": Binary(b"12", 0),
    "objectId": ObjectId("0123456789abcdef01234567"),
    "regex": Regex("x"),
    "javascript": Code("x"),
    "minKey": MinKey(),
    "maxKey": MaxKey(),
    "null": None,
    "missing": MISSING,
}
# Operators that take no value to try: theirs is written down, or comes from outside of the document.
_UNTRIED: Final = frozenset({"$literal", "$meta", "$currentDate", "$createObjectId", "$createUUID", "$rand"})

# A longer list of types reads better as "any other".
_MANY: Final = 6

_HEAD: Final = """# The language

Printed from the tables that the compiler reads by `{refresh}`; a test keeps the two in step and runs every
example. It is MongoDB's aggregation language as Atlas Stream Processing has it; what the server's manual says
of an operator holds here too.

- [Stages](#stages) within a stream, [calls and ends](#calls-and-ends),
  [stages of penstock eval](#stages-of-penstock-eval)
- [Queries](#queries) of `$match`
- [Expressions](#expressions): {families}
- [Not in Penstock](#not-in-penstock)

**Examples.** The first line is what is written in a pipeline, in relaxed Extended JSON (in YAML `$` needs no
quotes). `in` is a document, `out` what comes of it.

**Types.** `int`, `long`, `double` and `decimal` are numbers; a JSON integer within 32 bits is an int, within
64 bits a long. What an expression gives of each type was tried with one value of the type in the place of the
example's: a text that holds a number or a date may pass where `"text"` did not.

**Variables.** `$$ROOT` and `$$CURRENT` are the document; `$$REMOVE` is nothing, and takes a field away;
`$$NOW`, which Atlas does not have, is the time, the same for all documents that a segment takes at once. It
differs when a record is read again. `$let`, `$map`, `$filter` and `$reduce` name their own.

**Errors.** What can be known without data is refused at start, with its path: unknown operators and
variables, a wrong number of arguments, wrong names in `{{...}}`, paths as `a..b`, constants that can never
work. What needs data dead-letters that document, with the path of the expression and the reason.
"""


def as_markdown() -> str:
    """The whole page."""
    families = ", ".join(f"[{name}](#{name})" for name in FAMILIES)
    lines = [_HEAD.format(refresh=REFRESH, families=families)]
    lines += ["## Stages", ""]
    for stage in STAGES.values():
        lines += _stage(stage)
    lines += ["## Calls and ends", ""]
    for name, meaning in EDGE_STAGES.items():
        lines += _edge(name, meaning)
    lines += ["## Stages of penstock eval", "", "A stream has no end, so a processor has none of these.", ""]
    for stage in EVAL_STAGES.values():
        lines += _stage(stage)
    lines += [f"Accumulators of `$group` and `$bucket`: {_names(ACCUMULATORS)}.", ""]
    lines += ["## Queries", "", *_queries(), "## Expressions", ""]
    for family, operators in FAMILIES.items():
        lines += [f"### {family}", ""]
        for operator in operators.values():
            lines += _expression(operator)
    return "\n".join([*lines, *_not_yet()]) + "\n"


def _names(names: Sequence[str]) -> str:
    return ", ".join(f"`{name}`" for name in names)


def text_of(value: Any) -> str:
    """A value as the page spells it: relaxed Extended JSON, with longs that JSON would make ints marked."""
    return "missing" if value is MISSING else json.dumps(_spelled(value), ensure_ascii=False)


def _spelled(value: Any) -> Any:
    if value.__class__ is dict:
        return {name: _spelled(item) for name, item in value.items()}
    if value.__class__ is list:
        return [_spelled(item) for item in value]
    return {"$numberLong": str(int(value))} if value.__class__ is Int64 else json.loads(encode_value(value))


# Stages


def outcomes(
    stage: Mapping[str, Any], docs: Sequence[Document]
) -> Iterator[tuple[list[Document], list[str]]]:
    """(documents in, what comes out of them, as the page says it) for a stage."""
    (segment,) = compile_stages([stage]).segments
    if segment.is_whole:
        yield list(docs), [_outcome(one) for one in segment.run(docs, None)]
        return
    for doc in docs:
        try:
            (outcome,) = segment.run([doc], None)
        except ProcessorFailed as error:
            yield [doc], [f"the processor fails: {error}"]
            continue
        many = outcome.docs if isinstance(outcome, Many) else [outcome]
        yield [doc], [_outcome(one) for one in many] or ["dropped"]


def _outcome(outcome: Any) -> str:
    if isinstance(outcome, Refused):
        return f"dead letter: {outcome.reason}"
    return "dropped" if isinstance(outcome, Dropped) else text_of(outcome)


def _stage(stage: StageType) -> list[str]:
    lines = [f"### `{stage.name}`", "", stage.meaning, "", "```text", stage.syntax, "```", ""]
    error = STAGE_ERRORS.get(stage.name)
    lines += [f"Errors: {error}", ""] if error else []
    found = outcomes(stage.example, STAGE_INPUT.get(stage.name, ()))
    shown = [
        line
        for docs, results in found
        for line in [*(f"// in  {text_of(doc)}" for doc in docs), *(f"// out {result}" for result in results)]
    ]
    return [*lines, "```js", text_of(dict(stage.example)), *shown, "```", ""]


def _edge(name: str, meaning: str) -> list[str]:
    rows = [
        f"| `{place}` | {option.kind} | {'required' if option.is_required else option.default or '-'} | "
        f"{option.meaning} |"
        for place, option in _flat(OPTIONS[name])
    ]
    head = ["| option | type | default | meaning |", "|---|---|---|---|"]
    example = ["```js", text_of(dict(EDGE_EXAMPLES[name])), "```", ""]
    return [f"### `{name}`", "", meaning, "", *head, *rows, "", *example]


def _flat(options: Sequence[Option], before: str = "") -> Iterator[tuple[str, Option]]:
    for option in options:
        yield before + option.name, option
        yield from _flat(option.inner, f"{before}{option.name}.")


# Queries


def holds(query: Mapping[str, Any], doc: Document) -> bool:
    """Whether `$match` lets the document pass."""
    (segment,) = compile_stages([{"$match": query}]).segments
    return segment.run([doc], None) == [doc]


def _queries() -> Iterator[str]:
    yield "An array at the end of a path is asked as a whole and by its elements: one that passes is enough."
    yield ""
    for name, known in QUERIES.items():
        yield from [f"### `{name}` in a query", "", known.meaning, "", "```text", known.syntax, "```", ""]
        yield from ["```js", text_of({"$match": dict(known.query)})]
        for doc in known.documents:
            yield f"// in  {text_of(doc)}"
            yield f"// out {text_of(doc) if holds(known.query, doc) else 'dropped'}"
        yield from ["```", ""]


# Expressions


def _expression(operator: Operator) -> list[str]:
    example = operator.example
    lines = [f"#### `{operator.name}`", "", operator.meaning, "", "```text", operator.syntax, "```", ""]
    lines += list(_types(operator))
    document = [f"// in  {text_of(dict(example.document))}"] if example.document else []
    result = f"// out {text_of(example.result)}"
    return [*lines, "```js", text_of(example.expression), *document, result, "```", ""]


def _types(operator: Operator) -> Iterator[str]:
    """What the example gives when one of its values is of another type."""
    if operator.name in _UNTRIED:
        return
    example = operator.example
    fields = dict(example.document)
    expression = example.expression
    if not fields:
        expression, fields = _with_field(expression)
    for name, own in fields.items():
        gives, refuses = _tried(expression, fields, name, own)
        yield f"Types of `{name}`: {_given(gives)}."
        refused = sum(map(len, refuses.values()))
        for reason, types in refuses.items():
            rest = "all others" if len(types) == refused > _MANY else _names(types)
            yield f"Refused: {rest}: `{reason}`"
        yield ""


def _given(gives: Mapping[str, Sequence[str]]) -> str:
    """Which types give what, those that stay what they are together."""
    if len(gives) == 1:
        ((what, types),) = gives.items()
        if len(types) == len(SAMPLES):
            return f"any; gives {what}"
    same = [kind for what, types in gives.items() for kind in types if kind == what]
    parts = [f"{_names(same)} stay{'s' if len(same) == 1 else ''} what {_they(same)}"] if same else []
    for what, types in gives.items():
        others = [kind for kind in types if kind != what]
        if others:
            shown = "any other" if len(others) > _MANY else _names(others)
            parts.append(f"{shown} give{'s' if len(others) == 1 or len(others) > _MANY else ''} {what}")
    return "; ".join(parts)


def _they(types: Sequence[str]) -> str:
    return "it is" if len(types) == 1 else "they are"


def _with_field(expression: Any) -> tuple[Any, dict[str, Any]]:
    """The expression with its first constant read from a field `value` instead."""
    found: dict[str, Any] = {}

    def replaced(node: Any) -> Any:
        if found or (isinstance(node, str) and node.startswith("$")):
            return node
        if isinstance(node, dict):
            return {name: replaced(inner) for name, inner in node.items()}
        if isinstance(node, list):
            return [replaced(item) for item in node]
        found["value"] = node
        return "$value"

    return replaced(expression), found


def _tried(
    expression: Any, fields: Mapping[str, Any], name: str, own: Any
) -> tuple[dict[str, list[str]], dict[str, list[str]]]:
    """(result type -> types that give it, reason -> types that are refused for it)."""
    gives: dict[str, list[str]] = {}
    refuses: dict[str, list[str]] = {}
    evaluate = _compiled(expression)
    for kind, sample in _samples(own).items():
        doc = {**fields, name: sample}
        if sample is MISSING:
            del doc[name]
        try:
            gives.setdefault(type_name(evaluate(doc)), []).append(kind)
        except Poison as error:
            refuses.setdefault(_reason(error.reason, kind), []).append(kind)
    return gives, refuses


def _samples(own: Any) -> Mapping[str, Any]:
    """A value of each type: the example's own for its type, and its number for all numbers."""
    found = {**SAMPLES, type_name(own): own}
    if is_number(own) and own == own:  # noqa: PLR0124 - NaN differs from itself
        whole = int(float(str(own)))
        found |= {
            "int": whole,
            "long": Int64(whole),
            "double": float(str(own)),
            "decimal": Decimal128(str(own)),
        }
    return found


def _compiled(expression: Any) -> Any:
    try:
        return compile_expression(expression)
    except Invalid as error:  # only a constant will do there: every type is refused for the same reason
        reason = error.problems[0].found

        def refuse(_doc: Document) -> Any:
            raise Poison(reason)

        return refuse


def _reason(reason: str, kind: str) -> str:
    """The reason without the type it names (last), so that types refused alike stand together."""
    words = reason.split(" ")
    for at in reversed(range(len(words))):
        if words[at].strip(",.:'\"()") == kind:
            words[at] = "<type>"
            break
    return " ".join(words)


def _not_yet() -> Iterator[str]:
    yield from ["## Not in Penstock", "", "Refused by name at start.", "", "| name | instead |", "|---|---|"]
    known = {name: why for name, why in STAGES_NOT_YET.items() if name not in EVAL_STAGES}
    yield from (f"| `{name}` | {why} |" for name, why in {**known, **EXPRESSIONS_NOT_YET}.items())


if __name__ == "__main__":
    sys.stdout.write(as_markdown())
