"""What is true or false: fields, operators on fields, `%and %or %nor %not`, embedded expressions. Pure.

A condition answers True, False, or None when it is unknown because a function it needs has thrown. Unknown
is false in the end, and its opposite is no more true than itself: `%not` of a function that throws admits
nobody.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Any, Final

from workers.functions.rules import expansions
from workers.functions.rules.comparisons import COMPARISONS, WrongOperand, is_equal
from workers.functions.rules.conversions import CONVERSIONS
from workers.functions.rules.errors import RuleFailed, RuleInvalid, Unknown
from workers.functions.rules.operands import Operand, Parsing, State, is_value_operator, operator, read

Condition = Callable[[State], bool | None]
Subject = Callable[[State], Sequence[Any]]
"""The candidates of a field."""

_LOGIC: Final = frozenset({"and", "or", "nor", "not"})
_ON_FIELDS: Final = frozenset(COMPARISONS) | _LOGIC
_KNOWN: Final = ", ".join(f"%{name}" for name in sorted({*_ON_FIELDS, *CONVERSIONS, "function"}))


def expression(node: Any, parsing: Parsing, path: str, depth: int) -> Condition:
    """A boolean, an expansion that is one, or a document of which every field must be true. Raises
    RuleInvalid."""
    parsing.enter(path, depth)
    if isinstance(node, bool):
        return lambda state: node
    if is_value_operator(node) or (isinstance(node, str) and node.startswith("%%")):
        if isinstance(node, dict) and operator(next(iter(node))) in CONVERSIONS:
            raise RuleInvalid(
                path, "a conversion alone is neither true nor false", "a field to compare it with"
            )
        return _is_true(read(node, parsing, path, depth))
    if not isinstance(node, dict):
        raise RuleInvalid(path, "is no expression", "true, false or a document")
    return _all([_field(key, value, parsing, _join(path, key), depth + 1) for key, value in node.items()])


def _field(key: str, value: Any, parsing: Parsing, path: str, depth: int) -> Condition:
    name = operator(key)
    if name is not None:
        return _logic(name, value, parsing, path, depth)
    found = parsing.expansion(key, path) if key.startswith("%%") else expansions.argument(key, path)
    if isinstance(found, bool):
        return _of_field(lambda state: (found,), value, parsing, path, depth, expected=found)
    parsing.use(found)
    return _of_field(lambda state: found.candidates(state.known), value, parsing, path, depth)


def _logic(name: str, value: Any, parsing: Parsing, path: str, depth: int) -> Condition:
    """An operator where a field would stand."""
    if name == "function":
        return _is_true(read({"%function": value}, parsing, path.rpartition(".")[0], depth))
    if name == "not":
        return _opposite(expression(value, parsing, path, depth))
    if name in _LOGIC:
        items = [expression(item, parsing, at, depth + 1) for at, item in _items(value, path)]
        return _joined(name, items)
    if name in COMPARISONS:
        raise RuleInvalid(
            path, "an operator without a field", '{"<field or expansion>": {"%' + name + '": ...}}'
        )
    if name in CONVERSIONS:
        raise RuleInvalid(path, "a conversion alone is neither true nor false", "a field to compare it with")
    raise RuleInvalid(path, "unknown operator", _KNOWN)


def _of_field(
    subject: Subject, value: Any, parsing: Parsing, path: str, depth: int, expected: bool | None = None
) -> Condition:
    """What a field is compared with: operators, an embedded expression, or a value that it must equal.

    `expected` is set for `%%true` and `%%false`: an embedded expression must come out as that."""
    if not isinstance(value, dict) or is_value_operator(value):
        return _compared(subject, "eq", read(value, parsing, path, depth), path)
    names = [operator(key) for key in value]
    if value and all(name in _ON_FIELDS for name in names) and not _is_embedded_logic(value, expected):
        return _operators(subject, value, parsing, path, depth)
    if expected is not None:
        embedded = expression(value, parsing, path, depth)
        return embedded if expected else _opposite(embedded)
    if any(key.startswith("%%") for key in value):
        return expression(value, parsing, path, depth)
    for key, name in zip(value, names, strict=True):
        if name is not None:
            found = "operators beside fields" if name in _ON_FIELDS else "unknown operator"
            raise RuleInvalid(f"{path}.{key}", found, f"operators alone: {_KNOWN}")
    return _compared(subject, "eq", read(value, parsing, path, depth), path)


def _is_embedded_logic(value: dict[str, Any], expected: bool | None) -> bool:
    """`{"%%true": {"%or": [{"%%user.id": ...}]}}`: the items are expressions, not operators on true."""
    if expected is None or any(operator(key) not in _LOGIC for key in value):
        return False
    return not any(_is_on_field(item) for content in value.values() for item in _as_list(content))


def _is_on_field(item: Any) -> bool:
    return isinstance(item, dict) and bool(item) and all(operator(key) in _ON_FIELDS for key in item)


def _as_list(content: Any) -> list[Any]:
    return content if isinstance(content, list) else [content]


def _operators(subject: Subject, value: dict[str, Any], parsing: Parsing, path: str, depth: int) -> Condition:
    """All operators of a document, on one field."""
    found = []
    for key, content in value.items():
        name, inside = str(operator(key)), f"{path}.{key}"
        if name == "not":
            found.append(_opposite(_on_field(subject, content, parsing, inside, depth + 1)))
        elif name in _LOGIC:
            items = [_on_field(subject, item, parsing, at, depth + 1) for at, item in _items(content, inside)]
            found.append(_joined(name, items))
        else:
            _check_operand(name, content, inside)
            found.append(_compared(subject, name, _operand(content, parsing, inside, depth + 1), inside))
    return _all(found)


def _on_field(subject: Subject, item: Any, parsing: Parsing, path: str, depth: int) -> Condition:
    """An item of `%and %or %nor %not` on a field: operators, a value to equal, or an embedded expression."""
    parsing.enter(path, depth)
    return _of_field(subject, item, parsing, path, depth)


def _operand(node: Any, parsing: Parsing, path: str, depth: int) -> Operand:
    """The operand of a comparison: a value, or an embedded expression that is evaluated to a boolean."""
    if isinstance(node, dict) and any(key.startswith("%%") for key in node):
        condition = expression(node, parsing, path, depth)

        def evaluated(state: State) -> bool:
            holds = condition(state)
            if holds is None:
                raise Unknown
            return holds

        return evaluated
    return read(node, parsing, path, depth)


def _check_operand(name: str, content: Any, path: str) -> None:
    """Refuse at once what can never be an operand: what is no expansion and no function does not change."""
    if (isinstance(content, str) and content.startswith("%%")) or is_value_operator(content):
        return
    if name in ("in", "nin") and not isinstance(content, list):
        raise RuleInvalid(path, "is no list", "a list, or an expansion that is one")
    if name == "exists" and (not isinstance(content, bool | int | float) or content not in (0, 1)):
        raise RuleInvalid(path, "is neither true nor false", "true or false")


def _compared(subject: Subject, name: str, operand: Operand, path: str) -> Condition:
    comparison = is_equal if name == "eq" else COMPARISONS[name]

    def compared(state: State) -> bool:
        try:
            return comparison(subject(state), operand(state))
        except WrongOperand as problem:
            raise RuleFailed(f"{path}: its operand is not {problem}") from None

    return _guarded(compared)


def _is_true(operand: Operand) -> Condition:
    return _guarded(lambda state: operand(state) is True)


def _guarded(condition: Condition) -> Condition:
    """Unknown begins here, at the innermost condition that needs the function."""

    def guarded(state: State) -> bool | None:
        try:
            return condition(state)
        except Unknown:
            return None

    return guarded


def _items(value: Any, path: str) -> Iterable[tuple[str, Any]]:
    if not isinstance(value, list) or not value:
        raise RuleInvalid(path, "is no list of expressions", "a list with at least one expression")
    return [(f"{path}[{at}]", item) for at, item in enumerate(value)]


def _joined(name: str, items: list[Condition]) -> Condition:
    if name == "and":
        return _all(items)
    return _any(items) if name == "or" else _opposite(_any(items))


def _all(items: list[Condition]) -> Condition:
    if len(items) == 1:
        return items[0]

    def all_hold(state: State) -> bool | None:
        found = [item(state) for item in items]
        return False if False in found else None if None in found else True

    return all_hold


def _any(items: list[Condition]) -> Condition:
    if len(items) == 1:
        return items[0]

    def one_holds(state: State) -> bool | None:
        found = [item(state) for item in items]
        return True if True in found else None if None in found else False

    return one_holds


def _opposite(condition: Condition) -> Condition:
    def opposite(state: State) -> bool | None:
        holds = condition(state)
        return None if holds is None else not holds

    return opposite


def _join(path: str, key: str) -> str:
    return f"{path}.{key}" if path else key
