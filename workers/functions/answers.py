"""Bodies of the Lambda Invoke API: a function's own failures and the API's errors. Pure.

A function that fails is status 200 with `X-Amz-Function-Error: Unhandled` and one of the `*_error` bodies;
anything else is an `ApiError`, which the api turns into status, `x-amzn-ErrorType` and a JSON body.
"""

from __future__ import annotations

import signal
from dataclasses import dataclass
from typing import Any, Literal

import orjson

Reason = Literal[
    "ReservedFunctionConcurrentInvocationLimitExceeded",
    "ConcurrentInvocationLimitExceeded",
    "ArgumentsNotAllowed",
]


@dataclass(slots=True, eq=False)
class ApiError(Exception):
    """The call was not run (or, for 500, its outcome is unknown). `fault`: whose mistake, as AWS says it."""

    status: int
    code: str
    message: str
    fault: Literal["User", "Service"] = "User"
    reason: Reason | None = None
    retry_after_seconds: int | None = None

    def body(self) -> bytes:
        """The JSON body. Some of AWS's shapes spell `Message`, the others `message`: botocore reads both."""
        capital = self.code in {
            "AccessDeniedException",
            "RecursiveInvocationException",
            "ResourceNotFoundException",
            "ServiceException",
        }
        shape: dict[str, Any] = {"Type": self.fault, "Message" if capital else "message": self.message}
        if self.reason:
            shape["Reason"] = self.reason
        return orjson.dumps(shape)


def not_found(name: str) -> ApiError:
    """There is no such function."""
    return ApiError(404, "ResourceNotFoundException", f"Function not found: {name[:200]}")


def denied(name: str, *, is_for_arguments: bool = False) -> ApiError:
    """The manifest does not let this caller run the function. Which rule says so is for the log alone, but a
    pipeline has to know whether it is for its document (`is_for_arguments`) or for every one."""
    text = f"User is not authorized to perform: lambda:InvokeFunction on resource: function:{name[:200]}"
    return ApiError(
        403, "AccessDeniedException", text, reason="ArgumentsNotAllowed" if is_for_arguments else None
    )


def no_operation(method: str, path: str) -> ApiError:
    """Another operation of Lambda than those of this host."""
    text = (
        f"{method[:20]} {path[:80]}: this function host answers Invoke, GetFunction, "
        "GetFunctionConfiguration and ListFunctions; functions are the files of its app folder."
    )
    return bad_parameter(text)


def too_deep(most: int) -> ApiError:
    """Functions that call functions that call functions."""
    text = f"Functions call each other more than {most} levels deep."
    return ApiError(400, "RecursiveInvocationException", text)


def too_large(limit_bytes: int, invocation_type: str) -> ApiError:
    """The request's body is over the limit of its invocation type."""
    text = f"payload is too large for the {invocation_type} invocation type (limit {limit_bytes} bytes)"
    return ApiError(413, "RequestTooLargeException", text)


def throttled(message: str, reason: Reason, retry_after_seconds: int = 1) -> ApiError:
    """No room for this call now; it was not run."""
    return ApiError(
        429, "TooManyRequestsException", message, reason=reason, retry_after_seconds=retry_after_seconds
    )


def bad_content(message: str) -> ApiError:
    """The body or the client context is no JSON."""
    return ApiError(400, "InvalidRequestContentException", message)


def bad_parameter(message: str) -> ApiError:
    """A header, name or query parameter has a value that the API does not know."""
    return ApiError(400, "InvalidParameterValueException", message)


def broken(message: str) -> ApiError:
    """The host itself could not run the call."""
    return ApiError(500, "ServiceException", message, fault="Service")


def leaving() -> ApiError:
    """The host is stopping: another one, or this one a little later, will take the call."""
    return ApiError(
        503, "ServiceUnavailableException", "The function host is stopping.", "Service", retry_after_seconds=1
    )


def too_many(what: str) -> ApiError:
    """The host holds as much as it may; the call was not run."""
    text = f"The function host has no room: {what}."
    return ApiError(503, "ServiceUnavailableException", text, "Service", retry_after_seconds=1)


def function_error(error_type: str, message: str) -> bytes:
    """A failure that the host found, not the function's own code."""
    return orjson.dumps({"errorType": error_type, "errorMessage": message})


def timed_out(request_id: str, seconds: float) -> bytes:
    """The function was ended because its time was over."""
    text = f"RequestId: {request_id} Error: Task timed out after {seconds:.2f} seconds"
    return function_error("Sandbox.Timedout", text)


def exited(request_id: str, status: int | None) -> bytes:
    """The worker process ended within the call. `status` as `subprocess` gives it: negative for a signal."""
    if status is None:
        how = "Runtime exited with error: closed its channel to the host"
    elif status < 0:
        how = f"Runtime exited with error: signal: {(signal.strsignal(-status) or str(-status)).lower()}"
    elif status:
        how = f"Runtime exited with error: exit status {status}"
    else:
        how = "Runtime exited without providing a reason"
    return function_error("Runtime.ExitError", f"RequestId: {request_id} Error: {how}")


def too_many_processes(request_id: str, most: int) -> bytes:
    """The function started more processes than it may have; all of them were ended with it."""
    text = f"RequestId: {request_id} Error: Runtime exited with error: more than {most} processes"
    return function_error("Runtime.ExitError", text)
