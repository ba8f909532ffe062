"""What pydantic found wrong, as problems: the place, what stands there, what would be right. Pure."""

from __future__ import annotations

import re
import types
from collections.abc import Collection, Mapping
from typing import Annotated, Any, Final, TypeVar, Union, get_args, get_origin

from pydantic import BaseModel, BeforeValidator, SecretStr, ValidationError
from pydantic_core import ErrorDetails

from workers.appfolder.nearest import suggest
from workers.errors import Problem
from workers.settings import bytes_of, bytes_text, seconds_of

M = TypeVar("M", bound=BaseModel)

_EXPECTED: Final[Mapping[str, str]] = {
    "string_type": "a text",
    "bool_type": "true or false", "bool_parsing": "true or false",
    "int_type": "a whole number", "int_parsing": "a whole number", "int_from_float": "a whole number",
    "float_type": "a number", "float_parsing": "a number",
    "dict_type": "a mapping of keys to values", "model_type": "a mapping of keys to values",
    "list_type": "a list", "tuple_type": "a list",
    "too_short": "at least one element",
}  # fmt: skip
_BOUNDS: Final = {
    "greater_than_equal": ("at least", "ge"), "less_than_equal": ("at most", "le"),
    "greater_than": ("more than", "gt"), "less_than": ("less than", "lt"),
}  # fmt: skip
# A password that stands in the file itself need not stand in the log, too.
_USER_IN_URL: Final = re.compile(r"//[^/\s@]+@")
_HIDDEN_RULE: Final = "a text (digits in quotes), ${NAME} or {file: path}"


def build(
    model: type[M], value: Any, file: str, path: str, given: Collection[str] = ()
) -> tuple[M | None, list[Problem]]:
    """The model made of what the user wrote, or everything that is wrong with it.

    `given` are the paths whose values came from the environment or from a file: they are not shown.
    """
    try:
        return model.model_validate(value), []
    except ValidationError as error:
        details = error.errors(include_url=False, include_input=True)
    return None, [_problem(model, detail, file, path, given) for detail in details]


def shown(value: Any) -> str:
    """A value as a message may quote it: short, its kind instead of its content where it has parts."""
    if isinstance(value, Mapping):
        return "a mapping"
    if isinstance(value, list | tuple):
        return "a list"
    if value is None:
        return "nothing"
    if isinstance(value, bool):
        return str(value).lower()
    text = _USER_IN_URL.sub("//...@", repr(value))
    return text if len(text) <= 60 else f"{text[:57]}..."


def _problem(
    model: type[BaseModel], detail: ErrorDetails, file: str, path: str, given: Collection[str]
) -> Problem:
    place = joined(path, detail["loc"])
    owner, name = _owner(model, detail["loc"])
    kind = detail["type"]
    if kind == "extra_forbidden":
        return Problem(file, place, f"the unknown key {name!r}", suggest(name, _keys(owner)))
    if kind == "missing":
        wanted = _description(owner, name)
        return Problem(file, place, "is missing", f"write {wanted}" if wanted else "it is required")
    found = "found a value that is not shown" if _is_secret(owner, name) or _is_given(place, given) else (
        f"found {_measured(detail['input'], owner, name)}")  # fmt: skip
    if isinstance(detail["input"], Mapping) and kind == "value_error":
        return Problem(file, place, _reason(detail))  # a rule between several fields says all by itself
    return Problem(file, place, found, f"expected {_expected(detail, owner, name)}")


def _expected(detail: ErrorDetails, owner: type[BaseModel] | None, name: str) -> str:
    kind, context = detail["type"], detail.get("ctx", {})
    if kind in _BOUNDS:
        words, key = _BOUNDS[kind]
        return f"{words} {_measured(context[key], owner, name)}"
    if kind == "string_too_short":
        least = context["min_length"]
        return "a text that is not empty" if least == 1 else f"a text of at least {least} characters"
    if kind == "too_short" and _is_secret(owner, name):
        return "a text that is not empty"
    if kind == "string_too_long":
        return f"a text of at most {context['max_length']:,} characters"
    if kind == "string_type" and _is_secret(owner, name):
        return _HIDDEN_RULE
    if kind == "literal_error":
        return str(context["expected"]).replace("'", "")
    if kind == "value_error":
        return _reason(detail)
    return _EXPECTED.get(kind) or _description(owner, name) or detail["msg"]


def _measured(value: Any, owner: type[BaseModel] | None, name: str) -> str:
    """`shown`, and a bare number of a duration or a size with its unit: nobody means 500 s by 500."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        return shown(value)
    read = _reader(owner, name)
    if read is bytes_of and isinstance(value, int):
        return bytes_text(value)
    return f"{value:g} s" if read is seconds_of else f"{value:g}" if isinstance(value, float) else f"{value}"


def _reader(owner: type[BaseModel] | None, name: str) -> Any:
    """What makes a number of the field's text: `seconds_of`, `bytes_of` or None."""
    for own, field in owner.model_fields.items() if owner is not None else ():
        if name in (field.alias, own):
            found = [*field.metadata, *(one for part in get_args(field.annotation) for one in get_args(part))]
            return next((one.func for one in found if isinstance(one, BeforeValidator)), None)
    return None


def _reason(detail: ErrorDetails) -> str:
    """The text of a ValueError that one of our own validators raised."""
    return str(detail.get("ctx", {}).get("error", detail["msg"]))


def joined(path: str, parts: tuple[int | str, ...]) -> str:
    """`("a", 0, "b")` behind a path: `path.a[0].b`."""
    for part in parts:
        path = f"{path}[{part}]" if isinstance(part, int) else f"{path}.{part}" if path else part
    return path


def _owner(model: type[BaseModel], place: tuple[int | str, ...]) -> tuple[type[BaseModel] | None, str]:
    """The model that holds the last part of a place, and that part's name."""
    owner: type[BaseModel] | None = model
    for part in place[:-1]:
        owner = None if owner is None else _model_of(_annotation(owner, part))
    return owner, str(place[-1]) if place else ""


def _annotation(owner: type[BaseModel], part: int | str) -> Any:
    for name, field in owner.model_fields.items():
        if part in (field.alias, name):
            return field.annotation
    return None


def _model_of(annotation: Any) -> type[BaseModel] | None:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return annotation
    if get_origin(annotation) in (Union, types.UnionType, Annotated):
        found = (_model_of(one) for one in get_args(annotation))
        return next((one for one in found if one is not None), None)
    return None


def _keys(owner: type[BaseModel] | None) -> list[str]:
    return [] if owner is None else [field.alias or name for name, field in owner.model_fields.items()]


def _description(owner: type[BaseModel] | None, name: str) -> str:
    for own, field in owner.model_fields.items() if owner is not None else ():
        if name in (field.alias, own):
            return field.description or ""
    return ""


def _is_secret(owner: type[BaseModel] | None, name: str) -> bool:
    annotation = None if owner is None else _annotation(owner, name)
    return annotation is SecretStr or SecretStr in get_args(annotation)


def _is_given(place: str, given: Collection[str]) -> bool:
    return any(place == one or place.startswith((f"{one}.", f"{one}[")) for one in given)
