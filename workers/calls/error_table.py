"""The error table: whose fault each failure of a call is, and what to do about it. Pure.

The data is the file `errors.yaml` beside this module; whoever reads it hands its text over, so that a test
can plant another.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Final, Literal, get_args

from ruamel.yaml import YAML
from ruamel.yaml.error import YAMLError

from workers.errors import Invalid, Problem

Scope = Literal["record", "batch", "function", "account", "worker", "configuration"]
Reaction = Literal["retry", "throttle", "hold", "split", "refresh", "onError", "fail", "accept"]
Then = Literal["retry", "hold", "split", "onError", "fail", "notReady"]
Outcome = Literal["notRun", "unknown", "ran"]
LimiterKind = Literal["functionConcurrency", "accountConcurrency", "functionRate", "callerRate"]
Section = Literal["api", "statuses", "throttles", "denials", "functions", "transport", "penstock"]

FILE: Final = "errors.yaml"
VERSION: Final = 1
SECTIONS: Final[tuple[Section, ...]] = get_args(Section)
OTHER_FUNCTION_ERRORS: Final = "*"
"""The entry of `functions` for types that have none of their own."""

# What an entry must say beside its name, and what it may.
_REQUIRED: Final = ("name", "scope", "reaction", "means", "do")
_CHOICES: Final[Mapping[str, tuple[str, ...]]] = {
    "scope": get_args(Scope),
    "reaction": get_args(Reaction),
    "then": get_args(Then),
    "outcome": get_args(Outcome),
    "limiter": get_args(LimiterKind),
    "atStart": ("refuse",),
}
_TEXTS: Final = ("name", "means", "do", "message")
_FLAGS: Final = ("ceiling", "shrinks", "alarm")
_NUMBERS: Final[Mapping[str, range]] = {"status": range(300, 600), "retries": range(1, 11)}
_KNOWN: Final = (*_CHOICES, *_TEXTS, *_FLAGS, *_NUMBERS)
# Reactions that may not help: the table must say what comes after them.
_NEED_THEN: Final = ("retry", "throttle", "split", "refresh")
# After which nothing comes.
_LAST: Final = ("onError", "fail", "accept")
_STATUS: Final = re.compile("http [1-9][0-9]{2}")
# Statuses that must be there, so that every answer has an entry.
_CATCH_ALL: Final = ("HTTP 3xx", "HTTP 4xx", "HTTP 429", "HTTP 5xx", "HTTP other")
# Statuses whose body says why, and where the reasons stand.
_REASONS: Final[Mapping[int, Section]] = {429: "throttles", 403: "denials"}
_TRANSPORT: Final = (
    "NotSent", "NoCredentials", "TimedOut", "UnknownOutcome", "AnswerTooLarge", "Retryable",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class ErrorEntry:
    """One row of the table; `errors.yaml` says what its fields mean. `retries` None: as many as `retry` of
    the stage allows. `then` None: the reaction is the last one, or a hold that does what `hold.after`
    says."""

    section: Section
    name: str
    scope: Scope
    reaction: Reaction
    means: str
    do: str
    status: int | None = None
    retries: int | None = None
    then: Then | None = None
    outcome: Outcome = "notRun"
    limiter: LimiterKind | None = None
    message: str = ""
    ceiling: bool = False
    shrinks: bool = False
    alarm: bool = False
    is_refused_at_start: bool = False

    @property
    def may_split(self) -> bool:
        """Whether a part of a batch may pass where the whole failed."""
        return "split" in (self.reaction, self.then)

    def as_dict(self) -> dict[str, Any]:
        """The row as it stands in the file, its section and what it leaves out included."""
        return {
            "name": self.name,
            "section": self.section,
            "status": self.status,
            "scope": self.scope,
            "reaction": self.reaction,
            "retries": self.retries,
            "then": self.then,
            "outcome": self.outcome,
            "limiter": self.limiter,
            "message": self.message or None,
            "ceiling": self.ceiling,
            "shrinks": self.shrinks,
            "alarm": self.alarm,
            "atStart": "refuse" if self.is_refused_at_start else None,
            "means": self.means,
            "do": self.do,
        }


class ErrorTable:
    """All rows, and the one for each failure: every failure has one."""

    __slots__ = ("_by_name", "_messages", "entries")

    def __init__(self, entries: Iterable[ErrorEntry]) -> None:
        self.entries = tuple(entries)
        self._by_name = {(one.section, one.name): one for one in self.entries if not one.message}
        self._messages: dict[str, list[ErrorEntry]] = {}
        for one in self.entries:
            if one.message:
                self._messages.setdefault(one.name, []).append(one)

    def api(self, status: int, error_type: str | None = None, reason: str | None = None) -> ErrorEntry:
        """The row of an answer that is no 2xx, by the reason of a throttle or a denial, else its name, else
        its status."""
        by_name = self._by_name
        section = _REASONS.get(status)
        if section is not None and reason is not None and (section, reason) in by_name:
            return by_name[section, reason]
        found = None if error_type is None else by_name.get(("api", error_type))
        return (
            found
            or by_name.get(("statuses", f"HTTP {status}"))
            or by_name.get(("statuses", f"HTTP {status // 100}xx"))
            or by_name["statuses", "HTTP other"]
        )

    def function(self, error_type: str, message: str) -> ErrorEntry:
        """The row of an error that the function itself answered with."""
        for one in self._messages.get(error_type, ()):
            if one.message in message:
                return one
        by_name = self._by_name
        return by_name.get(("functions", error_type)) or by_name["functions", OTHER_FUNCTION_ERRORS]

    def transport(self, kind: str) -> ErrorEntry:
        """The row of a call without a whole answer, by the name of its error class."""
        by_name = self._by_name
        return by_name.get(("transport", kind)) or by_name["transport", "Retryable"]

    def find(self, name: str) -> list[ErrorEntry]:
        """All rows of this name, as a dead letter or a log says it (`Poison(utf8)` is `Poison`); case does
        not count."""
        wanted = name.partition("(")[0].strip().lower()
        found = [one for one in self.entries if one.name.lower() == wanted]
        if not found and _STATUS.fullmatch(wanted):
            return [self.api(int(wanted.split()[1]))]
        return found

    def names(self) -> list[str]:
        """Each name once, in the order of the table."""
        return list(dict.fromkeys(one.name for one in self.entries if one.name != OTHER_FUNCTION_ERRORS))


def parse_table(text: str) -> ErrorTable:
    """The table in the text of `errors.yaml`. Raises Invalid with everything that is wrong with it."""
    try:
        data = YAML(typ="safe", pure=True).load(text)
    except YAMLError as error:
        raise Invalid([Problem(FILE, "", " ".join(str(error).split()), "YAML")]) from None
    problems: list[Problem] = []
    entries = list(_entries(data, problems))
    if not problems:
        problems += _missing(entries)
    if problems:
        raise Invalid(problems)
    return ErrorTable(entries)


def _entries(data: Any, problems: list[Problem]) -> Iterable[ErrorEntry]:
    if not isinstance(data, dict):
        problems.append(Problem(FILE, "", "is no document", f"version, {', '.join(SECTIONS)}"))
        return
    if data.get("version") != VERSION:
        problems.append(Problem(FILE, "version", f"{data.get('version')!r}", str(VERSION)))
    known = ("version", *SECTIONS)
    expected = f"one of {', '.join(SECTIONS)}"
    problems += [Problem(FILE, str(name), "is no section", expected) for name in data if name not in known]
    seen: set[tuple[Section, str, str]] = set()
    for section in SECTIONS:
        rows = data.get(section)
        if not isinstance(rows, list):
            problems.append(Problem(FILE, section, "is no array", "an array of entries"))
            continue
        for number, row in enumerate(rows):
            path = f"{section}[{number}]"
            wrong = list(_faults(row, path))
            problems += wrong
            if wrong:
                continue
            entry = _entry(section, row)
            key = (section, entry.name, entry.message)
            if key in seen:
                problems.append(Problem(FILE, path, f"{entry.name} stands here twice", "one entry"))
            seen.add(key)
            yield entry


def _faults(row: Any, path: str) -> Iterable[Problem]:
    """What is wrong with one row."""
    if not isinstance(row, dict):
        yield Problem(FILE, path, "is no document", "{name, scope, reaction, means, do}")
        return
    for name in _REQUIRED:
        if name not in row:
            yield Problem(FILE, f"{path}.{name}", "is missing")
    for name, value in row.items():
        at = f"{path}.{name}"
        if name not in _KNOWN:
            yield Problem(FILE, at, "is not known", f"known are {', '.join(_KNOWN)}")
        elif name in _CHOICES and value not in _CHOICES[name]:
            yield Problem(FILE, at, f"{value!r}", f"one of {', '.join(_CHOICES[name])}")
        elif name in _TEXTS and not (isinstance(value, str) and value):
            yield Problem(FILE, at, f"{value!r}", "a text")
        elif name in _FLAGS and value is not True:
            yield Problem(FILE, at, f"{value!r}", "true, or leave it out")
        elif name in _NUMBERS and (type(value) is not int or value not in _NUMBERS[name]):
            bounds = _NUMBERS[name]
            yield Problem(FILE, at, f"{value!r}", f"a whole number from {bounds.start} to {bounds.stop - 1}")
    reaction, then = row.get("reaction"), row.get("then")
    if reaction in _NEED_THEN and then is None:
        yield Problem(FILE, f"{path}.then", "is missing", f"what follows when {reaction} does not help")
    if (reaction in _LAST and then is not None) or (then is not None and then == reaction):
        yield Problem(FILE, f"{path}.then", f"{then!r} after {reaction}", "nothing")
    if (reaction == "throttle") != ("limiter" in row):
        yield Problem(FILE, f"{path}.limiter", "goes with the reaction throttle, and only with it")
    if "retries" in row and "retry" not in (reaction, then) and reaction != "refresh":
        yield Problem(FILE, f"{path}.retries", "without a retry", "leave it out")


def _entry(section: Section, row: dict[str, Any]) -> ErrorEntry:
    # What a function answers, it answers after it ran, and what we say of a record follows an answer, if any.
    default: Outcome = "ran" if section == "functions" else "notRun"
    return ErrorEntry(
        section=section, name=row["name"], scope=row["scope"], reaction=row["reaction"], means=row["means"],
        do=row["do"], status=row.get("status"), retries=row.get("retries"), then=row.get("then"),
        outcome=row.get("outcome", default), limiter=row.get("limiter"), message=row.get("message", ""),
        ceiling="ceiling" in row, shrinks="shrinks" in row, alarm="alarm" in row,
        is_refused_at_start="atStart" in row,
    )  # fmt: skip


def _missing(entries: Iterable[ErrorEntry]) -> Iterable[Problem]:
    """Rows that the lookups fall back to."""
    there = {(one.section, one.name) for one in entries if not one.message}
    wanted: list[tuple[Section, str]] = [("functions", OTHER_FUNCTION_ERRORS)]
    wanted += [("statuses", name) for name in _CATCH_ALL]
    wanted += [("transport", name) for name in _TRANSPORT]
    for section, name in wanted:
        if (section, name) not in there:
            yield Problem(FILE, section, f"has no entry {name}", "every failure must have one")
