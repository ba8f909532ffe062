"""Bounds of what is read from an app folder, and the error of its text formats."""

from __future__ import annotations

from typing import Final

MAX_FILE_BYTES: Final = 1024 * 1024
"""A pipeline of 50 stages measures some 20 KB; a larger file is data in the wrong folder."""

MAX_DEPTH: Final = 100
"""Levels of documents and arrays, the outermost included: the server's limit for a document."""

MAX_NODES: Final = 200_000
"""Values in a file after its anchors and variables were put in. 1 MiB of text holds fewer without them; nine
lines of nested anchors would name a billion."""

MAX_FILES: Final = 1_000
"""Files of one kind (processors, topics) in an app folder."""


class BadText(ValueError):
    """The text is not in its format. Lines and columns count from 1; 0 means that the place is not known."""

    def __init__(self, found: str, expected: str = "", *, line: int = 0, column: int = 0) -> None:
        super().__init__(found)
        self.found, self.expected, self.line, self.column = found, expected, line, column

    @property
    def place(self) -> str:
        """`line 3, column 5`, or empty."""
        return f"line {self.line}, column {self.column}" if self.line else ""
