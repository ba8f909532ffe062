"""What is wrong with a pipeline, all at once, each with its place. Reads specifications; compiles nothing."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any, Final, TypeVar

from workers.errors import Invalid, Problem
from workers.pipeline.match import compile_match, top_expressions
from workers.pipeline.nearest import nearest
from workers.pipeline.nodes import Const, Node, Operator, Scope
from workers.pipeline.parse import DEFAULT_SCOPE, Parser, describe
from workers.pipeline.spec import QuerySpec, StageSpec, StageType

Choice = TypeVar("Choice", bound=str)

_UNITS: Final = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0}
_LONG_UNITS: Final = {"ms": 0.001, "second": 1.0, "minute": 60.0, "hour": 3600.0, "day": 86400.0}
_DURATION: Final = re.compile(r"(\d{1,9}(?:\.\d{1,6})?)\s*(ms|s|m|h|d)")


class Checker:
    """Parses stages with tables of what is known, and collects problems. Kept: `spec.Steps`."""

    def __init__(
        self,
        operators: Mapping[str, Operator],
        elsewhere: Mapping[str, str],
        stages: Mapping[str, StageType],
        not_yet: Mapping[str, str],
        expression: Callable[[Any, str], Callable[[Any], Any]],
    ) -> None:
        """`expression` compiles what stands under `$expr` and raises Invalid."""
        self._parser = Parser(operators, elsewhere)
        self._stages = stages
        self._not_yet = not_yet
        self._compile_expression = expression

    @property
    def problems(self) -> list[Problem]:
        """Everything found so far."""
        return self._parser.problems

    def raise_problems(self, file: str) -> None:
        """Raise Invalid with every problem, if there is one."""
        if self.problems:
            raise Invalid(replace(problem, file=file or problem.file) for problem in self.problems)

    def wrong(self, path: str, found: str, expected: str = "") -> Const:
        """Note a problem."""
        return self._parser.wrong(path, found, expected)

    def expression(self, spec: Any, path: str, scope: Scope | None = None) -> Node:
        """The tree of an expression over the document."""
        return self._parser.expression(spec, path, DEFAULT_SCOPE if scope is None else scope)

    def literal(self, spec: Any, path: str) -> Const:
        """A value as it stands."""
        return self._parser.literal(spec, path)

    def match(self, query: Any, path: str) -> QuerySpec | None:
        """A compiled query. What stands under $expr and must hold is left to the stage, which compiles it in
        line: there it shares what was read, and knows the document's meta."""
        before = len(self.problems)
        rest, found = top_expressions(query, path)
        nodes = tuple(self.expression(spec, place) for spec, place in found)
        try:
            match = compile_match(rest, path, self._compile_expression)
        except Invalid as error:
            self.problems.extend(error.problems)
            return None
        if len(self.problems) > before:
            return None
        return QuerySpec(match.source, match.names, nodes)

    def entries(self, spec: Any, path: str) -> list[tuple[str, Any, str]]:
        """The stages of a pipeline: (operator, its specification, its place)."""
        if not isinstance(spec, Sequence) or isinstance(spec, str | bytes):
            self.wrong(path, describe(spec), "an array of stages")
            return []
        found: list[tuple[str, Any, str]] = []
        for number, entry in enumerate(spec):
            place = f"{path}[{number}]"
            if not isinstance(entry, Mapping) or len(entry) != 1:
                what = f"{len(entry)} fields" if isinstance(entry, Mapping) else describe(entry)
                self.wrong(place, what, "a document with one stage, as {$match: {...}}")
                continue
            ((name, inner),) = entry.items()
            found.append((str(name), inner, f"{place}.{name}"))
        return found

    def stage(self, name: str, spec: Any, path: str) -> StageSpec | None:
        """One stage that runs within a segment; None when it is wrong."""
        known = self._stages.get(name)
        if known is not None:
            return known.parse(self, spec, path)
        if name in self._not_yet:
            self.wrong(path, f"{name} is not in Penstock yet", self._not_yet[name])
        else:
            edges = ("$source", "$emit", "$externalFunction", "$https", "$throttle")
            hint = nearest(name, [*self._stages, *edges])
            self.wrong(path, f"unknown stage {name}", hint and f"did you mean {hint}?")
        return None

    def stages(self, spec: Any, path: str, allowed: frozenset[str]) -> tuple[StageSpec, ...]:
        """An inner pipeline of these stages only."""
        found: list[StageSpec | None] = []
        for name, inner, place in self.entries(spec, path):
            if name in allowed:
                found.append(self.stage(name, inner, place))
            else:
                self.wrong(place, f"{name} cannot stand here", f"one of {', '.join(sorted(allowed))}")
        return tuple(stage for stage in found if stage is not None)


class Fields:
    """A specification read field by field. What nobody asked for is an unknown field; `done` says so."""

    def __init__(self, checker: Checker, spec: Any, path: str, what: str) -> None:
        """`what` is the stage's name, as `$emit`."""
        self.checker, self.path, self._what = checker, path, what
        self._left: dict[str, Any] = dict(spec) if isinstance(spec, Mapping) else {}
        self._known: list[str] = []
        self.is_document = isinstance(spec, Mapping)
        if not self.is_document:
            checker.wrong(path, describe(spec), f"a document of the fields of {what}")

    def at(self, name: str) -> str:
        """The place of a field."""
        return f"{self.path}.{name}"

    def has(self, name: str) -> bool:
        """Whether the field is there and not read yet."""
        return name in self._left

    def take(self, name: str, default: Any = None) -> Any:
        """The field as it stands."""
        self._known.append(name)
        return self._left.pop(name, default)

    def text(self, name: str, *, required: bool = False) -> str | None:
        """A text that is not empty, None where the field is not there."""
        there = self.has(name)
        found = self.take(name)
        if found.__class__ is str and found:
            return found
        if there:
            self.checker.wrong(self.at(name), describe(found), "a text that is not empty")
        elif required and self.is_document:
            self.checker.wrong(self.path, f"the field {name!r} is missing", f"{self._what} needs it")
        return None

    def choice(self, name: str, choices: Mapping[str, Choice], default: Choice) -> Choice:
        """One of several words; each stands for a value."""
        if not self.has(name):
            self._known.append(name)
            return default
        found = self.take(name)
        if found.__class__ is str and found in choices:
            return choices[found]
        self.checker.wrong(self.at(name), describe(found), f"one of {', '.join(choices)}")
        return default

    def whole(self, name: str, default: int, least: int, most: int) -> int:
        """A whole number within bounds."""
        found = self.take(name, default)
        if isinstance(found, int) and not isinstance(found, bool) and least <= found <= most:
            return int(found)
        self.checker.wrong(self.at(name), describe(found), f"a whole number from {least} to {most}")
        return default

    def seconds(self, name: str, default: float, most: float) -> float:
        """A duration in seconds: `"5s"`, `"200ms"`, `"2m"` or `{size: 5, unit: "second"}`; above 0."""
        if not self.has(name):
            self._known.append(name)
            return default
        given = self.take(name)
        found = _duration(given)
        if found is not None and 0 < found <= most:
            return found
        forms = '"200ms", "5s", "2m" or {size: 5, unit: "second"}'
        expected = f"a duration above 0 and at most {most:g} s, as {forms}"
        self.checker.wrong(self.at(name), describe(given), expected)
        return default

    def inner(self, name: str) -> Fields | None:
        """A document within, read in the same way."""
        if not self.has(name):
            self._known.append(name)
            return None
        return Fields(self.checker, self.take(name), self.at(name), f"{self._what}.{name}")

    def expression(self, name: str) -> Node | None:
        """An expression, None where the field is not there."""
        if not self.has(name):
            self._known.append(name)
            return None
        return self.checker.expression(self.take(name), self.at(name))

    def refuse(self, names: Mapping[str, str]) -> None:
        """Fields that Penstock knows and does not have yet; each with what to do instead."""
        for name, instead in names.items():
            if name in self._left:
                self._left.pop(name)
                self.checker.wrong(self.at(name), f"{name!r} is not in Penstock yet", instead)

    def done(self) -> None:
        """Whatever was not read is unknown."""
        for name in self._left:
            hint = nearest(str(name), self._known)
            known = f"did you mean {hint!r}?" if hint else f"known are {', '.join(self._known)}"
            self.checker.wrong(self.at(str(name)), f"{self._what} has no field {name!r}", known)


def _duration(given: Any) -> float | None:
    if given.__class__ is str:
        found = _DURATION.fullmatch(given.strip())
        return float(found[1]) * _UNITS[found[2]] if found else None
    if isinstance(given, Mapping) and given.keys() == {"size", "unit"}:
        size, unit = given["size"], given["unit"]
        is_number = isinstance(size, int | float) and not isinstance(size, bool)
        if is_number and unit.__class__ is str and unit in _LONG_UNITS:
            return float(size) * _LONG_UNITS[unit]
    return None
