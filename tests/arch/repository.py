"""Rules about files that are no code: the lock, links, hosts and machine paths, what is installed."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Iterator, Mapping
from pathlib import PurePosixPath

# Written in pieces, so that this file does not complain about itself.
REGISTRY_HOSTS = re.compile(
    "|".join(
        (
            r"pypi\." + "org",
            "python" + r"hosted\.org",
            r"repo1?\.maven",
            "maven" + r"\.org",
            r"registry\.npm" + "js",
            r"registry\.yarn" + "pkg",
            "proxy" + r"\.golang",
            "artifact" + "ory",
            "--index" + "-url",
            "extra-index" + "-url",
            "find" + "-links",
        )
    )
)
MACHINE_PATHS = re.compile(r"(?<![\w./~$}*-])/(?:work|root|home|Users|tmp|private|mnt)/[\w.-]")

LINK = re.compile(r"\[[^\]]*\]\(([^)\s]+)\)")
NAMED = re.compile(
    r"(?<![\w./])(?:(?:workers|tests|benchmarks|docs)/[\w/-]+\.(?:py|md|yaml|js)|topics/[\w/-]+\.py)\b"
)
# `topics/orders.yaml` is a file of an app folder, not one of ours.
QUOTED = re.compile(r"`([\w./-]+)`")


def hosts_and_paths(path: str, text: str) -> Iterator[str]:
    """Where a file names a package registry or a place on somebody's machine."""
    for number, line in enumerate(text.splitlines(), 1):
        for pattern, what in (
            (REGISTRY_HOSTS, "a package registry"),
            (MACHINE_PATHS, "a path of one machine"),
        ):
            if found := pattern.search(line):
                yield f"{path}:{number}: {what}: {found[0]}"


def unlocked(lock: str) -> Iterator[str]:
    """Requirements without a version or a hash, and whatever else has no place in a lock."""
    for block in re.split(
        r"\n(?=\S)", "\n".join(line for line in lock.splitlines() if not line.lstrip().startswith("#"))
    ):
        entry = block.replace("\\\n", " ").strip()
        if not entry:
            continue
        if entry.startswith("-") or "://" in entry:
            yield f"no requirement: {entry.split()[0]}"
            continue
        pinned = re.match(
            r"[a-z0-9][a-z0-9._-]*(\[[a-z0-9,._-]+\])?==[^\s;]+(\s*;[^\\]+?)?(\s+--hash=sha256:[0-9a-f]{64})+$",
            entry,
        )
        if pinned is None:
            yield f"not pinned with hashes: {entry.split()[0]}"


def locked_names(lock: str) -> set[str]:
    """The distributions that a lock pins."""
    return {
        found[1] for found in re.finditer(r"^([a-z0-9][a-z0-9._-]*)(?:\[[^\]]*\])?==", lock, re.MULTILINE)
    }


def required_names(requirements: Iterable[str]) -> set[str]:
    """The distributions that `name[extra]>=1; marker` requirements name, normalised as PyPA says."""
    names = (re.split(r"[\s<>=!~;\[]", requirement, maxsplit=1)[0] for requirement in requirements)
    return {re.sub(r"[-_.]+", "-", name).lower() for name in names}


def unused(
    dependencies: Iterable[str], modules: Mapping[str, Collection[str]], imported: Collection[str]
) -> Iterator[str]:
    """Dependencies of which nothing is imported. `modules`: distribution -> the modules that it installs."""
    for name in sorted(required_names(dependencies)):
        if not set(modules.get(name, ())) & set(imported):
            yield f"{name} is a dependency, and nothing of it is imported"


def dead_links(path: str, text: str, exists: Collection[str]) -> Iterator[str]:
    """Links and quoted paths of a page that lead nowhere. `exists`: all tracked files and their folders.

    A quoted path is looked at when it starts with a folder of the root that is tracked and has a file
    name's ending.
    """
    folder = PurePosixPath(path).parent
    roots = {known.split("/")[0] for known in exists if "/" in known}
    for target in LINK.findall(text):
        if not re.match(r"[a-z]+:|#", target):
            wanted = str(_joined(folder, target.split("#")[0]))
            if wanted not in exists:
                yield f"{path}: the link to {target} leads nowhere"
    for quoted in QUOTED.findall(text):
        is_ours = quoted.split("/")[0] in roots and not re.fullmatch(r"topics/[^/]+\.(yaml|json)", quoted)
        if is_ours and "/" in quoted and PurePosixPath(quoted).suffix and quoted not in exists:
            yield f"{path}: there is no {quoted}"


def dead_paths(path: str, source: str, exists: Collection[str]) -> Iterator[str]:
    """Files that a comment or docstring of the code sends its reader to, and that are not there."""
    for number, line in enumerate(source.splitlines(), 1):
        for found in NAMED.findall(line):
            if found not in exists:
                yield f"{path}:{number}: there is no {found}"


def _joined(folder: PurePosixPath, target: str) -> PurePosixPath:
    parts: list[str] = []
    for part in (folder / target).parts:
        if part == "..":
            parts = parts[:-1]
        elif part != ".":
            parts.append(part)
    return PurePosixPath(*parts)
