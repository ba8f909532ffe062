"""Reads an app folder whole, or refuses it whole with every problem of every file."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Final

from topics.contract import ContractInvalid, TopicContract, parse_contract
from workers.appfolder.app import App
from workers.appfolder.connections import load_connections
from workers.appfolder.processors import load_processors
from workers.appfolder.sources import DATA_FORMATS, Sources
from workers.errors import Invalid, Problem
from workers.pipeline.nearest import nearest

_PARTS: Final = frozenset({"connections.yaml", "processors", "functions", "rules", "topics", "schemas"})


def load_app(folder: Path, env: Mapping[str, str]) -> App:
    """The app in `folder`. `env` is what `${NAME}` in connections.yaml means.

    Reads files, starts nothing. Raises Invalid with all problems of all files.
    """
    sources = Sources(folder)
    if not folder.is_dir():
        raise Invalid([Problem(str(folder), "", "is no folder", "the path of an app folder")])
    _check_parts(sources)
    connections = load_connections(sources, env)
    processors, warnings = load_processors(sources, connections, env)
    contracts = load_contracts(sources)
    if sources.problems:
        raise Invalid(_sorted(sources.problems))
    return App(folder, connections.found, tuple(processors), contracts, folder / "functions", tuple(warnings))


def load_contracts(sources: Sources) -> dict[str, TopicContract]:
    """The contracts of `topics/`; problems go to `sources`."""
    contracts: dict[str, TopicContract] = {}
    for path in sources.files("topics", DATA_FORMATS):
        file = sources.relative(path)
        value, is_read = sources.read(path)
        if not is_read:
            continue
        try:
            contract = parse_contract(value, file)
        except ContractInvalid as error:
            sources.problems += [Problem(file, one.path, one.found, one.expected) for one in error.problems]
            continue
        if contract.name in contracts:
            sources.refuse(file, "", f"a second contract of {contract.name}", "one file for each topic")
        schema = contract.schema_file
        if schema is not None and not _is_inside(sources.folder, schema):
            sources.refuse(
                file, "schema", f"{schema} is no file of the app folder", "a path from the app folder"
            )
        contracts[contract.name] = contract
    return contracts


def _check_parts(sources: Sources) -> None:
    """Rules are refused until there are any; a misspelt folder is not passed over in silence."""
    rules = sources.folder / "rules"
    if rules.is_dir() and any(not entry.name.startswith(".") for entry in rules.iterdir()):
        sources.refuse("rules", "", "rules are not in Penstock yet", "leave the folder out")
    for entry in sorted(sources.folder.iterdir()):
        if entry.name not in _PARTS and entry.suffix not in (".yml", ".json") and entry.is_dir():
            if meant := nearest(entry.name, _PARTS):
                sources.refuse(entry.name, "", "is no part of an app folder", f"did you mean {meant}?")


def _is_inside(folder: Path, name: str) -> bool:
    path = (folder / name).resolve()
    return path.is_relative_to(folder.resolve()) and path.is_file()


def _sorted(problems: list[Problem]) -> list[Problem]:
    """By file, in the order in which they were found there; the same one only once."""
    return sorted(dict.fromkeys(problems), key=lambda problem: problem.file)
