"""`$externalFunction`: Atlas's fields and rules, and Penstock's extensions."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, Final, Literal

from workers.pipeline.call_fields import (
    DEFAULT_PARALLELISM,
    MAX_PARALLELISM,
    as_field,
    payload_field,
    retry_field,
)
from workers.pipeline.check import Checker, Fields
from workers.pipeline.flow_fields import breaker_field, hold_field, rate_field
from workers.pipeline.nodes import Node
from workers.pipeline.parse import describe
from workers.pipeline.paths import fault
from workers.pipeline.program import BatchSpec, Contract, OnError
from workers.pipeline.spec import CallSpec
from workers.ports import MAX_ASYNC_BYTES, MAX_SYNC_BYTES
from workers.settings import ACCEPT_SECONDS, FUNCTION_RUN_SECONDS, SIZE_RULE, bytes_of

# A function of Lambda may run 900 s; the call must outlive it.
MAX_TIMEOUT_SECONDS: Final = 960.0
# AWS's own bound for a batch of its Kafka trigger.
MAX_BATCH_RECORDS: Final = 10_000
DEFAULT_BATCH_RECORDS: Final = 100
# As long as the producers' linger: at 20,000 records/s a batch of 100 is full by then.
DEFAULT_BATCH_DELAY_SECONDS: Final = 0.005
MAX_BATCH_DELAY_SECONDS: Final = 60.0
# Below it the framing alone could fill a batch.
MIN_BATCH_BYTES: Final = 1_024

# A name, a partial ARN (`123456789012:function:name`) or a full one, with an alias or version or without. The
# documentation's own example, `arn:aws:lambda:region:account-id:function:function-name`, passes as it is
# printed.
_ARN: Final = r"(?:(?:arn:aws[a-z-]*:lambda:[a-z0-9-]+:)?(?:[0-9]{12}|account-id):function:)?"
_FUNCTION: Final = re.compile(_ARN + r"[A-Za-z0-9_/-]{1,140}(?::(?:\$LATEST|[A-Za-z0-9_-]{1,128}))?")

_EXECUTIONS: Final[Mapping[str, Literal["sync", "async"]]] = {"sync": "sync", "async": "async"}
_ON_ERROR: Final[Mapping[str, OnError]] = {"dlq": "dlq", "ignore": "ignore", "fail": "fail"}
_RESPONSES: Final[Mapping[str, Literal["body", "envelope"]]] = {"body": "body", "envelope": "envelope"}
_CONTRACTS: Final[Mapping[str, Contract]] = {
    "records": "records",
    "array": "array",
    "kafkaEvent": "kafkaEvent",
}


def parse_external_function(checker: Checker, spec: Any, path: str) -> CallSpec | None:
    """The call as checked data; None when something is wrong."""
    before = len(checker.problems)
    fields = Fields(checker, spec, path, "$externalFunction")
    connection = fields.text("connectionName", required=True)
    function = _function(checker, fields)
    execution = fields.choice("execution", _EXECUTIONS, "sync")
    as_path = _as(checker, fields, execution)
    on_error = fields.choice("onError", _ON_ERROR, "dlq")
    payload = payload_field(checker, fields)
    given = fields.has("parallelism")
    parallelism = fields.whole("parallelism", DEFAULT_PARALLELISM, 1, MAX_PARALLELISM)
    if given and parallelism > 1 and execution == "async":
        checker.wrong(
            fields.at("parallelism"), f"{parallelism} with execution async", "sync, or parallelism 1"
        )
    partition_by = _partition_by(checker, fields, execution, parallelism)
    usual = ACCEPT_SECONDS if execution == "async" else FUNCTION_RUN_SECONDS
    timeout = fields.seconds("timeout", usual, MAX_TIMEOUT_SECONDS)
    retry = retry_field(checker, fields, has_types=True)
    hold, breaker = hold_field(fields), breaker_field(checker, fields)
    rate = rate_field(checker, fields)
    response = fields.choice("response", _RESPONSES, "body")
    batch = _batch(checker, fields, execution)
    if batch is not None:
        _check_batch(checker, fields, batch, response, as_path)
    identity_field = _identity_field(checker, fields)
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
        batch=batch,
        identity_field=identity_field,
        hold=hold,
        breaker=breaker,
        rate_per_second=rate,
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
    path = as_field(checker, fields)
    if given and execution == "async" and (path is None or not fault(path)):
        checker.wrong(
            fields.at("as"), "'as' with execution async", "sync: an async call has no answer to set"
        )
    return path


def _partition_by(checker: Checker, fields: Fields, execution: str, parallelism: int) -> Node | None:
    given = fields.has("partitionBy")
    node = fields.expression("partitionBy")
    if given and (execution == "async" or parallelism == 1):
        found = "'partitionBy' without parallel sync calls"
        checker.wrong(fields.at("partitionBy"), found, "sync, and parallelism above 1")
    return node


def _batch(checker: Checker, fields: Fields, execution: str) -> BatchSpec | None:
    inner = fields.inner("batch")
    if inner is None:
        return None
    records = inner.whole("maxRecords", DEFAULT_BATCH_RECORDS, 1, MAX_BATCH_RECORDS)
    most = MAX_ASYNC_BYTES if execution == "async" else MAX_SYNC_BYTES
    size = _bytes(checker, inner, "maxBytes", most, f"an {execution} call" if most < MAX_SYNC_BYTES else "")
    delay = inner.seconds("maxDelay", DEFAULT_BATCH_DELAY_SECONDS, MAX_BATCH_DELAY_SECONDS)
    contract = inner.choice("contract", _CONTRACTS, "records")
    inner.done()
    return BatchSpec(records, size, delay, contract)


def _bytes(checker: Checker, fields: Fields, name: str, most: int, of_what: str) -> int:
    given = fields.take(name, most)
    try:
        found = bytes_of(given)
    except ValueError:
        checker.wrong(fields.at(name), describe(given), SIZE_RULE)
        return most
    if MIN_BATCH_BYTES <= found <= most:
        return found
    limit = f"{most:,} bytes" + (f", which {of_what} may have" if of_what else "")
    checker.wrong(fields.at(name), f"{found:,} bytes", f"from {MIN_BATCH_BYTES:,} to {limit}")
    return most


def _check_batch(
    checker: Checker, fields: Fields, batch: BatchSpec, response: str, as_path: str | None
) -> None:
    """What cannot stand beside a batch."""
    if response == "envelope":
        expected = "body: an envelope is about a call, and each document of a batch gets its own answer"
        checker.wrong(fields.at("response"), "'envelope' with a batch", expected)
    if batch.contract == "kafkaEvent" and as_path is not None:
        expected = "no `as`, or the contract records or array: batchItemFailures holds no values"
        checker.wrong(fields.at("as"), "'as' with the batch contract kafkaEvent", expected)


def _identity_field(checker: Checker, fields: Fields) -> str | None:
    inner = fields.inner("idempotency")
    if inner is None:
        return None
    name = inner.text("field", required=True)
    inner.done()
    if name is not None and (fault(name) or "." in name):
        checker.wrong(inner.at("field"), fault(name) or f"{name!r}", "one field of the payload, without dots")
        return None
    return name
