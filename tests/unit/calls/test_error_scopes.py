"""Every failure of a call: whose fault it is and what is done about it, as fan-out's d.2 to d.5 say."""

from __future__ import annotations

import json
from collections.abc import Iterable
from typing import Any

import pytest
from botocore.loaders import Loader

from workers.adapters.error_file import shipped_errors
from workers.calls.contract import CallFailure, failure_of, judge_error
from workers.calls.error_table import ErrorTable
from workers.calls.retry import Action, Decision, RetryPolicy, Spent, decide
from workers.errors import AnswerTooLarge, NotSent, Retryable, TimedOut, UnknownOutcome
from workers.ports import InvokeAnswer

TABLE = shipped_errors()
POLICY = RetryPolicy(5, 120.0, 0.1, 20.0)
MODEL = Loader().load_service_model("lambda", "service-2")

# What follows one another for a batch of two, until nothing is left to try: `retry 3` is three retries; 4 are
# all that the policy has. A throttled call is retried until the policy's time is over.
HOLD, SPLIT, ON_ERROR, FAIL = "hold", "split", "onError", "fail"

API = {
    "TooManyRequestsException": ("account", "throttle hold"),
    "ServiceException": ("account", "retry 4 onError"),
    "ServiceQuotaExceededException": ("account", "throttle hold"),
    "ResourceNotReadyException": ("function", HOLD),
    "ENINotReadyException": ("function", HOLD),
    "EC2ThrottledException": ("function", "retry 4 hold"),
    "EC2UnexpectedException": ("function", "retry 3 hold"),
    "ENILimitReachedException": ("function", HOLD),
    "SubnetIPAddressLimitReachedException": ("function", HOLD),
    "EC2AccessDeniedException": ("function", HOLD),
    "InvalidSecurityGroupIDException": ("function", HOLD),
    "InvalidSubnetIDException": ("function", HOLD),
    "InvalidRuntimeException": ("function", HOLD),
    "RuntimeAliasDeletedException": ("function", HOLD),
    "RuntimeVersionDeletedException": ("function", HOLD),
    "InvalidZipFileException": ("function", HOLD),
    "CodeArtifactUserPendingException": ("function", HOLD),
    "CodeArtifactUserFailedException": ("function", HOLD),
    "CodeArtifactUserDeletedException": ("function", HOLD),
    "KMSAccessDeniedException": ("function", HOLD),
    "KMSDisabledException": ("function", HOLD),
    "KMSInvalidStateException": ("function", HOLD),
    "KMSNotFoundException": ("function", HOLD),
    "EFSMountConnectivityException": ("function", "retry 4 hold"),
    "EFSMountTimeoutException": ("function", "retry 4 hold"),
    "EFSMountFailureException": ("function", HOLD),
    "EFSIOException": ("function", "retry 3 hold"),
    "S3FilesMountConnectivityException": ("function", "retry 4 hold"),
    "S3FilesMountTimeoutException": ("function", "retry 4 hold"),
    "S3FilesMountFailureException": ("function", HOLD),
    "SnapStartNotReadyException": ("function", HOLD),
    "SnapStartTimeoutException": ("function", "retry 3 hold"),
    "SnapStartRegenerationFailureException": ("function", HOLD),
    "SnapStartException": ("function", HOLD),
    "ResourceConflictException": ("function", "retry 4 hold"),
    "DurableExecutionAlreadyStartedException": ("batch", ON_ERROR),
    "NoPublishedVersionException": ("function", HOLD),
    "ModeNotSupportedException": ("configuration", FAIL),
    "ResourceNotFoundException": ("function", HOLD),
    "InvalidParameterValueException": ("batch", ON_ERROR),
    "InvalidRequestContentException": ("batch", SPLIT),
    "UnsupportedMediaTypeException": ("worker", FAIL),
    "RequestTooLargeException": ("batch", SPLIT),
    "SerializedRequestEntityTooLargeException": ("batch", SPLIT),
    "RecursiveInvocationException": ("function", FAIL),
}
# Seen in practice, not modelled: all of them 403.
NOT_MODELLED = {
    "AccessDeniedException": ("function", HOLD),
    "ExpiredTokenException": ("worker", "retry 1 notReady"),
    "ExpiredToken": ("worker", "retry 1 notReady"),
    "UnrecognizedClientException": ("worker", "retry 1 notReady"),
    "InvalidSignatureException": ("worker", "retry 1 notReady"),
    "OptInRequired": ("account", FAIL),
}
THROTTLES = {
    "ReservedFunctionConcurrentInvocationLimitExceeded": ("function", "throttle hold", "functionConcurrency"),
    "ConcurrentInvocationLimitExceeded": ("account", "throttle hold", "accountConcurrency"),
    "FunctionInvocationRateLimitExceeded": ("function", "throttle hold", "functionRate"),
    "ReservedFunctionInvocationRateLimitExceeded": ("function", "throttle hold", "functionRate"),
    "CallerRateLimitExceeded": ("account", "throttle hold", "callerRate"),
    "ConcurrentSnapshotCreateLimitExceeded": ("function", HOLD, None),
}
STATUSES = {
    302: ("function", ON_ERROR),
    400: ("record", ON_ERROR),
    401: ("worker", "retry 1 notReady"),
    403: ("worker", HOLD),
    404: ("function", HOLD),
    408: ("function", "retry 4 hold"),
    409: ("function", "retry 4 hold"),
    410: ("function", "retry 3 hold"),
    413: ("batch", SPLIT),
    415: ("worker", FAIL),
    418: ("function", ON_ERROR),
    429: ("account", "throttle hold"),
    500: ("account", "retry 4 onError"),
    502: ("account", "retry 4 onError"),
    503: ("account", "retry 4 onError"),
    504: ("account", "retry 4 onError"),
    599: ("account", "retry 4 onError"),
    100: ("function", ON_ERROR),
    999: ("function", ON_ERROR),
}
FUNCTION_ERRORS = {
    ("Sandbox.Timedout", "2026-01-01 Task timed out after 3.00 seconds"): ("batch", SPLIT),
    (None, "2026-01-01 1f Task timed out after 3.00 seconds"): ("batch", SPLIT),
    ("Runtime.OutOfMemory", ""): ("batch", SPLIT),
    ("Runtime.ExitError", "RequestId: 1 Error: Runtime exited with error: signal: killed"): ("batch", SPLIT),
    ("Runtime.ExitError", "RequestId: 1 Error: Runtime exited with error: exit status 1"): (
        "batch",
        "retry 2 split",
    ),
    ("Runtime.Unknown", ""): ("batch", "retry 2 split"),
    ("Sandbox.Failure", ""): ("batch", "retry 2 split"),
    ("Runtime.TruncatedResponse", ""): ("record", "retry 1 onError"),
    ("Function.ResponseSizeTooLarge", ""): ("batch", SPLIT),
    ("Runtime.ImportModuleError", ""): ("function", HOLD),
    ("Runtime.InvalidEntrypoint", ""): ("function", HOLD),
    ("Runtime.InvalidWorkingDir", ""): ("function", HOLD),
    ("Runtime.HandlerNotFound", ""): ("function", HOLD),
    ("Runtime.UserCodeSyntaxError", ""): ("function", HOLD),
    ("Runtime.InitError", ""): ("function", HOLD),
    ("Extension.InitError", ""): ("function", HOLD),
    ("Extension.Crash", ""): ("function", HOLD),
    ("Extension.LaunchError", ""): ("function", HOLD),
    ("Runtime.MarshalError", ""): ("record", ON_ERROR),
    ("ValueError", "no such customer"): ("record", SPLIT),
    (None, "thrown without a type"): ("record", SPLIT),
}
TRANSPORT: tuple[tuple[Retryable, str, str, bool], ...] = (
    (NotSent("connection refused"), "worker", "retry 4 hold", False),
    (TimedOut("no answer in 60 s"), "function", SPLIT, True),
    (UnknownOutcome("connection reset"), "worker", "retry 4 onError", True),
    (AnswerTooLarge("7 MB"), "record", SPLIT, False),
    (Retryable("something new"), "worker", "retry 4 onError", True),
)


def status_of(name: str) -> int:
    """As botocore's model has it; what it does not model is a 403."""
    shape = MODEL["shapes"].get(name)
    return 403 if shape is None else int(shape["error"]["httpStatusCode"])


def chain(failure: CallFailure, records: int = 2) -> str:
    """What is done, until nothing is left to try: `retry 3 hold`."""
    said: list[str] = []
    retries, spent = 0, Spent(1)
    while (found := decide(POLICY, failure, spent, 0.5, records)).action == "retry":
        if found.counts:
            retries += 1
            spent = Spent(spent.attempts + 1)
        else:
            spent = Spent(spent.attempts, spent.throttled + 1, spent.elapsed_seconds + found.delay_seconds)
    if spent.throttled:
        assert spent.throttled > 5, "throttled attempts do not count"
        said.append("throttle")
    if retries:
        said.append(f"retry {retries}")
    return " ".join([*said, found.action])


def answered(status: int, name: str | None, body: Any = None) -> CallFailure:
    """The verdict on an answer that is no 2xx."""
    failure = failure_of(InvokeAnswer(status, json.dumps(body).encode(), error_type=name), "sync", TABLE)
    assert failure is not None
    return failure


def thrown(name: str) -> CallFailure:
    """The verdict on a function that failed."""
    answer = InvokeAnswer(200, json.dumps({"errorType": name}).encode(), "Unhandled")
    failure = failure_of(answer, "sync", TABLE)
    assert failure is not None
    return failure


def unclassed(modelled: Iterable[str], table: ErrorTable) -> list[str]:
    """Errors that have no row of their own."""
    there = {one.name for one in table.entries if one.section == "api"}
    return [name for name in modelled if name not in there]


def modelled() -> list[str]:
    return [error["shape"] for error in MODEL["operations"]["Invoke"]["errors"]]


def test_every_error_that_botocore_models_has_a_row() -> None:
    """When AWS adds one, this fails until somebody has said in errors.yaml what to do about it."""
    assert unclassed(modelled(), TABLE) == []
    assert set(modelled()) == set(API), "the table above holds each of them, too"


def test_an_error_that_aws_adds_is_seen() -> None:
    """A planted one: the test above can fail."""
    planted = [*modelled(), "TurbineJammedException"]
    assert unclassed(planted, TABLE) == ["TurbineJammedException"]


def test_every_throttle_reason_of_the_model_has_a_row() -> None:
    """With a limiter to act on, or a hold."""
    reasons = set(MODEL["shapes"]["ThrottleReason"]["enum"])
    assert reasons == set(THROTTLES)
    assert reasons == {one.name for one in TABLE.entries if one.section == "throttles"}


def test_a_denial_for_its_arguments_is_the_documents_own() -> None:
    """The function host says so; every other denial holds the function, as AWS's do."""
    body = {"Message": "User is not authorized"}
    other = answered(403, "AccessDeniedException", body)
    mine = answered(403, "AccessDeniedException", {**body, "Reason": "ArgumentsNotAllowed"})
    assert (other.scope, chain(other)[:4]) == ("function", "hold")
    assert (mine.scope, chain(mine), mine.error_class) == ("record", "onError", "AccessDeniedException")


@pytest.mark.parametrize("name", API)
def test_statuses_are_those_of_the_model(name: str) -> None:
    """What the table prints is what AWS sends."""
    assert TABLE.find(name)[0].status == status_of(name)


@pytest.mark.parametrize(("name", "expected"), {**API, **NOT_MODELLED}.items())
def test_errors_of_the_api(name: str, expected: tuple[str, str]) -> None:
    """Scope, and what is tried in which order."""
    failure = answered(status_of(name), name, {"Message": "no"})
    assert (failure.error_class, failure.scope, chain(failure)) == (name, *expected)


@pytest.mark.parametrize(("reason", "expected"), THROTTLES.items())
def test_throttle_reasons(reason: str, expected: tuple[str, str, str | None]) -> None:
    """Each acts on a limiter of its own."""
    failure = answered(429, "TooManyRequestsException", {"Reason": reason, "message": "slow down"})
    assert failure.entry is not None
    assert (failure.scope, chain(failure), failure.entry.limiter) == expected
    assert reason in failure.reason


def test_an_unknown_throttle_reason_is_a_throttle() -> None:
    """AWS may add one; whatever is in its place."""
    for reason in ("NewLimitExceeded", None, 5, ["x"]):
        failure = answered(429, "TooManyRequestsException", {"Reason": reason})
        assert (failure.scope, chain(failure)) == API["TooManyRequestsException"]


@pytest.mark.parametrize(("status", "expected"), STATUSES.items())
@pytest.mark.parametrize("name", [None, "SomethingNewException"])
def test_statuses_of_answers_without_a_known_name(
    status: int, name: str | None, expected: tuple[str, str]
) -> None:
    """Every answer has a row."""
    failure = answered(status, name)
    assert (failure.scope, chain(failure)) == expected


@pytest.mark.parametrize(("error", "expected"), FUNCTION_ERRORS.items())
def test_errors_of_the_function(error: tuple[str | None, str], expected: tuple[str, str]) -> None:
    """By type, and by message where the type does not tell."""
    name, message = error
    body = {"errorMessage": message, **({} if name is None else {"errorType": name})}
    answer = InvokeAnswer(200, json.dumps(body).encode(), "Unhandled")
    failure = failure_of(answer, "sync", TABLE)
    assert failure is not None
    assert failure.is_function_error
    assert (failure.scope, chain(failure)) == expected
    assert failure_of(answer, "async", TABLE) is None, "of an async call there is no answer"


@pytest.mark.parametrize(("error", "scope", "reaction", "is_unknown"), TRANSPORT)
def test_calls_without_a_whole_answer(error: Retryable, scope: str, reaction: str, is_unknown: bool) -> None:
    """Refused, timed out, reset, too large."""
    failure = judge_error(error, TABLE)
    assert (failure.error_class, failure.scope) == (type(error).__name__, scope)
    assert (chain(failure), failure.outcome_unknown) == (reaction, is_unknown)


@pytest.mark.parametrize(
    ("failure", "expected"),
    [
        (judge_error(TimedOut("late"), TABLE), "retry 4 onError"),
        (judge_error(AnswerTooLarge("7 MB"), TABLE), ON_ERROR),
        (answered(413, "RequestTooLargeException"), ON_ERROR),
        (thrown("Runtime.ExitError"), "retry 2 onError"),
        (thrown("ValueError"), ON_ERROR),
        (CallFailure("the function said fail", "record", "record", False), ON_ERROR),
        (CallFailure("the function said retry", "record", "record", True), "retry 4 onError"),
    ],
)  # fmt: skip
def test_a_single_record_is_never_split(failure: CallFailure, expected: str) -> None:
    """What the table says comes after the split; a record that has no row goes to `onError`."""
    assert chain(failure, records=1) == expected


def test_an_async_repeat_of_a_durable_execution_is_accepted() -> None:
    """It runs already; a sync call has no answer to set and is `onError`'s."""
    answer = InvokeAnswer(409, b"{}", error_type="DurableExecutionAlreadyStartedException")
    assert failure_of(answer, "async", TABLE) is None
    assert failure_of(answer, "sync", TABLE) is not None


MAY_HAVE_RUN = (
    judge_error(TimedOut("late"), TABLE),
    judge_error(UnknownOutcome("reset"), TABLE),
    answered(500, "ServiceException"),
    answered(504, None),
    answered(410, "EFSIOException"),
)
DID_NOT_RUN = (
    (judge_error(NotSent("refused"), TABLE), "retry"),
    (answered(409, "ResourceConflictException"), "retry"),
    (answered(429, "TooManyRequestsException"), "retry"),
    (answered(413, "RequestTooLargeException"), "split"),
    (answered(404, "ResourceNotFoundException"), "hold"),
)


@pytest.mark.parametrize("failure", MAY_HAVE_RUN)
@pytest.mark.parametrize("records", [1, 2])
def test_what_may_have_run_is_not_sent_again_where_the_stage_says_so(
    failure: CallFailure, records: int
) -> None:
    """`onUnknown: onError`: neither whole nor in halves; by default it is."""
    never = RetryPolicy(5, 120.0, 0.1, 20.0, "onError")
    assert decide(never, failure, Spent(1), 0.0, records) == Decision("onError")
    assert not never.allows(failure)
    assert decide(POLICY, failure, Spent(1), 0.0, records).action in ("retry", "split")


@pytest.mark.parametrize(("failure", "action"), DID_NOT_RUN)
def test_what_did_not_run_is_not_unknown(failure: CallFailure, action: Action) -> None:
    """`onUnknown: onError` leaves it as it is."""
    never = RetryPolicy(5, 120.0, 0.1, 20.0, "onError")
    assert decide(never, failure, Spent(1), 0.0, 2).action == action


def test_a_throttled_call_waits_as_long_as_was_asked() -> None:
    """Retry-After, whatever the policy's cap; beyond the policy's time it holds."""
    asked = failure_of(InvokeAnswer(429, b"{}", retry_after_seconds=30.0), "sync", TABLE)
    assert asked is not None
    assert decide(POLICY, asked, Spent(1), 0.0, 1) == Decision("retry", 30.0, counts=False)
    assert decide(POLICY, asked, Spent(1, 3, 91.0), 0.0, 1).action == "hold"
