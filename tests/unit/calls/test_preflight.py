"""The misfits between a call site and its function, and the message of each."""

from __future__ import annotations

from dataclasses import replace

import pytest

from workers.calls.preflight import (
    Configuration,
    Facts,
    FunctionName,
    Wanted,
    client_timeout,
    misfits,
    parts_of,
)

WHERE = "processors/orders.yaml: pipeline[1].$externalFunction"
SITE = Wanted(WHERE, "score")
BATCHED = replace(SITE, batch_records=1_000, batch_bytes=6_291_456)
ARN = "arn:aws:lambda:us-east-1:123456789012:function:score:live"


def configured(**fields: object) -> Facts:
    return Facts(configuration=Configuration(**fields))  # type: ignore[arg-type]


CERTAIN: dict[str, tuple[Wanted, Facts, str]] = {
    "missing": (
        SITE, Facts(404, "ResourceNotFoundException"),
        "there is no function score; an existing function, alias or version in the connection's region and "
        "account",
    ),
    "no permission": (
        SITE, Facts(403, "AccessDeniedException"),
        "no permission to call score; allow lambda:InvokeFunction on it to the connection's identity",
    ),
    "refused keys": (
        SITE, Facts(403, "UnrecognizedClientException"),
        "AWS refuses the keys (UnrecognizedClientException); keys that AWS takes",
    ),
    "refused role": (
        SITE, Facts(0, refused="connection aws: cannot assume role r"),
        "connection aws: cannot assume role r; keys and a role that AWS takes",
    ),
    "another region": (
        replace(SITE, function=ARN), Facts(region="eu-central-1"),
        f"{ARN} is in us-east-1; a function in eu-central-1, the connection's",
    ),
    "streams": (
        SITE, configured(invoke_mode="RESPONSE_STREAM"),
        "score streams its answer (InvokeMode RESPONSE_STREAM); InvokeMode BUFFERED: a record needs a whole "
        "answer",
    ),
    "tenants": (
        SITE, configured(tenancy="PER_TENANT"),
        "score isolates tenants (PER_TENANT), and calls name none; a function without tenant isolation",
    ),
    "failed": (
        SITE, configured(state="Failed", state_reason="ImageDeleted"),
        "score is in state Failed (ImageDeleted); deploy it again",
    ),
    "switched off": (
        SITE, configured(reserved=0),
        "score has a reserved concurrency of 0, so every call is throttled; a reserved concurrency above 0, "
        "or none",
    ),
    "a bad name": (
        SITE, Facts(400, "InvalidParameterValueException", "no such qualifier"),
        "score cannot be called: InvalidParameterValueException; no such qualifier",
    ),
}  # fmt: skip

DOUBTS: dict[str, tuple[Wanted, Facts, str]] = {
    "a shorter time-out": (
        replace(SITE, timeout_seconds=2.0), configured(timeout_seconds=30),
        "timeout 2 s is shorter than the 30 s that score may run; no timeout, or a longer one: what is given "
        "up may still be done",
    ),
    "a short run for a batch": (
        BATCHED, configured(timeout_seconds=3),
        "score may run 3 s for a batch of 1,000 records; a longer Timeout of the function, or a smaller "
        "batch.maxRecords",
    ),
    "little memory for a batch": (
        BATCHED, configured(memory_mib=64),
        "score has 64 MB for batches of up to 6,291,456 bytes; 110 MB, or a smaller batch.maxBytes",
    ),
    "parallelism": (
        replace(SITE, parallelism=64), configured(reserved=10),
        "parallelism 64 for a reserved concurrency of 10; a lower parallelism: calls above it are throttled",
    ),
    "rate": (
        replace(SITE, calls_per_second=500.0), configured(reserved=10),
        "rate 500/s for a reserved concurrency of 10; at most 100/s: Lambda takes 10 a second for each",
    ),
    "rate and duration": (
        replace(SITE, parallelism=64, calls_per_second=50.0), configured(reserved=10, timeout_seconds=3),
        "parallelism 64 for a reserved concurrency of 10; a lower parallelism or rate: calls that take over "
        "0.2 s at 50/s are throttled",
    ),
    "a run longer than the retries": (
        replace(SITE, retry_seconds=120.0), configured(timeout_seconds=300),
        "score may run 300 s, and after 120 s nothing is tried again; a longer retry.maxElapsed: what runs "
        "into its time-out has one attempt",
    ),
    "a deploy": (
        SITE, configured(state="Active", update_status="InProgress"),
        "score is being deployed or idle (state Active, last update InProgress); calls wait until it is "
        "Active",
    ),
    "a private function": (
        SITE, Facts(403, "AccessDeniedException", is_hosted=True),
        "no permission to call score; a function that is not private, and whose can_evaluate lets calls pass",
    ),
    "a conflict": (
        SITE, Facts(409, "ResourceConflictException", "pending"),
        "score could not be checked: ResourceConflictException (pending); calls wait until it answers",
    ),
    "nobody": (
        SITE, Facts(0, message="connection refused"),
        "score could not be checked: no answer (connection refused); calls wait until it answers",
    ),
    "another server": (
        SITE, Facts(404, ""),
        "score could not be checked: status 404; calls wait until it answers",
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", CERTAIN)
def test_what_can_never_work_is_certain(name: str) -> None:
    """Ten misfits after which no record could pass: where, what was found, what would be right."""
    wanted, facts, message = CERTAIN[name]
    (found,) = misfits(wanted, facts)
    assert (str(found), found.is_certain) == (f"{WHERE}: {message}", True)


@pytest.mark.parametrize("name", DOUBTS)
def test_what_may_work_is_a_doubt(name: str) -> None:
    """What works badly, or will work once a fault is over, stops nothing."""
    wanted, facts, message = DOUBTS[name]
    (found,) = misfits(wanted, facts)
    assert (str(found), found.is_certain) == (f"{WHERE}: {message}", False)


def test_a_function_that_fits_has_none() -> None:
    """Enough of everything, and nothing said of what is not known."""
    enough = configured(timeout_seconds=30, memory_mib=512, state="Active", reserved=200)
    assert list(misfits(replace(BATCHED, parallelism=64, timeout_seconds=60.0), enough)) == []
    assert list(misfits(BATCHED, Facts())) == []
    slow = replace(SITE, parallelism=64, calls_per_second=2.0)
    assert list(misfits(slow, configured(reserved=10, timeout_seconds=3))) == [], "6 at once at most"


def test_an_async_call_waits_for_no_run() -> None:
    """Neither the function's time-out nor its concurrency is what an async call is bounded by."""
    wanted = replace(SITE, is_async=True, timeout_seconds=1.0, parallelism=64)
    assert list(misfits(wanted, configured(timeout_seconds=30, reserved=1))) == []


@pytest.mark.parametrize(
    ("function", "parts"),
    [
        ("score", (None, "score", None)),
        ("score:live", (None, "score", "live")),
        ("utils/score", (None, "utils/score", None)),
        ("123456789012:function:score:7", (None, "score", "7")),
        (ARN, ("us-east-1", "score", "live")),
        ("arn:aws-cn:lambda:cn-north-1:123456789012:function:f", ("cn-north-1", "f", None)),
    ],
)
def test_the_parts_of_a_function_name(function: str, parts: tuple[str | None, str, str | None]) -> None:
    """Name, alias and region of every form that a pipeline may write."""
    assert parts_of(function) == FunctionName(*parts)


def test_the_time_out_is_the_functions_own_where_none_is_given() -> None:
    """Known: 5 s more than the function may run. Given: as given. Neither: what any function may run."""
    known = configured(timeout_seconds=30)
    assert client_timeout(900.0, 900.0, known) == 35.0
    assert client_timeout(10.0, 900.0, known) == 10.0
    assert client_timeout(900.0, 900.0, Facts()) == 900.0
    assert client_timeout(900.0, 900.0, None) == 900.0
