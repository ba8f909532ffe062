"""Pipelines as they are pasted from the MongoDB shell (.js) or written as JSON5 (.json5). Pure, no code runs.

Read are: a list of stages, stages one after another, a document `{name, pipeline, options}`, and

    let source = { $source: { connectionName: "kafka", topic: "orders" } }   // variables, before their use
    sp.createStreamProcessor("orders", [source, ...], { dlq: {...} });

Numbers mean what they mean in the shell: whole ones of 32 bits are integers, all others doubles.
"""

from __future__ import annotations

import re
from typing import Any, Final, NoReturn

from workers.appfolder.limits import MAX_DEPTH, MAX_NODES, BadText
from workers.appfolder.mongosh_tokens import Token, bad, tokens
from workers.appfolder.mongosh_types import CONSTRUCTORS, regex
from workers.appfolder.nearest import suggest
from workers.pipeline.nearest import nearest

_CONSTANTS: Final[dict[str, Any]] = {
    "true": True, "false": False, "null": None, "NaN": float("nan"), "Infinity": float("inf"),
}  # fmt: skip
_DECLARATIONS: Final = frozenset({"const", "let", "var"})
_CALLS: Final = ("createStreamProcessor", "process")
# JavaScript counts exactly up to here; above, digits are lost without a word.
_EXACT: Final = 2**53
_BASES: Final = {"0x": 16, "0o": 8, "0b": 2}


def parse_mongosh(text: str) -> Any:
    """The processor or pipeline in the text: a document, or a list of stages. None for an empty text.

    Raises BadText with line, column and what was expected.
    """
    return _Parser(text).program()


def describe(token: Token) -> str:
    """What was found, in words."""
    if token.kind == "end":
        return "the end of the text"
    shown = token.text if len(token.text) <= 40 else token.text[:37] + "..."
    return shown if token.kind == "text" else f"'{shown}'"


class _Parser:
    """Recursive descent over all tokens. `_depth` bounds it, `_nodes` what variables can multiply."""

    def __init__(self, text: str) -> None:
        self._text = text
        self._tokens = list(tokens(text))
        self._at = 0
        self._nodes = 0
        self._depth = 0
        self._variables: dict[str, tuple[Any, int]] = {}

    def program(self) -> Any:
        """All statements; the last one that stands for a processor is the answer."""
        bare: list[Any] = []
        created: dict[str, Any] | None = None
        assigned: Any = None
        while not self._is("end"):
            if self._takes(";"):
                continue
            if self._begins_assignment():
                assigned = self._assignment()
            elif self._is("name", "sp"):
                if created is not None or bare:
                    self._fail("a second processor", "one processor in each file")
                created = self._call_of_sp()
            else:
                if created is not None:
                    self._fail(describe(self._peek()), "nothing after sp.createStreamProcessor(...)")
                bare.append(self._value())
                if not self._takes(",") and not self._is("end") and not self._is("punctuation", ";"):
                    self._fail(describe(self._peek()), "a comma between stages, or the end of the text")
        if created is not None:
            return created
        if not bare:
            return assigned
        return _as_processor(bare)

    def _begins_assignment(self) -> bool:
        token, following = self._peek(), self._tokens[min(self._at + 1, len(self._tokens) - 1)]
        if token.kind != "name":
            return False
        return token.text in _DECLARATIONS or (following.kind == "punctuation" and following.text == "=")

    def _assignment(self) -> Any:
        if self._peek().text in _DECLARATIONS:
            self._next()
        name = self._peek()
        if name.kind != "name" or name.text in _CONSTANTS or name.text in CONSTRUCTORS:
            self._fail(describe(name), "the name of a variable")
        self._next()
        self._expect("=", f"after {name.text}")
        before = self._nodes
        value = self._value()
        self._variables[name.text] = (value, self._nodes - before)
        return value

    def _call_of_sp(self) -> dict[str, Any]:
        self._next()
        self._expect(".", "after sp")
        method = self._peek()
        if method.text not in _CALLS:
            self._fail(
                f"sp.{method.text}", "sp.createStreamProcessor(name, pipeline, options) and nothing else"
            )
        self._next()
        self._expect("(", f"after sp.{method.text}")
        arguments = self._list(")", "argument")
        names = (
            ("name", "pipeline", "options")
            if method.text == "createStreamProcessor"
            else ("pipeline", "options")
        )
        if not len(names) - 1 <= len(arguments) <= len(names):
            raise bad(
                self._text, method.position, f"{len(arguments)} arguments of sp.{method.text}",
                f"sp.{method.text}({', '.join(names)})",
            )  # fmt: skip
        return dict(zip(names, arguments, strict=False))

    def _value(self) -> Any:
        """One value, and nothing computed behind it."""
        self._nodes += 1
        self._bounded()
        value = self._operand()
        token = self._peek()
        if token.kind == "punctuation" and token.text in (
            "+",
            "-",
            "*",
            "%",
            ".",
            "?",
            "=>",
            "(",
            "<",
            ">",
            "&",
            "|",
        ):
            self._fail(describe(token), "a finished value: nothing is computed when the file is read")
        if token.kind == "regex":
            self._fail("a division", "a finished value: nothing is computed when the file is read")
        return value

    def _operand(self) -> Any:
        token = self._next()
        match token.kind:
            case "text":
                return token.value
            case "number":
                return self._number(token, 1)
            case "regex":
                return self._made(token, regex, (token.value, token.flags), "the regular expression")
            case "name":
                return self._named(token)
        if token.text == "{":
            return self._nested(self._document)
        if token.text == "[":
            return self._nested(lambda: self._list("]", "element"))
        if token.text in ("-", "+"):
            return self._signed(token)
        if token.text == "...":
            self._fail_at(token, "the spread ...", "the elements written out")
        self._fail_at(token, describe(token), "a value")

    def _nested(self, read: Any) -> Any:
        self._depth += 1
        if self._depth > MAX_DEPTH:
            self._fail_at(
                self._tokens[self._at - 1], f"nested more than {MAX_DEPTH} levels deep", "fewer levels"
            )
        value = read()
        self._depth -= 1
        return value

    def _document(self) -> dict[str, Any]:
        found: dict[str, Any] = {}
        while not self._takes("}"):
            token = self._next()
            key = self._key(token)
            if key in found:
                self._fail_at(token, f"the key {key!r} a second time", "each key once")
            if not self._is("punctuation", ":"):
                self._fail(describe(self._peek()), f"a colon after the key {key}")
            self._next()
            found[key] = self._value()
            if not self._takes(",") and not self._is("punctuation", "}"):
                self._fail(describe(self._peek()), f"a comma or }} after the value of {key}")
        return found

    def _key(self, token: Token) -> str:
        if token.kind == "text":
            return token.value
        if token.kind == "name":
            return token.text
        if token.kind == "number" and token.text.isdigit():
            return str(int(token.text))
        if token.text == "[":
            self._fail_at(token, "a computed key", "a key that is a name or a text")
        if token.text == "...":
            self._fail_at(token, "the spread ...", "the fields written out")
        self._fail_at(token, describe(token), "a key, or }")

    def _list(self, end: str, what: str) -> list[Any]:
        found: list[Any] = []
        while not self._takes(end):
            if self._is("punctuation", ","):
                self._fail(describe(self._peek()), f"an {what}: JavaScript would put a hole here")
            found.append(self._value())
            if not self._takes(",") and not self._is("punctuation", end):
                self._fail(describe(self._peek()), f"a comma or {end} after an {what}")
        return found

    def _named(self, token: Token) -> Any:
        name = token.text
        if name == "new":
            token = self._next()
            return self._constructed(token, is_new=True)
        if name in _CONSTANTS:
            return _CONSTANTS[name]
        if name in ("function", "async"):
            self._fail_at(token, "a function", "a value; code belongs into functions/")
        if self._is("punctuation", "("):
            return self._constructed(token, is_new=False)
        if name in self._variables:
            value, size = self._variables[name]
            self._nodes += size
            self._bounded()
            return value
        if name in ("MinKey", "MaxKey"):
            return CONSTRUCTORS[name]()
        if name == "undefined":
            self._fail_at(token, "undefined", "null, or the field left out")
        if name in CONSTRUCTORS:
            self._fail_at(token, f"{name} alone", f"{name}(...) with its arguments")
        meant = nearest(name, [*self._variables, *_CONSTANTS, *CONSTRUCTORS])
        expected = f"did you mean {meant}?" if meant else "a value, or a text in quotes"
        self._fail_at(token, f"the name {name}, unknown here", expected)

    def _constructed(self, token: Token, *, is_new: bool) -> Any:
        name = token.text
        if token.kind != "name" or name not in CONSTRUCTORS:
            self._fail_at(token, f"a call of {describe(token)}", suggest(name, CONSTRUCTORS))
        if name == "Date" and not is_new:
            self._fail_at(token, "Date(...) without new, which is a text", "new Date(...) or ISODate(...)")
        arguments: list[Any] = []
        if self._takes("("):
            arguments = self._nested(lambda: self._list(")", "argument"))
        return self._made(token, CONSTRUCTORS[name], tuple(arguments), name)

    def _made(self, token: Token, make: Any, arguments: tuple[Any, ...], what: str) -> Any:
        try:
            return make(*arguments)
        except ValueError as error:
            self._fail_at(token, f"{what} that cannot be made", str(error))

    def _signed(self, sign: Token) -> Any:
        token = self._next()
        factor = -1 if sign.text == "-" else 1
        if token.kind == "number":
            return self._number(token, factor)
        if token.kind == "name" and token.text in ("Infinity", "NaN"):
            return factor * _CONSTANTS[token.text]
        self._fail_at(token, describe(token), f"a number after {sign.text}")

    def _number(self, token: Token, factor: int) -> int | float:
        """As js-bson writes a number of JavaScript: whole and of 32 bits is an int, else a double."""
        text = token.text.replace("_", "").lower()
        following = self._peek()
        is_glued = following.kind == "name" and following.position == token.position + len(token.text)
        if is_glued or re.search(r"^_|__|_$|_[.eEn]|\._", token.text) or re.match(r"0\d", text):
            self._fail_at(
                token, f"the number {token.text}{following.text if is_glued else ''}", "a decimal number"
            )
        if text.endswith("n"):
            self._fail_at(token, f"the BigInt {token.text}", f'NumberLong("{text[:-1]}")')
        base = _BASES.get(text[:2])
        value = (
            float(int(text[2:], base))
            if base and len(text) < 300
            else float(text)
            if not base
            else float("inf")
        )
        if value == float("inf"):
            self._fail_at(token, f"the number {describe(token)}", "a number that a double can hold")
        if text.isdigit() and int(text) > _EXACT:
            self._fail_at(token, f"the number {describe(token)}, which JavaScript would round",
                          'NumberLong("...") or NumberDecimal("...")')  # fmt: skip
        signed = factor * value
        return (
            int(signed)
            if signed.is_integer() and -(2**31) <= signed < 2**31 and (signed or factor > 0)
            else signed
        )

    def _peek(self) -> Token:
        return self._tokens[self._at]

    def _next(self) -> Token:
        token = self._tokens[self._at]
        if token.kind != "end":
            self._at += 1
        return token

    def _is(self, kind: str, text: str | None = None) -> bool:
        token = self._tokens[self._at]
        return token.kind == kind and (text is None or token.text == text)

    def _takes(self, text: str) -> bool:
        """Step over this punctuation, if it is next."""
        if self._is("punctuation", text):
            self._at += 1
            return True
        return False

    def _expect(self, text: str, where: str) -> None:
        if not self._takes(text):
            self._fail(describe(self._peek()), f"{text} {where}")

    def _bounded(self) -> None:
        if self._nodes > MAX_NODES:
            self._fail(f"more than {MAX_NODES:,} values, variables counted in full", "a smaller file")

    def _fail(self, found: str, expected: str) -> NoReturn:
        self._fail_at(self._peek(), found, expected)

    def _fail_at(self, token: Token, found: str, expected: str) -> NoReturn:
        raise bad(self._text, token.position, found, expected)


def _as_processor(bare: list[Any]) -> Any:
    """A lone list or document is what it is; a lone stage, or stages one after another, are a pipeline."""
    if len(bare) == 1:
        (only,) = bare
        is_stage = isinstance(only, dict) and any(key.startswith("$") for key in only)
        return [only] if is_stage else only
    for stage in bare:
        if not isinstance(stage, dict):
            raise BadText("several values that are not all stages", "a list of stages, or one document")
    return bare
