"""`$and $or $not`. Once the answer is known, the other arguments are not evaluated."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

from workers.pipeline.nodes import Call, Emitting, Example, Operator, Positional
from workers.pipeline.values import truthy


def _all(*values: Any) -> bool:
    return all(map(truthy, values))


def _any(*values: Any) -> bool:
    return any(map(truthy, values))


def _not(value: Any) -> bool:
    return not truthy(value)


def _emit_chain(word: str, go_on: str) -> Callable[[Emitting, Call], str]:
    """One argument after another, each only while `go_on` holds of the answer so far."""

    def emit(em: Emitting, call: Call) -> str:
        answer = em.condition(call.given[0])
        for arg in call.given[1:]:
            text, lines = em.lazy(arg, condition=True)
            if not lines:
                answer = f"({answer} {word} {text})"
                continue
            found = em.name()
            em.line(f"{found} = {answer}")
            with em.block(f"if {go_on.format(found)}:"):
                em.splice(lines)
                em.line(f"{found} = {text}")
            answer = found
        return answer

    def emit_any_number(em: Emitting, call: Call) -> str:
        return emit(em, call) if call.given else repr(word == "and")

    return emit_any_number


def _emit_not(em: Emitting, call: Call) -> str:
    return f"(not {em.condition(call.given[0])})"


OPERATORS: Final[dict[str, Operator]] = {
    "$and": Operator(
        name="$and",
        signature=Positional(0, None),
        meaning="Whether all arguments are true; true without arguments.",
        example=Example({"$and": ["$a", {"$gt": ["$b", 1]}]}, True, {"a": "text", "b": 2}),
        function=_all,
        emit=_emit_chain("and", "{}"),
        gives_bool=True,
    ),
    "$or": Operator(
        name="$or",
        signature=Positional(0, None),
        meaning="Whether an argument is true; false without arguments.",
        example=Example({"$or": ["$missing", 0]}, False),
        function=_any,
        emit=_emit_chain("or", "not {}"),
        gives_bool=True,
    ),
    "$not": Operator(
        name="$not",
        signature=Positional(1, 1),
        meaning="The opposite of the argument's truth.",
        example=Example({"$not": ["$missing"]}, True),
        function=_not,
        emit=_emit_not,
        gives_bool=True,
    ),
}
