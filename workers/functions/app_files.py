"""Reading the files that an App Services export has, and references to the environment or a file in them."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

from workers.appfolder.json_text import parse_json
from workers.appfolder.limits import MAX_FILE_BYTES, BadText
from workers.appfolder.yaml_text import parse_yaml
from workers.errors import Problem

MAX_SECRET_BYTES: Final = 65_536
VARIABLE_PREFIX: Final = "PENSTOCK_SECRET_"
FOLDER_VARIABLE: Final = "PENSTOCK_SECRETS"

_REFERENCE: Final = re.compile(r"\$\{(?:file:(?P<file>[^}]+)|(?P<name>\w+)(?::-(?P<default>[^}]*))?)\}")
_SECRET_NAME: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{0,63}")


class Unreadable(Exception):
    """The file, text or reference is not what it should be. `problem` says where and what."""

    def __init__(self, problem: Problem) -> None:
        super().__init__(str(problem))
        self.problem = problem


def read_json(app_dir: Path, file: str) -> Any:
    """The JSON of `app_dir/file`. Raises Unreadable; FileNotFoundError when there is none."""
    return _parse(parse_json, app_dir, file)


def read_yaml(app_dir: Path, file: str) -> Any:
    """The same of YAML."""
    return _parse(parse_yaml, app_dir, file)


def _parse(parse: Any, app_dir: Path, file: str) -> Any:
    text = read_text(app_dir / file, file, MAX_FILE_BYTES)
    try:
        return parse(text)
    except BadText as problem:
        raise Unreadable(Problem(file, problem.place, problem.found, problem.expected)) from None


def read_text(path: Path, file: str, max_bytes: int) -> str:
    """A file's text. Raises Unreadable naming it `file`; FileNotFoundError when there is none."""
    try:
        with path.open("rb") as opened:
            data = opened.read(max_bytes + 1)
    except FileNotFoundError:
        raise
    except OSError as problem:
        raise Unreadable(Problem(file, "", f"cannot be read: {problem.strerror}")) from None
    if len(data) > max_bytes:
        raise Unreadable(Problem(file, "", f"is larger than {max_bytes:,} bytes"))
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as problem:
        raise Unreadable(Problem(file, "", f"is no UTF-8 text (byte {problem.start})")) from None


def secret(name: str, env: Mapping[str, str], file: str, path: str) -> str:
    """A secret by its name: `PENSTOCK_SECRET_<name>` (with `_` for `-`), or the file `<name>` in the folder
    that `PENSTOCK_SECRETS` names, without its last line end. Raises Unreadable, never with a secret in it."""
    if not _SECRET_NAME.fullmatch(name):
        raise Unreadable(
            Problem(file, path, "is no name of a secret", "letters, digits, _ and - (at most 64)")
        )
    variable = VARIABLE_PREFIX + name.replace("-", "_")
    if variable in env:
        return env[variable]
    folder = env.get(FOLDER_VARIABLE)
    if folder:
        try:
            return _last_line_end_off(read_text(Path(folder) / name, file, MAX_SECRET_BYTES))
        except FileNotFoundError:
            pass
    expected = f"set {variable}, or put the file {name} into the folder that {FOLDER_VARIABLE} names"
    raise Unreadable(Problem(file, path, f"the secret {name!r} is set nowhere", expected))


def resolve(text: str, app_dir: Path, env: Mapping[str, str], file: str, path: str) -> str:
    """`${NAME}`, `${NAME:-default}` and `${file:path}` as a whole text; any other text is itself. Raises
    Unreadable."""
    found = _REFERENCE.fullmatch(text)
    if found is None:
        return text
    if found["file"]:
        try:
            return _last_line_end_off(read_text(app_dir / found["file"], file, MAX_SECRET_BYTES))
        except FileNotFoundError:
            raise Unreadable(Problem(file, path, f"there is no file {found['file']}")) from None
    value = env.get(found["name"])
    if found["default"] is not None:
        return value or str(found["default"])
    if value is None:
        variable = found["name"]
        raise Unreadable(Problem(file, path, f"the environment variable {variable} is not set", "set it"))
    return value


def _last_line_end_off(text: str) -> str:
    return text.removesuffix("\n").removesuffix("\r")
