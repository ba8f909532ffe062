"""`$externalFunction`: Atlas's fields and rules, and Penstock's extensions."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, Final, Literal

from workers.pipeline.check import Checker, Fields
from workers.pipeline.nodes import Node
from workers.pipeline.paths import fault
from workers.pipeline.program import OnError, RetrySpec
from workers.pipeline.spec import CallSpec, StageSpec

PAYLOAD_STAGES: Final = frozenset({"$project", "$addFields", "$replaceRoot", "$set"})

DEFAULT_PARALLELISM: Final = 64
MAX_PARALLELISM: Final = 10_000
# A function of Lambda may run 900 s; the call must outlive it.
MAX_TIMEOUT_SECONDS: Final = 960.0
MAX_RETRY_SECONDS: Final = 24 * 3600.0

# A name, a partial ARN (`123456789012:function:name`) or a full one, with an alias or version or without. The
# documentation's own example, `arn:aws:lambda:region:account-id:function:function-name`, passes as it is
# printed.
_ARN: Final = r"(?:(?:arn:aws[a-z-]*:lambda:[a-z0-9-]+:)?(?:[0-9]{12}|account-id):function:)?"
_FUNCTION: Final = re.compile(_ARN + r"[A-Za-z0-9_/-]{1,140}(?::(?:\$LATEST|[A-Za-z0-9_-]{1,128}))?")

_NOT_YET: Final[Mapping[str, str]] = {
    "batch": "each document is a call of its own",
    "hold": "`onError` applies to each document",
    "idempotency": "one-document sync calls carry {penstock: {id, site, attempt}} in ClientContext",
}
_EXECUTIONS: Final[Mapping[str, Literal["sync", "async"]]] = {"sync": "sync", "async": "async"}
_ON_ERROR: Final[Mapping[str, OnError]] = {"dlq": "dlq", "ignore": "ignore", "fail": "fail"}
_RESPONSES: Final[Mapping[str, Literal["body", "envelope"]]] = {"body": "body", "envelope": "envelope"}


def parse_external_function(checker: Checker, spec: Any, path: str) -> CallSpec | None:
    """The call as checked data; None when something is wrong."""
    before = len(checker.problems)
    fields = Fields(checker, spec, path, "$externalFunction")
    connection = fields.text("connectionName", required=True)
    function = _function(checker, fields)
    execution = fields.choice("execution", _EXECUTIONS, "sync")
    as_path = _as(checker, fields, execution)
    on_error = fields.choice("onError", _ON_ERROR, "dlq")
    payload = _payload(checker, fields)
    fields.refuse(_NOT_YET)
    given = fields.has("parallelism")
    parallelism = fields.whole("parallelism", DEFAULT_PARALLELISM, 1, MAX_PARALLELISM)
    if given and parallelism > 1 and execution == "async":
        checker.wrong(
            fields.at("parallelism"), f"{parallelism} with execution async", "sync, or parallelism 1"
        )
    partition_by = _partition_by(checker, fields, execution, parallelism)
    timeout = fields.seconds("timeout", 60.0, MAX_TIMEOUT_SECONDS)
    retry = _retry(checker, fields)
    response = fields.choice("response", _RESPONSES, "body")
    fields.done()
    if len(checker.problems) > before or connection is None or function is None:
        return None
    return CallSpec(
        path=path,
        connection=connection,
        function=function,
        execution=execution,
        on_error=on_error,
        as_path=as_path,
        payload=payload,
        parallelism=parallelism,
        parallelism_given=given,
        partition_by=partition_by,
        timeout_seconds=timeout,
        retry=retry,
        response=response,
    )


def _function(checker: Checker, fields: Fields) -> str | None:
    name = fields.text("functionName", required=True)
    if name is None or _FUNCTION.fullmatch(name):
        return name
    checker.wrong(
        fields.at("functionName"), f"{name!r}", "a function's name, name:alias, or a partial or full ARN"
    )
    return None


def _as(checker: Checker, fields: Fields, execution: str) -> str | None:
    given = fields.has("as")
    path = fields.text("as")
    if path is not None and fault(path):
        checker.wrong(fields.at("as"), fault(path) or "", "a field as a or a.b")
    elif given and execution == "async":
        checker.wrong(
            fields.at("as"), "'as' with execution async", "sync: an async call has no answer to set"
        )
    return path


def _payload(checker: Checker, fields: Fields) -> tuple[StageSpec, ...] | None:
    if not fields.has("payload"):
        fields.take("payload")
        return None
    return checker.stages(fields.take("payload"), fields.at("payload"), PAYLOAD_STAGES)


def _partition_by(checker: Checker, fields: Fields, execution: str, parallelism: int) -> Node | None:
    given = fields.has("partitionBy")
    node = fields.expression("partitionBy")
    if given and (execution == "async" or parallelism == 1):
        found = "'partitionBy' without parallel sync calls"
        checker.wrong(fields.at("partitionBy"), found, "sync, and parallelism above 1")
    return node


def _retry(checker: Checker, fields: Fields) -> RetrySpec:
    default = RetrySpec()
    inner = fields.inner("retry")
    if inner is None:
        return default
    attempts = inner.whole("maxAttempts", default.max_attempts, 1, 100)
    elapsed = inner.seconds("maxElapsed", default.max_elapsed_seconds, MAX_RETRY_SECONDS)
    first = inner.seconds("base", default.base_seconds, MAX_RETRY_SECONDS)
    most = inner.seconds("cap", max(default.cap_seconds, first), MAX_RETRY_SECONDS)
    inner.done()
    if most < first:
        checker.wrong(inner.at("cap"), f"{most:g} s, below the base of {first:g} s", "at least the base")
    return RetrySpec(attempts, elapsed, first, most)
