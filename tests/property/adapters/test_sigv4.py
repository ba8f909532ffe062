"""The signer against botocore's, which is the reference."""

from __future__ import annotations

import string
from datetime import UTC, datetime
from typing import Any
from unittest.mock import patch

import botocore.auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials as BotocoreCredentials
from hypothesis import given
from hypothesis import strategies as st

from workers.adapters.lambda_http import invocation_path
from workers.adapters.sigv4 import TOKEN, Credentials, RequestShape, Signer

VISIBLE = "".join(chr(code) for code in range(33, 127))
names = st.text(string.ascii_letters + string.digits + "-_.$ /äß%+", min_size=1, max_size=40).filter(
    lambda name: name.strip(".")
)
aliases = st.text(string.ascii_letters + string.digits + "-_$", min_size=1, max_size=12)
arns = st.builds(
    "arn:aws:lambda:{}:{:012d}:function:{}".format,
    st.sampled_from(["us-east-1", "eu-central-1", "us-gov-west-1"]),
    st.integers(0, 10**12 - 1),
    st.text(string.ascii_letters + "-_", min_size=1, max_size=64),
)
functions = st.one_of(
    names, arns, st.builds("{}:{}".format, names, aliases), st.builds("{}:{}".format, arns, aliases)
)
endpoints = st.sampled_from(
    [
        "https://lambda.us-east-1.amazonaws.com",
        "http://127.0.0.1:9000",
        "https://host:443",
        "http://host:80",
        "http://[::1]:3001",
        "https://api.example.com/prefix/v1",
    ]
)
queries = st.lists(
    st.tuples(
        st.text(string.ascii_letters + "-_.~%2F", min_size=1, max_size=8),
        st.text(string.ascii_letters + "$-", max_size=8),
    ),
    max_size=4,
)
header_names = st.text(string.ascii_letters + string.digits + "-", min_size=1, max_size=20).filter(
    lambda name: (
        name.lower()
        not in {
            "host", "x-amz-date", TOKEN, "authorization", "expect", "user-agent", "x-amzn-trace-id",
            "transfer-encoding", "date",
        }
    )
)  # fmt: skip
fixed_headers = st.dictionaries(header_names.map(str.lower), st.text(VISIBLE + "  ", max_size=30), max_size=5)
contexts = st.text(string.ascii_letters + string.digits + "+/=", max_size=80)
keys = st.text(VISIBLE, min_size=1, max_size=40)
tokens = st.none() | st.text(string.ascii_letters + string.digits + "+/=", min_size=1, max_size=200)
moments = st.integers(0, 4_102_444_799)


def by_botocore(
    url: str, headers: dict[str, str], body: bytes, credentials: Credentials, when: datetime, region: str
) -> Any:
    """The headers that botocore adds to the request."""
    signer = botocore.auth.SigV4Auth(
        BotocoreCredentials(
            credentials.access_key_id, credentials.secret_access_key, credentials.session_token
        ),
        "lambda",
        region,
    )
    request = AWSRequest("POST", url, data=body, headers=headers)
    with patch("botocore.auth.get_current_datetime", return_value=when):
        signer.add_auth(request)
    return request.headers


@given(
    endpoint=endpoints, function=functions, query=queries, headers=fixed_headers,
    context=st.none() | contexts, body=st.binary(max_size=300), access=keys, secret=keys, token=tokens,
    moments=st.lists(moments, min_size=1, max_size=3),
)  # fmt: skip
def test_the_authorization_is_botocores(
    endpoint: str, function: str, query: list[tuple[str, str]], headers: dict[str, str], context: str | None,
    body: bytes, access: str, secret: str, token: str | None, moments: list[int],
) -> None:  # fmt: skip
    """Any function, query, headers, body, keys and time: date and Authorization are equal to the letter."""
    url = endpoint + invocation_path(function)
    if query:
        url += ("&" if "?" in url else "?") + "&".join(f"{key}={value}" for key, value in query)
    varying: dict[str, str] = {}
    if context is not None:
        varying["x-amz-client-context"] = context
    if token is not None:
        varying[TOKEN] = token
    sent = {name: value for name, value in headers.items() if name not in varying}
    credentials = Credentials(access, secret, token)
    signer, shape = Signer("eu-west-1", "lambda"), RequestShape("POST", url, sent, varying)
    for moment in moments:  # one signer over several times: what it caches must not go stale
        expected = by_botocore(
            url, sent | ({} if context is None else {"X-Amz-Client-Context": context}), body, credentials,
            datetime.fromtimestamp(moment, UTC), "eu-west-1",
        )  # fmt: skip
        stamp, authorization = signer.sign(shape, credentials, moment + 0.5, body, varying)
        assert stamp == expected["X-Amz-Date"]
        assert authorization == expected["Authorization"]


@given(first=keys, second=keys, moment=moments, body=st.binary(max_size=50))
def test_changed_keys_are_used_at_once(first: str, second: str, moment: int, body: bytes) -> None:
    """Keys that were refreshed within the same day and second sign with the new secret."""
    url = "https://lambda.us-east-1.amazonaws.com/2015-03-31/functions/f/invocations"
    signer, shape = Signer("us-east-1", "lambda"), RequestShape("POST", url, {}, ())
    for secret in (first, second, first):
        credentials = Credentials("AKID", secret)
        when = datetime.fromtimestamp(moment, UTC)
        expected = by_botocore(url, {}, body, credentials, when, "us-east-1")
        assert signer.sign(shape, credentials, moment, body, {})[1] == expected["Authorization"]
