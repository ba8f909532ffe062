"""What one topic must be: `topics/<topic>.yaml` of the app folder, as data. Pure: the caller reads files.

partitions: 6
retention: 7d                  # ms s m h d, or forever
cleanup: delete                # delete | compact | compact,delete
key: string                    # what the record keys are: string | json | bytes | none
schema: schemas/order.json     # what the values are, a file of the app folder
deadLettersOf: [orders]        # this topic takes the dead letters of those
config: {min.insync.replicas: 2}
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import Annotated, Any, Final, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationError
from pydantic.alias_generators import to_camel

Cleanup = Literal["delete", "compact", "compact,delete"]
KeyFormat = Literal["string", "json", "bytes", "none"]

# Kafka's own rule for topic names (org.apache.kafka.common.internals.Topic).
_TYPES: Final = {
    "int_type": "a whole number", "string_type": "a text", "dict_type": "a mapping of keys to values",
}  # fmt: skip
NAME: Final = re.compile(r"[a-zA-Z0-9._-]{1,249}")
_UNITS_MS: Final = {"ms": 1, "s": 1000, "m": 60_000, "h": 3_600_000, "d": 86_400_000}
_DURATION: Final = re.compile(r"(\d{1,12})(ms|s|m|h|d)")
FOREVER_MS: Final = -1
# A topic of 10,000 partitions takes a broker minutes to open; more is a typing error.
MOST_PARTITIONS: Final = 10_000
MAX_MESSAGE: Final = "max.message.bytes"
LARGEST_INT: Final = 2**31 - 1
# What a field of the contract sets, and so may not stand in `config` as well.
CONFIG_OF_FIELD: Final = {"retention": "retention.ms", "cleanup": "cleanup.policy"}


@dataclass(frozen=True, slots=True)
class ContractProblem:
    """One thing wrong with a contract: the file, the place in it, what stands there, what would be right."""

    file: str
    path: str
    found: str
    expected: str

    def __str__(self) -> str:
        where = f"{self.file}: {self.path}" if self.path else self.file
        return f"{where}: {self.found}; {self.expected}"


class ContractInvalid(ValueError):
    """The contract cannot be used. Carries every problem found, never only the first."""

    def __init__(self, problems: Iterable[ContractProblem]) -> None:
        self.problems = tuple(problems)
        assert self.problems, "ContractInvalid needs at least one problem"
        super().__init__("\n".join(map(str, self.problems)))


def duration_ms(text: str) -> int:
    """Milliseconds of `7d`, `12h`, `30m`, `90s`, `500ms`; -1 for `forever`. Raises ValueError.

    >>> duration_ms("2h"), duration_ms("forever")
    (7200000, -1)
    """
    if text == "forever":
        return FOREVER_MS
    if (found := _DURATION.fullmatch(text)) is None:
        raise ValueError("a whole number with a unit (ms, s, m, h, d), or forever")
    return int(found[1]) * _UNITS_MS[found[2]]


def _retention(value: Any) -> int:
    if not isinstance(value, str):
        raise ValueError("a whole number with a unit (ms, s, m, h, d), or forever")
    return duration_ms(value)


def _config_value(value: Any) -> str:
    """A topic's config value as Kafka writes it: `true`, `42`, text as it is."""
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, str | int | float):
        return str(value)
    raise ValueError("text, a number, true or false")


def _topics(value: Any) -> Any:
    return (value,) if isinstance(value, str) else tuple(value) if isinstance(value, list) else value


class TopicContract(BaseModel):
    """What one topic must be. `retention` is in milliseconds (-1: forever); None: as the broker has it."""

    model_config = ConfigDict(frozen=True, strict=True, extra="forbid", alias_generator=to_camel)

    name: str
    partitions: Annotated[int, Field(ge=1, le=MOST_PARTITIONS)]
    retention: Annotated[int | None, BeforeValidator(_retention)] = None
    cleanup: Cleanup | None = None
    key: KeyFormat = "bytes"
    schema_file: Annotated[str | None, Field(alias="schema")] = None
    dead_letters_of: Annotated[tuple[str, ...], BeforeValidator(_topics)] = ()
    config: dict[str, Annotated[str, BeforeValidator(_config_value)]] = Field(default_factory=dict)
    description: str = ""

    def settings(self) -> dict[str, str]:
        """All topic configs that the contract states, by Kafka's names."""
        stated = dict(self.config)
        if self.retention is not None:
            stated["retention.ms"] = str(self.retention)
        if self.cleanup is not None:
            stated["cleanup.policy"] = self.cleanup
        return stated


def parse_contract(data: Any, file: str) -> TopicContract:
    """The contract in `data`, the content of `file`, whose name without `.yaml` is the topic.

    Raises ContractInvalid with all problems.
    """
    if not isinstance(data, Mapping):
        found = "an empty file" if data is None else f"{type(data).__name__} {_shown(data)}"
        raise ContractInvalid(
            [ContractProblem(file, "", found, "a mapping such as {partitions: 6} is needed")]
        )
    name = PurePosixPath(file).name.rpartition(".")[0]
    problems = [*_name_problems(name, data, file), *_conflicts(data, file), *_size_problems(data, file)]
    contract: TopicContract | None = None
    try:
        contract = TopicContract.model_validate({**{str(key): data[key] for key in data}, "name": name})
    except ValidationError as error:
        problems += [_problem(file, dict(each)) for each in error.errors(include_url=False)]
    if problems or contract is None:
        raise ContractInvalid(problems)
    return contract


def _name_problems(name: str, data: Mapping[Any, Any], file: str) -> Iterable[ContractProblem]:
    if NAME.fullmatch(name) is None or name in {".", ".."}:
        yield ContractProblem(
            file, "", f"the file name makes the topic {name!r}", "a topic has 1 to 249 of a-z A-Z 0-9 . _ -"
        )
    if "name" in data and data["name"] != name:
        yield ContractProblem(
            file, "name", _shown(data["name"]), f"leave it out: the file name says {name!r}"
        )


def _conflicts(data: Mapping[Any, Any], file: str) -> Iterable[ContractProblem]:
    config = data.get("config")
    for field, setting in CONFIG_OF_FIELD.items():
        if isinstance(config, Mapping) and field in data and setting in config:
            yield ContractProblem(
                file, f"config.{setting}", "is set twice", f"leave one of it and {field} out"
            )


def _size_problems(data: Mapping[Any, Any], file: str) -> Iterable[ContractProblem]:
    """The one setting that a plan computes with must be a number already here."""
    config = data.get("config")
    size = config.get(MAX_MESSAGE) if isinstance(config, Mapping) else None
    if size is not None and not (str(size).isdecimal() and int(str(size)) <= LARGEST_INT):
        expected = f"expected: bytes, 0 to {LARGEST_INT}"
        yield ContractProblem(file, f"config.{MAX_MESSAGE}", f"found {_shown(size)}", expected)


def _problem(file: str, error: dict[str, Any]) -> ContractProblem:
    """One of pydantic's errors in our words: never its own input dump or internal names."""
    path = ".".join(str(part) for part in error["loc"])
    kind, context = error["type"], error.get("ctx", {})
    if kind == "missing":
        return ContractProblem(file, path, "is missing", "every contract states it")
    if kind == "extra_forbidden":
        known = sorted(
            field.alias or name for name, field in TopicContract.model_fields.items() if name != "name"
        )
        return ContractProblem(file, path, "unknown key", f"known are {', '.join(known)}")
    expected = str(context.get("error", "")) or context.get("expected", "") or _rule(kind, context, error)
    return ContractProblem(file, path, f"found {_shown(error['input'])}", f"expected: {expected}")


def _rule(kind: str, context: Mapping[str, Any], error: Mapping[str, Any]) -> str:
    """What a plain type or bound asks for."""
    if kind == "greater_than_equal":
        return f"at least {context['ge']}"
    if kind == "less_than_equal":
        return f"at most {context['le']}"
    return _TYPES.get(kind) or str(error["msg"])


def _shown(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= 60 else f"{text[:57]}..."
