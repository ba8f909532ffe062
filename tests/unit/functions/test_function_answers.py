"""Bodies in AWS's shapes, read by AWS's own description of them."""

from __future__ import annotations

import json
import signal
from typing import Any

import botocore.session
import pytest

from workers.functions import answers

_ERRORS = [
    answers.not_found("x"),
    answers.too_large(5, "Event"),
    answers.throttled("Rate Exceeded.", "ConcurrentInvocationLimitExceeded"),
    answers.bad_content("no"),
    answers.bad_parameter("no"),
    answers.broken("no"),
]


@pytest.fixture(scope="module")
def shapes() -> Any:
    """botocore's model of Lambda."""
    return botocore.session.get_session().get_service_model("lambda")


@pytest.mark.parametrize("error", _ERRORS, ids=lambda error: error.code)
def test_errors_have_the_shape_that_aws_documents(error: answers.ApiError, shapes: Any) -> None:
    """Code, status and the spelling of every member are those of the service's model."""
    shape = next(one for one in shapes.operation_model("Invoke").error_shapes if one.name == error.code)
    assert shape.metadata["error"]["httpStatusCode"] == error.status
    body = json.loads(error.body())
    assert set(body) <= set(shape.members)
    assert body["Type"] in ("User", "Service")


@pytest.mark.parametrize(
    ("status", "text"),
    [
        (3, "Runtime exited with error: exit status 3"),
        (-signal.SIGKILL, "Runtime exited with error: signal: killed"),
        (0, "Runtime exited without providing a reason"),
        (None, "Runtime exited with error: closed its channel to the host"),
    ],
)
def test_an_exit_names_how_the_process_ended(status: int | None, text: str) -> None:
    """Lambda's sentence, with the request id."""
    assert json.loads(answers.exited("r-1", status)) == {
        "errorType": "Runtime.ExitError",
        "errorMessage": f"RequestId: r-1 Error: {text}",
    }


def test_a_time_out_has_two_decimals() -> None:
    """As Lambda writes it."""
    assert json.loads(answers.timed_out("r-1", 3))["errorMessage"].endswith(
        "Task timed out after 3.00 seconds"
    )
