"""Signature Version 4: whatever botocore signs is let in, and nothing else is."""

from __future__ import annotations

import calendar
import re
import time
from collections.abc import Mapping
from typing import cast
from urllib.parse import quote, urlsplit

import pytest
from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials
from hypothesis import given
from hypothesis import strategies as st
from multidict import CIMultiDict

from workers.functions.answers import ApiError
from workers.functions.authentication.accounts import AccessKey
from workers.functions.authentication.signature import (
    CLOCK_SECONDS,
    Signatures,
    SignedRequest,
    canonical_path,
    canonical_query,
)
from workers.functions.context import User

URL = "http://127.0.0.1:9000/2015-03-31/functions/addOne/invocations"
SECRET = "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY"
WORKER = User("worker", "server")
CHECKS = Signatures({"AKIDEXAMPLE": AccessKey(SECRET, WORKER)})
TEXTS = st.text(st.characters(codec="ascii", min_codepoint=33, max_codepoint=126), min_size=1, max_size=12)


def signed(
    url: str = URL,
    body: bytes = b"41",
    headers: Mapping[str, str] | None = None,
    *,
    keys: Credentials | None = None,
    service: str = "lambda",
) -> tuple[SignedRequest, float]:
    """A request as botocore signs it, and the time it says."""
    request = AWSRequest("POST", url, data=body, headers=dict(headers or {}))
    SigV4Auth(keys or Credentials("AKIDEXAMPLE", SECRET), service, "eu-west-1").add_auth(request)
    parts = urlsplit(url)
    sent = CIMultiDict({"Host": parts.netloc, "User-Agent": "test", **dict(request.headers.items())})
    now = calendar.timegm(time.strptime(sent["X-Amz-Date"], "%Y%m%dT%H%M%SZ"))
    return made("POST", parts.path, parts.query, sent, body), now


def made(method: str, path: str, query: str, headers: CIMultiDict[str], body: bytes) -> SignedRequest:
    """A request with these parts."""
    return SignedRequest(method, path, query, headers, frozenset(name.lower() for name in headers), body)


def copied(request: SignedRequest) -> CIMultiDict[str]:
    """Headers to change."""
    return CIMultiDict(cast("CIMultiDict[str]", request.headers))


def refusal(request: SignedRequest, now: float) -> ApiError:
    """How the request is refused."""
    with pytest.raises(ApiError) as caught:
        CHECKS.user(request, now)
    assert caught.value.status == 403
    assert SECRET not in caught.value.body().decode()
    return caught.value


@given(
    name=st.text("abc/%:é ~", min_size=1, max_size=8),
    query=st.dictionaries(TEXTS, TEXTS, max_size=3),
    body=st.binary(max_size=64),
    value=TEXTS,
)
def test_what_botocore_signs_is_let_in(name: str, query: dict[str, str], body: bytes, value: str) -> None:
    """Any name, query, body and header."""
    pairs = "&".join(f"{quote(key, safe='-_.~')}={quote(one, safe='-_.~')}" for key, one in query.items())
    url = f"http://host.example:8000/2015-03-31/functions/{quote(name, safe='')}/invocations"
    request, now = signed(
        f"{url}?{pairs}" if pairs else url, body, {"X-Amz-Client-Context": f" {value}  {value} "}
    )
    assert CHECKS.user(request, now) is WORKER


@pytest.mark.parametrize("shift", [-CLOCK_SECONDS, 0, CLOCK_SECONDS])
def test_five_minutes_of_clock_are_allowed(shift: int) -> None:
    """As AWS allows them, both ways."""
    request, now = signed()
    assert CHECKS.user(request, now + shift) is WORKER


@pytest.mark.parametrize(
    ("shift", "text"), [(CLOCK_SECONDS + 1, "Signature expired: "), (-CLOCK_SECONDS - 1, "not yet current: ")]
)
def test_a_signature_of_another_time_is_refused(shift: int, text: str) -> None:
    """With both times, so that a wrong clock is found."""
    request, now = signed()
    error = refusal(request, now + shift)
    assert error.code == "InvalidSignatureException"
    assert re.search(
        rf"{text}\d{{8}}T\d{{6}}Z is (now earlier|still later) than \d{{8}}T\d{{6}}Z", error.message
    )


def test_whatever_is_changed_on_the_way_is_refused() -> None:
    """Method, path, query, body, a signed header, the signature, its secret."""
    request, now = signed(f"{URL}?Qualifier=live", headers={"X-Amz-Invocation-Type": "Event"})
    headers = copied(request)
    other_type = CIMultiDict(headers, **{"X-Amz-Invocation-Type": "DryRun"})
    del headers["X-Amz-Invocation-Type"]
    whole = copied(request)
    forged = CIMultiDict(whole)
    forged["Authorization"] = whole["Authorization"][:-1] + (
        "0" if whole["Authorization"][-1] != "0" else "1"
    )
    changed = [
        made("PUT", request.path, request.query, whole, request.body),
        made("POST", request.path + "/", request.query, whole, request.body),
        made("POST", request.path, "Qualifier=test", whole, request.body),
        made("POST", request.path, request.query, whole, b"42"),
        made("POST", request.path, request.query, other_type, request.body),
        made("POST", request.path, request.query, headers, request.body),
        made("POST", request.path, request.query, forged, request.body),
        signed(keys=Credentials("AKIDEXAMPLE", "another-secret-0000"))[0],
    ]
    errors = [refusal(one, now) for one in changed]
    assert {error.code for error in errors} == {"InvalidSignatureException"}
    assert {error.message[:29] for error in errors} == {"The request signature we calc"}


def test_who_is_not_known_is_refused() -> None:
    """Another key id, and our key with a session's token, which none of ours comes with."""
    unknown = signed(keys=Credentials("AKIDOTHER", SECRET))
    session = signed(keys=Credentials("AKIDEXAMPLE", SECRET, "a-token"))
    assert {refusal(*one).code for one in (unknown, session)} == {"UnrecognizedClientException"}


@pytest.mark.parametrize(
    ("found", "instead", "code"),
    [
        (r"/lambda/", "/s3/", "InvalidSignatureException"),
        (r"/\d{8}/", "/20200101/", "InvalidSignatureException"),
        (r"aws4_request", "aws5", "IncompleteSignatureException"),
        (r"Credential=[^,]*, ", "", "IncompleteSignatureException"),
        (r"Signature=.*", "", "IncompleteSignatureException"),
        (r"SignedHeaders=[^,]*", "SignedHeaders=host", "IncompleteSignatureException"),
        (r"SignedHeaders=[^,]*", "SignedHeaders=x-amz-date", "IncompleteSignatureException"),
        (r"SignedHeaders=[^,]*", f"SignedHeaders={';'.join('h' * 101)}", "IncompleteSignatureException"),
    ],
)
def test_a_header_that_is_no_signature_says_what_is_wrong(found: str, instead: str, code: str) -> None:
    """The scope, missing parts, and headers that must be signed."""
    request, now = signed()
    headers = copied(request)
    headers["Authorization"] = re.sub(found, instead, headers["Authorization"])
    assert refusal(made("POST", request.path, "", headers, request.body), now).code == code


@pytest.mark.parametrize("stamp", ["", "yesterday", "20251399T000000Z"])
def test_a_request_without_a_time_is_refused(stamp: str) -> None:
    """A signature that counts for ever is none."""
    request, now = signed()
    headers = copied(request)
    headers["X-Amz-Date"] = stamp
    assert refusal(made("POST", request.path, "", headers, b"41"), now).code == "IncompleteSignatureException"
    headers.add("X-Amz-Date", stamp)
    assert refusal(made("POST", request.path, "", headers, b"41"), now).code == "IncompleteSignatureException"


def test_a_header_put_in_on_the_way_is_refused() -> None:
    """One that changes what the call does, and was not signed."""
    request, now = signed()
    headers = copied(request)
    headers["X-Amz-Invocation-Type"] = "Event"
    error = refusal(made("POST", request.path, "", headers, b"41"), now)
    assert error.message == "'x-amz-invocation-type' must be a 'SignedHeader' in the AWS Authorization."


def test_paths_and_queries_have_one_spelling() -> None:
    """Dot segments, slashes, order and encoding."""
    assert canonical_path("/a//b/../c/./d%2Fe/") == "/a/c/d%252Fe/"
    assert canonical_path("") == "/"
    assert canonical_query("b=2&a=%7e&a=$x&c") == "a=%24x&a=~&b=2&c="


@given(
    text=st.binary(max_size=60).map(lambda data: data.decode("utf-8", "surrogateescape")),
    place=st.sampled_from(["authorization", "x-amz-date", "host", "path", "query", "region", "signature"]),
)
def test_no_text_breaks_the_check(text: str, place: str) -> None:
    """Bytes that are no UTF-8 arrive as halves of surrogate pairs: refused like any other text."""
    request, now = signed()
    headers = copied(request)
    if place in ("authorization", "x-amz-date", "host"):
        headers[place] = text
    elif place == "region":
        headers["Authorization"] = headers["Authorization"].replace("eu-west-1", text or "-")
    elif place == "signature":
        headers["Authorization"] = headers["Authorization"][:-64] + (text or "-")
    path = f"/{text}" if place == "path" else request.path
    query = f"a={text}" if place == "query" else ""
    assert refusal(made("POST", path, query, headers, b"41"), now).status == 403
