"""Boolean, comparison and conditional operators."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from tests.property.language.reference.interpreter import (
    Environment,
    Operator,
    Scope,
    check,
    checked_names,
    operands,
    positional,
    register,
    run,
    variadic,
)
from tests.property.language.reference.values import DataError, Refusal, compare, nullish, truthy


def _comparison(accepts: Callable[[int], bool]) -> Operator:
    return positional(lambda left, right: accepts(compare(left, right)), 2, 2)


def _check_cond(argument: Any, scope: Scope) -> None:
    if isinstance(argument, dict):
        parts = list(checked_names(argument, ("if", "then", "else"), ()).values())
    else:
        parts = operands(argument)
        if len(parts) != 3:
            raise Refusal("$cond takes three arguments")
    for part in parts:
        check(part, scope)


def _cond(argument: Any, env: Environment) -> Any:
    if isinstance(argument, dict):
        argument = [argument["if"], argument["then"], argument["else"]]
    return run(argument[1] if truthy(run(argument[0], env)) else argument[2], env)


def _check_switch(argument: Any, scope: Scope) -> None:
    checked_names(argument, ("branches",), ("default",))
    branches = argument["branches"]
    if not isinstance(branches, list) or not branches:
        raise Refusal("$switch takes an array of branches")
    for branch in branches:
        for part in checked_names(branch, ("case", "then"), ()).values():
            check(part, scope)
    if "default" in argument:
        check(argument["default"], scope)


def _switch(argument: Any, env: Environment) -> Any:
    for branch in argument["branches"]:
        if truthy(run(branch["case"], env)):
            return run(branch["then"], env)
    if "default" in argument:
        return run(argument["default"], env)
    raise DataError("no branch of $switch matches and there is no default")


def _if_null(argument: Any, env: Environment) -> Any:
    value: Any = None
    for part in operands(argument):
        value = run(part, env)
        if not nullish(value):
            return value
    return value


register("$eq", _comparison(lambda order: order == 0))
register("$ne", _comparison(lambda order: order != 0))
register("$lt", _comparison(lambda order: order < 0))
register("$lte", _comparison(lambda order: order <= 0))
register("$gt", _comparison(lambda order: order > 0))
register("$gte", _comparison(lambda order: order >= 0))
register("$cmp", positional(compare, 2, 2))
register("$and", variadic(lambda values: all(truthy(value) for value in values)))
register("$or", variadic(lambda values: any(truthy(value) for value in values)))
register("$not", positional(lambda value: not truthy(value), 1, 1))
register("$cond", Operator(_check_cond, _cond))
register("$switch", Operator(_check_switch, _switch))
register("$ifNull", Operator(variadic(list, 2).check, _if_null))
