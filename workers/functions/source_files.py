"""The source files of an app's functions: where they are, and whether they can hold a function at all."""

from __future__ import annotations

import ast
import os
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Final, Literal

from workers.errors import Problem
from workers.functions.names import NAME_RULE, is_name

Language = Literal["javascript", "python"]
LANGUAGES: Final[Mapping[str, Language]] = {".js": "javascript", ".py": "python"}
MAX_FUNCTIONS: Final = 5_000
"""A folder with more is not a folder of functions (node_modules, a checkout)."""
MAX_SOURCE_BYTES: Final = 4 << 20

_HANDLERS: Final = ("handler", "lambda_handler")
_COMMENTS_AND_TEXTS: Final = re.compile(
    r"""//[^\n]*|/\*.*?\*/|"(?:[^"\\\n]|\\.)*"|'(?:[^'\\\n]|\\.)*'|`(?:[^`\\]|\\.)*`""", re.DOTALL
)
_WHOLE_LINES: Final = re.compile(r"^\s*(?://[^\n]*|/\*.*?\*/)", re.DOTALL | re.MULTILINE)
_EXPORTS: Final = re.compile(r"\bexports\b")


def sources(root: Path) -> Iterator[Path]:
    """Source files below `root` in a fixed order. Not looked at: names that start with `_` or `.`, other
    endings, node_modules, and linked folders, which may lead anywhere or in circles."""
    for folder, folders, files in os.walk(root):
        folders[:] = sorted(one for one in folders if one[0] not in "._" and one != "node_modules")
        for one in sorted(files):
            if one[0] not in "._" and Path(one).suffix in LANGUAGES:
                yield Path(folder, one)


def problem(root: Path, path: Path, file: str, name: str) -> Problem | None:
    """What is wrong with one source file, or None."""
    if not is_name(name):
        return Problem(file, "", f"{name!r} is no function name", NAME_RULE)
    if not path.is_file():
        return Problem(file, "", "is no readable file", "a JavaScript or Python source file")
    if not path.resolve().is_relative_to(root.resolve()):
        return Problem(file, "", "is a link that leads out of functions/", "copy the file here")
    try:
        data = path.read_bytes() if path.stat().st_size <= MAX_SOURCE_BYTES else None
    except OSError:
        return Problem(file, "", "may not be read", "give the function host's user the right to read it")
    if data is None:
        return Problem(file, "", f"is larger than {MAX_SOURCE_BYTES:,} bytes")
    text = data.decode("utf-8", "replace")
    return _without_handler(file, text) if path.suffix == ".py" else _without_exports(file, text)


def _without_exports(file: str, text: str) -> Problem | None:
    """A script that never names `exports` outside of comments cannot export anything. Both ways of leaving
    those out must agree: a regular expression or a text may look like the start of one."""
    if _EXPORTS.search(_COMMENTS_AND_TEXTS.sub(" ", text)) or _EXPORTS.search(_WHOLE_LINES.sub(" ", text)):
        return None
    return Problem(file, "", "exports no function", "exports = function (...) { ... };")


def _without_handler(file: str, text: str) -> Problem | None:
    """A module that parses and never binds `handler` has none. What does not parse says so at its start, in
    the words of its own interpreter."""
    try:
        tree = ast.parse(text)
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return None
    for node in ast.walk(tree):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef) and node.name in _HANDLERS:
            return None
        if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store) and node.id in _HANDLERS:
            return None
        if isinstance(node, ast.alias) and (node.asname or node.name) in (*_HANDLERS, "*"):
            return None
        if (
            isinstance(node, ast.Call)
            and isinstance(node.func, ast.Name)
            and node.func.id in ("globals", "exec")
        ):
            return None
    return Problem(file, "", "exports no function", "def handler(event, context): ...")
