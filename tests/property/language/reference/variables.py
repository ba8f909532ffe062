"""Literals, `$let`, and the operators that bind variables over arrays."""

from __future__ import annotations

from typing import Any

from tests.property.language.reference.interpreter import (
    Environment,
    Operator,
    Scope,
    check,
    checked_names,
    register,
    run,
    unread,
    user_name,
)
from tests.property.language.reference.tower import need_integral
from tests.property.language.reference.values import MISSING, DataError, kind, nullish, truthy


def _check_let(argument: Any, scope: Scope) -> None:
    checked_names(argument, ("vars", "in"), ())
    variables = checked_names(argument["vars"], (), argument["vars"])
    names = {user_name(name) for name in variables}
    for value in variables.values():
        check(value, scope)
    check(argument["in"], scope | names)


def _let(argument: Any, env: Environment) -> Any:
    bound = {name: run(value, env) for name, value in argument["vars"].items()}
    return run(argument["in"], {**env, **bound})


def _input(argument: Any, env: Environment) -> list[Any] | None:
    """The array to walk, None for null."""
    found = run(argument["input"], env)
    if nullish(found):
        return None
    if kind(found) != "array":
        raise DataError(f"input must be an array, not {kind(found)}")
    return list(found)


def _check_walk(*required: str, optional: tuple[str, ...] = ()) -> Any:
    body = required[-1]

    def checked(argument: Any, scope: Scope) -> None:
        checked_names(argument, required, ("as", *optional))
        name = user_name(argument.get("as", "this"))
        check(argument["input"], scope)
        check(argument[body], scope | {name})
        if "limit" in argument:
            check(argument["limit"], scope)

    return checked


def _map(argument: Any, env: Environment) -> Any:
    items = _input(argument, env)
    if items is None:
        return None
    name = argument.get("as", "this")
    found = [run(argument["in"], {**env, name: item}) for item in items]
    return [None if value is MISSING else value for value in found]


def _limit(argument: Any, env: Environment) -> int | None:
    limit = run(argument["limit"], env) if "limit" in argument else None
    if nullish(limit):
        return None
    most = need_integral(limit, "limit")
    if most < 1:
        raise DataError("limit must be positive")
    return most


def _filter(argument: Any, env: Environment) -> Any:
    items = _input(argument, env)
    if not items:
        unread(lambda: _limit(argument, env))
        return items
    most = _limit(argument, env) or len(items)
    name = argument.get("as", "this")
    kept: list[Any] = []
    for item in items:
        if len(kept) == most:
            break
        if truthy(run(argument["cond"], {**env, name: item})):
            kept.append(item)
    return kept


def _check_reduce(argument: Any, scope: Scope) -> None:
    checked_names(argument, ("input", "initialValue", "in"), ())
    check(argument["input"], scope)
    check(argument["initialValue"], scope)
    check(argument["in"], scope | {"this", "value"})


def _reduce(argument: Any, env: Environment) -> Any:
    items = _input(argument, env)
    if items is None:
        unread(lambda: run(argument["initialValue"], env))
        return None
    value = run(argument["initialValue"], env)
    for item in items:
        value = run(argument["in"], {**env, "this": item, "value": value})
    return value


register("$literal", Operator(lambda argument, scope: None, lambda argument, env: argument))
register("$let", Operator(_check_let, _let))
register("$map", Operator(_check_walk("input", "in"), _map))
register("$filter", Operator(_check_walk("input", "cond", optional=("limit",)), _filter))
register("$reduce", Operator(_check_reduce, _reduce))
