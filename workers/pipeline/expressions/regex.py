"""`$regexMatch $regexFind $regexFindAll`: PCRE patterns over text, with offsets in code points."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any, Final

from bson import Regex

from workers.errors import Poison
from workers.pipeline.matches import letters_of, matches_of, search_of
from workers.pipeline.nodes import Call, Const, Emitting, Example, Named, Operator
from workers.pipeline.patterns import PatternError, Search
from workers.pipeline.values import MISSING, is_nullish, type_name


@dataclass(frozen=True, slots=True)
class _Asked:
    """The pattern and options of a call, checked. `search` is None where the pattern is null."""

    search: Search | None


def _options(value: Any, operator: str) -> str:
    if is_nullish(value):
        return ""
    if value.__class__ is not str:
        raise Poison(f"{operator} needs 'options' to be a string, but it is of type {type_name(value)}")
    return value


def _asked(regex: Any, options: Any, operator: str) -> _Asked:
    """What `regex` and `options` say together. Raises Poison."""
    letters = _options(options, operator)
    if is_nullish(regex):
        return _Asked(None)
    pattern = regex
    if isinstance(regex, Regex):
        own = letters_of(regex)
        if own and letters:
            raise Poison(f"{operator}: options both in 'regex' and in 'options'")
        pattern, letters = regex.pattern, letters or own
    if pattern.__class__ is not str:
        raise Poison(
            f"{operator} needs 'regex' to be a string or regular expression, not of type {type_name(regex)}"
        )
    try:
        return _Asked(search_of(pattern, letters))
    except PatternError as error:
        raise Poison(f"{operator}: {error}") from None


def _text(value: Any, operator: str) -> str | None:
    """The input, None where it is null."""
    if is_nullish(value):
        return None
    if value.__class__ is not str:
        raise Poison(f"{operator} needs 'input' to be a string, but it is of type {type_name(value)}")
    return value


def _matches(text: Any, search: Search | None) -> bool:
    found = _text(text, "$regexMatch")
    return search is not None and found is not None and search(found) is not None


def _first(text: Any, search: Search | None) -> dict[str, Any] | None:
    found = _text(text, "$regexFind")
    if search is None or found is None:
        return None
    match = search(found)
    return None if match is None else _shown(match)


def _all(text: Any, search: Search | None) -> list[dict[str, Any]]:
    found = _text(text, "$regexFindAll")
    return [] if search is None or found is None else [_shown(match) for match in matches_of(found, search)]


def _shown(match: Any) -> dict[str, Any]:
    return {"match": match.group(), "idx": match.start(), "captures": list(match.groups())}


def _of_values(name: str, apply: Callable[[Any, Search | None], Any]) -> Callable[..., Any]:
    """Of all three arguments, for folding and for patterns that come with documents."""

    def applied(text: Any, regex: Any, options: Any = MISSING) -> Any:
        asked = _asked(regex, options, name)
        return apply(text, asked.search)

    applied.__name__ = apply.__name__
    return applied


def _is_known(call: Call) -> bool:
    _, regex, options = call.args
    return isinstance(regex, Const) and (options is None or isinstance(options, Const))


def _known(call: Call) -> _Asked:
    """The constant pattern of a call. Raises Poison."""
    _, regex, options = call.args
    assert isinstance(regex, Const)
    return _asked(regex.value, options.value if isinstance(options, Const) else MISSING, call.operator.name)


def _check(call: Call) -> Iterable[Poison]:
    if _is_known(call):
        try:
            _known(call)
        except Poison as error:
            yield error


def _emit(
    apply: Callable[[Any, Search | None], Any], of_values: Callable[..., Any]
) -> Callable[[Emitting, Call], str]:
    def emit(em: Emitting, call: Call) -> str:
        text, regex, options = call.args
        assert text is not None
        assert regex is not None
        value = em.value(text)
        if _is_known(call):
            search = _known(call).search
            return em.call(apply, value, "None" if search is None else em.function(search))
        given = "M" if options is None else em.value(options)
        return em.call(of_values, value, em.value(regex), given)

    return emit


def _operator(
    name: str, apply: Callable[[Any, Search | None], Any], meaning: str, example: Example
) -> Operator:
    of_values = _of_values(name, apply)
    return Operator(
        name=name,
        signature=Named(("input", "regex"), ("options",)),
        meaning=meaning,
        example=example,
        function=of_values,
        emit=_emit(apply, of_values),
        absent=MISSING,
        check=_check,
    )


OPERATORS: Final[dict[str, Operator]] = {
    "$regexMatch": _operator(
        "$regexMatch",
        _matches,
        "Whether the text has a match of the pattern.",
        Example(
            {"$regexMatch": {"input": "$a", "regex": "^SKU-\\d+$", "options": "i"}}, True, {"a": "sku-17"}
        ),
    ),
    "$regexFind": _operator(
        "$regexFind",
        _first,
        "The first match: its text, its place in code points and what its groups captured; null without one.",
        Example(
            {"$regexFind": {"input": "$a", "regex": "(\\d+)-(x)?"}},
            {"match": "17-", "idx": 4, "captures": ["17", None]},
            {"a": "sku 17-b"},
        ),
    ),
    "$regexFindAll": _operator(
        "$regexFindAll",
        _all,
        "Every match, as $regexFind shows one.",
        Example(
            {"$regexFindAll": {"input": "$a", "regex": "[0-9]"}},
            [{"match": "1", "idx": 1, "captures": []}, {"match": "2", "idx": 3, "captures": []}],
            {"a": "a1b2"},
        ),
    ),
}
