"""`${NAME}` of the environment and secrets from files, in what connections.yaml says."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from workers.appfolder.limits import BadText
from workers.appfolder.sources import read_text
from workers.errors import Problem

# A key of 4,096 bits with its certificates measures some 20 KB.
MAX_SECRET_BYTES: Final = 64 * 1024

_REFERENCE: Final = re.compile(r"\$(?:\$\{|\{(?:file:(?P<file>[^}]*)|(?P<body>[^}]*))(?P<end>\}?))")
_VARIABLE: Final = re.compile(r"([A-Za-z_][A-Za-z0-9_]*)(?::-(.*))?", re.DOTALL)
_RULE: Final = "${NAME}, ${NAME:-default}, ${file:/path}; $${ for a plain ${"


@dataclass(slots=True)
class Substitution:
    """Replaces references. `given` holds the paths whose value came from elsewhere: they are never shown;
    `files` the files that were read, as they were named."""

    env: Mapping[str, str]
    folder: Path
    file: str
    problems: list[Problem] = field(default_factory=list)
    given: set[str] = field(default_factory=set)
    files: set[Path] = field(default_factory=set)

    def apply(self, value: Any, path: str = "") -> Any:
        """A copy of `value` with every reference in its texts replaced.

        `{file: path}` as a whole value is the content of that file, as `${file:path}` within a text is. The
        last line end of a file is left out; relative paths begin at the app folder.
        """
        if isinstance(value, dict):
            if value.keys() == {"file"} and isinstance(value["file"], str):
                self.given.add(path)
                return self._file(str(self.apply(value["file"], f"{path}.file")), path)
            return {key: self.apply(child, f"{path}.{key}" if path else key) for key, child in value.items()}
        if isinstance(value, list):
            return [self.apply(child, f"{path}[{at}]") for at, child in enumerate(value)]
        if isinstance(value, str) and "$" in value:
            return self._text(value, path)
        return value

    def _text(self, text: str, path: str) -> str:
        def replaced(found: re.Match[str]) -> str:
            if found[0] == "$${":
                return "${"
            if not found["end"]:
                self._refuse(path, "${ without its }", _RULE)
                return ""
            self.given.add(path)
            if found["file"] is not None:
                return self._file(found["file"], path)
            return self._variable(found["body"], path)

        return _REFERENCE.sub(replaced, text)

    def _variable(self, body: str, path: str) -> str:
        found = _VARIABLE.fullmatch(body)
        if found is None:
            self._refuse(path, f"${{{body[:40]}}}", f"expected {_RULE}")
            return ""
        name, default = found.groups()
        # As in a shell: with `:-` an empty variable counts as unset.
        value = self.env.get(name)
        if default is not None:
            return value or default
        if value is None:
            self._refuse(
                path, f"the environment variable {name} is not set", f"set it, or write ${{{name}:-default}}"
            )
            return ""
        return value

    def _file(self, name: str, path: str) -> str:
        if not name:
            self._refuse(path, "a file without a name", "the path of a file")
            return ""
        self.files.add(self.folder / name)
        try:
            text = read_text(self.folder / name, MAX_SECRET_BYTES).removesuffix("\n").removesuffix("\r")
        except BadText as error:
            self._refuse(path, f"the file {name} {error.found}", error.expected)
            return ""
        if not text:
            self._refuse(path, f"the file {name} is empty", "a file with the secret in it")
        return text

    def _refuse(self, path: str, found: str, expected: str) -> None:
        self.problems.append(Problem(self.file, path, found, expected))
