"""connections.yaml: every connection by its name, secrets put in from the environment or files."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, Literal, Self, TypeVar

from pydantic import Field, SecretStr, field_validator, model_validator

from workers.appfolder.https import HttpsConnection
from workers.appfolder.kafka import REGION, ROLE_ARN, KafkaConnection
from workers.appfolder.nearest import suggest
from workers.appfolder.refusals import build, shown
from workers.appfolder.schema_registry import SchemaRegistryConnection
from workers.appfolder.sources import DATA_FORMATS, Sources
from workers.appfolder.substitute import Substitution
from workers.errors import Problem
from workers.settings import Model

# As Atlas names connections: letters, digits and . - * _ only.
_NAME: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9._*-]{0,127}")
_NAME_RULE: Final = "letters, digits and . - * _ (at most 128)"


C = TypeVar("C", KafkaConnection, HttpsConnection, SchemaRegistryConnection)


class LambdaConnection(Model):
    """AWS Lambda, or anything that answers its Invoke API at `endpointUrl` (the function host).

    Without keys boto3's own chain finds credentials; with `roleArn` they assume that role. `region` None is
    the environment's.
    """

    type: Literal["AWSLambda"] = "AWSLambda"
    name: str
    role_arn: str | None = Field(
        default=None, pattern=ROLE_ARN, description="arn:aws:iam::<account>:role/<name>"
    )
    external_id: str | None = Field(default=None, min_length=2, max_length=1_224)
    region: str | None = Field(default=None, pattern=REGION, description="a region such as eu-central-1")
    endpoint_url: str | None = Field(default=None, pattern=r"^https?://[^/\s]+", description="an http(s) URL")
    access_key_id: SecretStr | None = None
    secret_access_key: SecretStr | None = None
    session_token: SecretStr | None = None
    preflight: Literal["fail", "warn", "off"] = "fail"

    @field_validator("endpoint_url")
    @classmethod
    def _has_no_user(cls, value: str | None) -> str | None:
        if value is not None and "@" in value.split("/", 3)[2]:
            raise ValueError("a URL without a user; calls are signed with accessKeyId and secretAccessKey")
        return value

    @model_validator(mode="before")
    @classmethod
    def _flat(cls, value: Any) -> Any:
        """Atlas writes the fields below `aws`; both forms mean the same."""
        if not isinstance(value, dict) or "aws" not in value:
            return value
        aws = value["aws"]
        if not isinstance(aws, dict):
            raise ValueError("aws must be a mapping with roleArn, externalId, region, endpointUrl")
        rest = {key: one for key, one in value.items() if key != "aws"}
        if twice := sorted(rest.keys() & aws.keys()):
            raise ValueError(f"{', '.join(twice)} beside aws and in it; write it once")
        return {**rest, **aws}

    @model_validator(mode="after")
    def _complete(self) -> Self:
        if (self.access_key_id is None) != (self.secret_access_key is None):
            raise ValueError("accessKeyId and secretAccessKey belong together; write both")
        if self.session_token is not None and self.access_key_id is None:
            raise ValueError("sessionToken without accessKeyId")
        if self.external_id is not None and self.role_arn is None:
            raise ValueError("externalId without roleArn")
        return self


class SampleConnection(Model):
    """Generated records, which `penstock dev` produces to a topic of a Kafka connection."""

    type: Literal["Sample"] = "Sample"
    name: str
    data_set: str = "orders"
    connection_name: str = Field(description="connectionName, the Kafka connection to produce to")
    topic: str = Field(min_length=1, max_length=249, description="the topic to produce to")
    per_second: float | None = Field(default=None, gt=0, le=10_000_000)
    seed: int = 1


class LaterConnection(Model):
    """A type that Atlas knows and Penstock has not yet: kept by name, refused where it is used."""

    type: str
    name: str


class _Typed(Model):
    """Only what every connection has; `type` is looked up by hand so that a misspelt one gets its nearest."""

    name: str

    @field_validator("name")
    @classmethod
    def _is_name(cls, value: str) -> str:
        if not _NAME.fullmatch(value):
            raise ValueError(_NAME_RULE)
        return value


Known = KafkaConnection | LambdaConnection | HttpsConnection | SchemaRegistryConnection | SampleConnection
Connection = Known | LaterConnection

MODELS: Final[Mapping[str, type[Known]]] = {
    "Kafka": KafkaConnection, "AWSLambda": LambdaConnection, "Https": HttpsConnection,
    "SchemaRegistry": SchemaRegistryConnection, "Sample": SampleConnection,
}  # fmt: skip
LATER: Final = frozenset({
    "AWSKinesisDataStreams", "AzureBlobStorage", "Cluster", "DynamoDB", "EventBridge", "GCPPubSub", "S3",
    "StepFunctions",
})  # fmt: skip


@dataclass(frozen=True, slots=True)
class Connections:
    """The connections by name. `refused` are the names of those that are there and wrong (None: the whole
    file is): what uses them is not reported a second time. `files` are those that secrets were read from."""

    found: Mapping[str, Connection]
    refused: frozenset[str] | None
    files: frozenset[Path] = frozenset()

    def is_refused(self, name: str) -> bool:
        """Whether a problem of this connection has been reported already."""
        return self.refused is None or name in self.refused


def load_connections(sources: Sources, env: Mapping[str, str]) -> Connections:
    """The connections of `connections.yaml` (or .yml, .json); problems go to `sources`."""
    found = [path for path in sorted(sources.folder.glob("connections.*")) if path.suffix in DATA_FORMATS]
    if not found:
        sources.refuse("connections.yaml", "", "is missing", "a file that says where Kafka is")
        return Connections({}, None)
    if len(found) > 1:
        names = ", ".join(path.name for path in found)
        sources.refuse(found[1].name, "", f"a second file of connections ({names})", "one of them")
        return Connections({}, None)
    value, is_read = sources.read(found[0])
    if not is_read:
        return Connections({}, None)
    file = found[0].name
    replaced = Substitution(env, sources.folder, file)
    connections: dict[str, Connection] = {}
    refused: set[str] = set(value) if isinstance(value, dict) else set()
    for path, name, entry in _entries(value, file, sources.problems):
        refused.add(name)
        before = len(replaced.problems)
        filled = replaced.apply(entry, path)
        if len(replaced.problems) > before:
            continue  # what is missing there would only be reported a second time, as an empty text
        connection = _connection(sources, file, path, {**filled, "name": name}, replaced.given)
        if connection is not None:
            if name in connections:
                sources.refuse(file, path, f"the connection {name!r} a second time", "each name once")
            connections[name] = connection
    sources.problems += replaced.problems
    if not connections and not refused:
        return Connections({}, None)
    loaded = Connections(connections, frozenset(refused - connections.keys()), frozenset(replaced.files))
    for name, connection in connections.items():
        if isinstance(connection, SampleConnection) and not loaded.is_refused(connection.connection_name):
            _check_sample(sources, file, name, connections.get(connection.connection_name))
    return loaded


def _check_sample(sources: Sources, file: str, name: str, target: Connection | None) -> None:
    if not isinstance(target, KafkaConnection):
        what = "no connection of that name" if target is None else f"a connection of type {target.type}"
        sources.refuse(file, f"{name}.connectionName", what, "the name of a Kafka connection")


def _entries(value: Any, file: str, problems: list[Problem]) -> Iterator[tuple[str, Any, dict[str, Any]]]:
    """(path, name, fields) of each connection: by name, or as a list with names, which is Atlas's form."""
    if isinstance(value, dict) and value:
        entries = [(name, name, entry) for name, entry in value.items()]
    elif isinstance(value, list) and value:
        entries = [(f"[{at}]", None, entry) for at, entry in enumerate(value)]
    else:
        problems.append(
            Problem(file, "", f"found {shown(value)}", "connections by their names, at least one")
        )
        return
    for path, name, entry in entries:
        if not isinstance(entry, dict):
            problems.append(
                Problem(file, path, f"found {shown(entry)}", "a mapping with type and its fields")
            )
            continue
        own = entry.get("name", name)
        if name is not None and own != name:
            problems.append(
                Problem(file, f"{path}.name", f"found {shown(own)}", f"{name}, or no name at all")
            )
            continue
        _, wrong = build(_Typed, {} if own is None else {"name": own}, file, path)
        problems.extend(wrong)
        if not wrong:
            yield path, own, entry


def _connection(
    sources: Sources, file: str, path: str, entry: dict[str, Any], given: set[str]
) -> Connection | None:
    kind = entry.get("type")
    if isinstance(kind, str) and kind in LATER:
        return LaterConnection.model_validate({"type": kind, "name": entry["name"]})
    if not isinstance(kind, str) or kind not in MODELS:
        known = suggest(str(kind), [*MODELS, *LATER]) if kind is not None else f"known: {', '.join(MODELS)}"
        sources.refuse(file, f"{path}.type", "is missing" if kind is None else f"found {shown(kind)}", known)
        return None
    connection, problems = build(MODELS[kind], entry, file, path, given)
    sources.problems += problems
    if isinstance(connection, KafkaConnection):
        return _with_files(sources, file, path, connection)
    if isinstance(connection, HttpsConnection):
        return _with_files(sources, file, path, connection)
    if isinstance(connection, SchemaRegistryConnection):
        return _with_files(sources, file, path, connection)
    return connection


def _with_files(sources: Sources, file: str, path: str, connection: C) -> C:
    """The same with absolute paths of certificates; those that are not there are problems."""
    found: dict[str, str] = {}
    fields = type(connection.security).model_fields
    for name in ("ca_file", "certificate_file", "key_file"):
        given = getattr(connection.security, name)
        if given is None:
            continue
        # Links stay: behind the one of a mounted secret the file is another one after each renewal.
        whole = Path(os.path.abspath(sources.folder / given))
        if not _is_readable(whole):
            place = f"{path}.security.{fields[name].alias}"
            sources.refuse(file, place, f"{given} is no file that can be read", "a path from the app folder")
        found[name] = str(whole)
    return connection.model_copy(update={"security": connection.security.model_copy(update=found)})


def _is_readable(path: Path) -> bool:
    try:
        with path.open("rb"):
            return path.is_file()
    except OSError:
        return False
