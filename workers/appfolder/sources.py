"""Reads the files of an app folder: which there are, and what their text says."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from workers.appfolder.json_text import parse_json
from workers.appfolder.limits import MAX_FILE_BYTES, MAX_FILES, BadText
from workers.appfolder.mongosh import parse_mongosh
from workers.appfolder.yaml_text import parse_yaml
from workers.errors import Problem

FORMATS: Final[Mapping[str, Callable[[str], Any]]] = {
    ".yaml": parse_yaml, ".yml": parse_yaml, ".json": parse_json,
    ".js": parse_mongosh, ".json5": parse_mongosh,
}  # fmt: skip
DATA_FORMATS: Final = (".yaml", ".yml", ".json")
"""For files that are no pipelines."""


@dataclass(slots=True)
class Sources:
    """The files of one app folder. Everything wrong with them is collected in `problems`."""

    folder: Path
    problems: list[Problem] = field(default_factory=list)

    def files(self, kind: str, endings: tuple[str, ...]) -> Iterator[Path]:
        """The files of `<folder>/<kind>`, sorted. Names with a leading dot and README files are passed over;
        other endings and folders are problems."""
        root = self.folder / kind
        if not root.exists():
            return
        if not root.is_dir():
            self.refuse(kind, "", "is no folder", f"a folder of {kind}")
            return
        found = sorted(entry for entry in root.iterdir() if not _is_passed_over(entry.name))
        if len(found) > MAX_FILES:
            self.refuse(kind, "", f"{len(found)} files", f"at most {MAX_FILES}")
            return
        for path in found:
            if path.is_dir() or path.suffix not in endings:
                what = "is a folder" if path.is_dir() else f"has the ending {path.suffix or 'of no format'}"
                self.refuse(self.relative(path), "", what, f"files that end in {' '.join(endings)}")
            else:
                yield path

    def read(self, path: Path) -> tuple[Any, bool]:
        """(what the file says, whether it could be read). What is wrong with it is among the problems."""
        file = self.relative(path)
        try:
            text = read_text(path)
            return FORMATS[path.suffix](text), True
        except BadText as error:
            self.refuse(
                file, error.place, error.found, f"expected {error.expected}" if error.expected else ""
            )
        return None, False

    def relative(self, path: Path) -> str:
        """The path as problems name it."""
        return path.relative_to(self.folder).as_posix()

    def refuse(self, file: str, path: str, found: str, expected: str = "") -> None:
        """Note a problem."""
        self.problems.append(Problem(file, path, found, expected))


def read_text(path: Path, limit: int = MAX_FILE_BYTES) -> str:
    """The text of a file without a byte order mark. Raises BadText: unreadable, too large, not UTF-8."""
    try:
        # Non-blocking: a named pipe in the folder must not stop the start.
        with open(os.open(path, os.O_RDONLY | os.O_NONBLOCK), "rb") as handle:
            data = handle.read(limit + 1)
    except OSError as error:
        raise BadText(f"cannot be read ({error.strerror})", "a file that this user may read") from None
    if len(data) > limit:
        raise BadText(f"is larger than {limit} bytes", "a smaller file")
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        column = error.start - data.rfind(b"\n", 0, error.start)
        raise BadText(f"a byte 0x{data[error.start]:02x} that is no UTF-8", "text saved as UTF-8",
                      line=line, column=column) from None  # fmt: skip


def _is_passed_over(name: str) -> bool:
    return name.startswith(".") or name.upper().startswith("README")
