"""`$https`: Atlas's fields and rules, and Penstock's extensions."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Final

from workers.errors import Poison
from workers.pipeline.call_fields import (
    DEFAULT_PARALLELISM,
    MAX_PARALLELISM,
    as_field,
    payload_field,
    retry_field,
)
from workers.pipeline.check import Checker, Fields
from workers.pipeline.flow_fields import hold_field, rate_field
from workers.pipeline.http_text import (
    OWN_HEADERS,
    is_header_name,
    is_header_value,
    parameter_text,
    path_text,
)
from workers.pipeline.nodes import Const, Node
from workers.pipeline.parse import describe
from workers.pipeline.program import HoldSpec, Method, OnError, RetryOn
from workers.pipeline.spec import CallSpec, RequestSpec
from workers.pipeline.values import type_name

DEFAULT_CONNECT_SECONDS: Final = 30
DEFAULT_REQUEST_SECONDS: Final = 60
# An answer that takes longer holds a place of its call site, and a drain, for nothing.
MAX_REQUEST_SECONDS: Final = 3_600
MAX_HEADERS: Final = 100
RETRY_WORDS: Final = ("4xx", "5xx", "connection", "timeout", "unknown")
WITH_BODY: Final = frozenset({"POST", "PUT", "PATCH"})

_METHODS: Final[Mapping[str, Method]] = {
    "GET": "GET", "POST": "POST", "PUT": "PUT", "PATCH": "PATCH", "DELETE": "DELETE",
}  # fmt: skip
# Atlas's page writes them with capitals in its syntax and without in its text.
_ON_ERROR: Final[Mapping[str, OnError]] = {
    "dlq": "dlq", "ignore": "ignore", "fail": "fail", "DLQ": "dlq", "Ignore": "ignore", "Fail": "fail",
}  # fmt: skip
_RETRY_RULE: Final = f"a status from 300 to 599, or one of {', '.join(RETRY_WORDS)}"


def parse_https(checker: Checker, spec: Any, path: str, *, is_last: bool) -> CallSpec | None:
    """The request as checked data; None when something is wrong. `is_last`: no stage follows."""
    before = len(checker.problems)
    fields = Fields(checker, spec, path, "$https")
    connection = fields.text("connectionName", required=True)
    url_path = _path(checker, fields)
    parameters = _parameters(checker, fields)
    method = fields.choice("method", _METHODS, "GET")
    headers, warnings = _headers(checker, fields)
    has_as = fields.has("as")
    as_path = as_field(checker, fields)
    if fields.is_document and not has_as and not is_last:
        expected = "$https needs it unless it is the last stage"
        checker.wrong(path, "the field 'as' is missing", expected)
    on_error = fields.choice("onError", _ON_ERROR, "dlq")
    payload = payload_field(checker, fields)
    connect, request, parse_strings = _config(checker, fields)
    given = fields.has("parallelism")
    parallelism = fields.whole("parallelism", DEFAULT_PARALLELISM, 1, MAX_PARALLELISM)
    partition_by = _partition_by(checker, fields, parallelism)
    timeout = _timeout(checker, fields, request)
    retry = retry_field(checker, fields)
    retry_on = _retry_on(checker, fields)
    hold, rate = _hold(checker, fields, retry_on), rate_field(checker, fields)
    fields.done()
    if len(checker.problems) > before or connection is None:
        return None
    return CallSpec(
        path=path,
        connection=connection,
        function=connection,
        execution="sync",
        on_error=on_error,
        as_path=as_path,
        payload=payload,
        parallelism=parallelism,
        parallelism_given=given,
        partition_by=partition_by,
        timeout_seconds=timeout,
        retry=retry,
        response="body",
        operator="$https",
        https=RequestSpec(
            method=method,
            path=url_path,
            parameters=parameters,
            headers=headers,
            sends_body=method in WITH_BODY or payload is not None,
            connect_timeout_seconds=float(connect),
            parse_json_strings=parse_strings,
            retry_on=retry_on,
        ),
        warnings=warnings,
        hold=hold,
        rate_per_second=rate,
    )


def _path(checker: Checker, fields: Fields) -> Node | None:
    node = fields.expression("path")
    fixed = _fixed(checker, node, fields.at("path"))
    if fixed is None:
        return node
    if fixed.value.__class__ is str and ("?" in fixed.value or "#" in fixed.value):
        checker.wrong(
            fields.at("path"), f"{fixed.value!r} with a query or fragment", "`parameters` for those"
        )
    else:
        _fits(checker, fields.at("path"), path_text, fixed.value)
    return node


def _parameters(checker: Checker, fields: Fields) -> tuple[tuple[str, Node], ...]:
    found = _named(checker, fields, "parameters")
    for name, node in found:
        fixed = _fixed(checker, node, f"{fields.at('parameters')}.{name}")
        if fixed is not None:
            _fits(checker, fixed.path, parameter_text, name, fixed.value)
    return tuple(found)


def _headers(checker: Checker, fields: Fields) -> tuple[tuple[tuple[str, Node], ...], tuple[str, ...]]:
    """The headers that are sent, and warnings about those that HTTP does not have: Atlas leaves them out, and
    sends the request."""
    found: dict[str, tuple[str, Node]] = {}
    warnings: list[str] = []
    entries = _named(checker, fields, "headers")
    if len(entries) > MAX_HEADERS:
        checker.wrong(fields.at("headers"), f"{len(entries)} headers", f"at most {MAX_HEADERS}")
    for name, node in entries:
        place, lower = f"{fields.at('headers')}.{name}", name.lower()
        fixed = _fixed(checker, node, place)
        if lower in OWN_HEADERS:
            checker.wrong(place, f"the header {name}", "headers other than those that Penstock sets itself")
        elif lower in found:
            checker.wrong(place, f"the header {name} a second time", "each header once, whatever its case")
        elif not is_header_name(name):
            warnings.append(f"{place}: no name that a header can have; it is not sent")
        elif fixed is None:
            found[lower] = (name, node)
        elif fixed.value.__class__ is not str:
            checker.wrong(place, f"a header that is {type_name(fixed.value)}", "a string, or an expression")
        elif not is_header_value(fixed.value):
            warnings.append(f"{place}: no value that a header can have; it is not sent")
        else:
            found[lower] = (name, node)
    return tuple(found.values()), tuple(warnings)


def _named(checker: Checker, fields: Fields, name: str) -> list[tuple[str, Node]]:
    """A document of expressions by name."""
    if not fields.has(name):
        fields.take(name)
        return []
    given, place = fields.take(name), fields.at(name)
    if not isinstance(given, Mapping):
        checker.wrong(place, describe(given), "a document: names with values or expressions")
        return []
    found: list[tuple[str, Node]] = []
    for key, value in given.items():
        if key.__class__ is not str or not key:
            checker.wrong(f"{place}.{key}", f"the name {key!r}", "a text that is not empty")
        elif key.startswith("$"):
            checker.wrong(f"{place}.{key}", f"the name {key!r}", "a document of names, not an expression")
        else:
            found.append((key, checker.expression(value, f"{place}.{key}")))
    return found


def _config(checker: Checker, fields: Fields) -> tuple[int, int | None, bool]:
    """Seconds to connect, seconds for the whole request (None: not said), and whether texts are parsed."""
    inner = fields.inner("config")
    if inner is None:
        return DEFAULT_CONNECT_SECONDS, None, False
    connect = inner.whole("connectionTimeoutSec", DEFAULT_CONNECT_SECONDS, 1, MAX_REQUEST_SECONDS)
    has_request = inner.has("requestTimeoutSec")
    request = inner.whole("requestTimeoutSec", DEFAULT_REQUEST_SECONDS, 1, MAX_REQUEST_SECONDS)
    parse = inner.take("parseJsonStrings", False)
    if not isinstance(parse, bool):
        checker.wrong(inner.at("parseJsonStrings"), describe(parse), "true or false")
    inner.done()
    return connect, request if has_request else None, parse is True


def _timeout(checker: Checker, fields: Fields, request: int | None) -> float:
    if fields.has("timeout") and request is not None:
        expected = "one of them: they are the same"
        checker.wrong(fields.at("timeout"), "'timeout' beside config.requestTimeoutSec", expected)
    return fields.seconds("timeout", float(request or DEFAULT_REQUEST_SECONDS), MAX_REQUEST_SECONDS)


def _partition_by(checker: Checker, fields: Fields, parallelism: int) -> Node | None:
    given = fields.has("partitionBy")
    node = fields.expression("partitionBy")
    if given and parallelism == 1:
        checker.wrong(fields.at("partitionBy"), "'partitionBy' without parallel calls", "parallelism above 1")
    return node


def _retry_on(checker: Checker, fields: Fields) -> RetryOn | None:
    if not fields.has("retryOn"):
        fields.take("retryOn")
        return None
    given, place = fields.take("retryOn"), fields.at("retryOn")
    if not isinstance(given, list | tuple):
        checker.wrong(place, describe(given), f"an array; in it {_RETRY_RULE}")
        return None
    found: set[int | str] = set()
    for at, one in enumerate(given):
        is_status = isinstance(one, int) and not isinstance(one, bool) and 300 <= one <= 599
        if is_status or (one.__class__ is str and one in RETRY_WORDS):
            found.add(one if isinstance(one, str) else int(one))
        else:
            checker.wrong(f"{place}[{at}]", describe(one), _RETRY_RULE)
    return frozenset(found)


def _hold(checker: Checker, fields: Fields, retry_on: RetryOn | None) -> HoldSpec:
    """What `retryOn` does not name is no fault to wait for."""
    if fields.has("hold") and (retry_on is None or "connection" not in retry_on):
        expected = "retryOn with `connection`: it is what is waited for; without it the processor stops"
        checker.wrong(fields.at("hold"), "'hold' without retryOn: [connection]", expected)
    return hold_field(fields)


def _fixed(checker: Checker, node: Node | None, place: str) -> Const | None:
    """What is known at start. A constant stands in for an expression with a problem, too: that is none."""
    is_wrong = any(
        f"{problem.path}.".replace("[", ".").startswith(f"{place}.") for problem in checker.problems
    )
    return node if isinstance(node, Const) and not is_wrong else None


def _fits(checker: Checker, place: str, write: Callable[..., str], *values: Any) -> None:
    """Note what a value that is known at start does wrong."""
    try:
        write(*values)
    except Poison as error:
        checker.wrong(place, error.reason)
