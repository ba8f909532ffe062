"""The interpreter: what an expression is, how its parts are checked and evaluated."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from itertools import product
from typing import Any, Final, TypeAlias

from bson import Code

from tests.property.language.reference.values import EPOCH, MISSING, DataError, Failure, Refusal, Unsure

Scope: TypeAlias = frozenset[str]
"""Names of variables that may be read."""

Environment: TypeAlias = Mapping[str, Any]
"""The value of each variable."""

SYSTEM: Final[Scope] = frozenset({"ROOT", "CURRENT", "REMOVE"})
_NAME = re.compile(r"[a-z\x80-\U0010ffff][A-Za-z0-9_\x80-\U0010ffff]*")
MAX_DEPTH: Final = 100


@dataclass(frozen=True)
class Operator:
    """How one operator's argument is checked without data, and what it evaluates to."""

    check: Callable[[Any, Scope], None]
    run: Callable[[Any, Environment], Any]


@dataclass
class Registry:
    """Every operator by name; the families fill it through `register`."""

    operators: dict[str, Operator] = field(default_factory=dict)


REGISTRY: Final = Registry()


def register(name: str, operator: Operator) -> None:
    """Make an operator known."""
    assert name not in REGISTRY.operators, name
    REGISTRY.operators[name] = operator


def known_operators() -> list[str]:
    """Names of all operators of expressions this reference knows."""
    return sorted(REGISTRY.operators)


def path_parts(path: str) -> list[str]:
    """The names in a dotted path; Refusal for one that is no path."""
    parts = path.split(".")
    for part in parts:
        if not part or part.startswith("$") or "\0" in part:
            raise Refusal(f"not a field path: {path!r}")
    if len(parts) > 200:
        raise Refusal("the path is too long")
    return parts


def read(value: Any, parts: list[str]) -> Any:
    """Follow a path; arrays on the way give an array of what their documents hold."""
    if not parts:
        return value
    if isinstance(value, dict):
        return read(value.get(parts[0], MISSING), parts[1:])
    if isinstance(value, list | tuple):
        found = [read(item, parts) for item in value if isinstance(item, dict)]
        return [item for item in found if item is not MISSING]
    return MISSING


def _split_variable(text: str) -> tuple[str, list[str]]:
    """`$$name.a.b` or `$a.b` as the variable's name and the path in it."""
    if text.startswith("$$"):
        name, _, rest = text[2:].partition(".")
        if not name or ("." in text and not rest):
            raise Refusal(f"not a variable: {text!r}")
        return name, path_parts(rest) if rest else []
    return "CURRENT", path_parts(text[1:])


def is_path(expression: Any) -> bool:
    """Whether the expression is a text that reads a field or a variable."""
    return isinstance(expression, str) and not isinstance(expression, Code) and expression.startswith("$")


def operator_of(expression: Any) -> str | None:
    """The operator's name when the expression calls one; Refusal for one that is half an operator."""
    if not isinstance(expression, dict) or not expression:
        return None
    first = next(iter(expression))
    if not first.startswith("$"):
        return None
    if len(expression) != 1:
        raise Refusal("an operator stands alone in its object")
    if first not in REGISTRY.operators:
        raise Refusal(f"unknown operator {first}")
    return str(first)


def user_name(name: Any) -> str:
    """A variable's name as a user may give it."""
    if name == "CURRENT":
        return "CURRENT"
    if not isinstance(name, str) or not _NAME.fullmatch(name):
        raise Refusal(f"not a name for a variable: {name!r}")
    return name


def check(expression: Any, scope: Scope = SYSTEM) -> None:
    """Raise Refusal for every mistake that needs no data."""
    if is_path(expression):
        name, _ = _split_variable(expression)
        if name not in scope:
            raise Refusal(f"undefined variable {name}")
        return
    name_or_none = operator_of(expression)
    if name_or_none is not None:
        REGISTRY.operators[name_or_none].check(expression[name_or_none], scope)
    elif isinstance(expression, dict):
        for name, value in expression.items():
            if not name or "." in name or name.startswith("$") or "\0" in name:
                raise Refusal(f"not a field name: {name!r}")
            check(value, scope)
    elif isinstance(expression, list | tuple):
        for item in expression:
            check(item, scope)


def run(expression: Any, env: Environment) -> Any:
    """The value of a checked expression, or MISSING. Raises DataError."""
    if is_path(expression):
        name, parts = _split_variable(expression)
        return read(env[name], parts)
    if isinstance(expression, dict):
        name_or_none = operator_of(expression)
        if name_or_none is not None:
            return REGISTRY.operators[name_or_none].run(expression[name_or_none], env)
        values = {name: run(value, env) for name, value in expression.items()}
        return {name: value for name, value in values.items() if value is not MISSING}
    if isinstance(expression, list | tuple):
        return [None if (value := run(item, env)) is MISSING else value for item in expression]
    return expression


def environment(doc: Any) -> dict[str, Any]:
    """The variables an expression starts with."""
    return {"ROOT": doc, "CURRENT": doc, "REMOVE": MISSING}


def evaluate(expression: Any, doc: dict[str, Any]) -> Any:
    """Check and evaluate: a value or MISSING. Raises Refusal, DataError, Unsure."""
    check(expression)
    return run(expression, environment(doc))


def unread(evaluate: Callable[[], Any]) -> None:
    """An argument that a null or an empty array leaves without use: may it fail?"""
    try:
        evaluate()
    except DataError:
        raise Unsure("an argument that fails without being of use") from None


def _parts(expression: Any) -> Iterator[Any]:
    """The expression and everything within it."""
    yield expression
    if isinstance(expression, dict):
        for name, value in expression.items():
            if name != "$literal":
                yield from _parts(value)
    elif isinstance(expression, list | tuple):
        for value in expression:
            yield from _parts(value)


# What may stand where a field was read, to learn whether a call can succeed at all.
_STAND_INS: Final[tuple[Any, ...]] = (None, 1, "a", [1], {"a": 1}, EPOCH, True, ["a"])


def _is_open(expression: Any) -> bool:
    return any(is_path(part) for part in _parts(expression))


def _stood_in(argument: Any) -> Iterator[Any]:
    """The argument with its open parts replaced by constants, in every combination of up to three."""
    is_named = isinstance(argument, dict) and operator_of(argument) is None
    slots = list(argument) if is_named else list(range(len(operands(argument))))
    values = argument if is_named else operands(argument)
    free = [slot for slot in slots if _is_open(values[slot])]
    for chosen in product(_STAND_INS, repeat=min(len(free), 3)):
        given = dict(zip(free, [*chosen, *[chosen[-1:] and chosen[-1]] * len(free)], strict=False))
        constants = {slot: {"$literal": given[slot]} if slot in given else values[slot] for slot in slots}
        yield constants if is_named else list(constants.values())


def _may_succeed(name: str, argument: Any) -> bool:
    for constants in _stood_in(argument):
        try:
            call = {name: constants}
            check(call)
            run(call, environment({}))
        except (Failure, Unsure):
            continue
        return True
    return False


def closed_errors(expression: Any) -> bool:
    """Whether a part may be refused at once: it fails whatever the fields hold, or is unsettled."""
    for part in _parts(expression):
        if not isinstance(part, dict) or len(part) != 1 or next(iter(part)) not in REGISTRY.operators:
            continue
        ((name, argument),) = part.items()
        try:
            if not _may_succeed(name, argument):
                return True
        except KeyError:  # a variable bound around this part
            continue
    return False


# --- forms of arguments -------------------------------------------------------------------------------------


def operands(argument: Any) -> list[Any]:
    """Positional arguments: an array's elements, or the one thing that stands there."""
    return list(argument) if isinstance(argument, list | tuple) else [argument]


def positional(function: Callable[..., Any], minimum: int, maximum: int) -> Operator:
    """An operator of a fixed number of values, all evaluated first."""

    def checked(argument: Any, scope: Scope) -> None:
        found = operands(argument)
        if not minimum <= len(found) <= maximum:
            raise Refusal(f"takes {minimum} to {maximum} arguments, not {len(found)}")
        for one in found:
            check(one, scope)

    return Operator(checked, lambda argument, env: function(*(run(one, env) for one in operands(argument))))


def variadic(function: Callable[[Iterable[Any]], Any], minimum: int = 0) -> Operator:
    """An operator of any number of values, evaluated from left to right as the function asks for them."""

    def checked(argument: Any, scope: Scope) -> None:
        found = operands(argument)
        if len(found) < minimum:
            raise Refusal(f"takes at least {minimum} arguments")
        for one in found:
            check(one, scope)

    def ran(argument: Any, env: Environment) -> Any:
        values = (run(one, env) for one in operands(argument))
        result = function(values)
        if result is None:
            try:
                list(values)
            except DataError:
                raise Unsure("a null before an operand that fails") from None
        return result

    return Operator(checked, ran)


def checked_names(argument: Any, required: Iterable[str], optional: Iterable[str]) -> dict[str, Any]:
    """An argument that is an object of known names, or Refusal."""
    if not isinstance(argument, dict):
        raise Refusal("takes an object")
    unknown = set(argument) - set(required) - set(optional)
    absent = set(required) - set(argument)
    if unknown or absent:
        raise Refusal(f"unknown {sorted(unknown)}, absent {sorted(absent)}")
    return argument


class Absent:
    """What a named argument is when it is not written: not the same as written and missing."""


ABSENT: Final = Absent()


def named(
    function: Callable[..., Any], required: tuple[str, ...], optional: tuple[str, ...] = ()
) -> Operator:
    """An operator of an object of arguments, all evaluated first; one not written is ABSENT."""

    def checked(argument: Any, scope: Scope) -> None:
        for value in checked_names(argument, required, optional).values():
            check(value, scope)

    def ran(argument: Any, env: Environment) -> Any:
        return function(
            *(run(argument[name], env) if name in argument else ABSENT for name in (*required, *optional))
        )

    return Operator(checked, ran)


def read_families() -> None:
    """Import every family, so that its operators are known."""
    from tests.property.language.reference import (  # noqa: F401
        accumulators,
        arithmetic,
        arrays,
        bits,
        calendar,
        conversion,
        dates,
        datetext,
        logic,
        objects,
        regexes,
        sets,
        strings,
        trigonometry,
        variables,
    )
