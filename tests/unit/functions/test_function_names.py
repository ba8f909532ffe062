"""Names of functions as callers may write them."""

from __future__ import annotations

import pytest

from workers.functions.names import BadName, Target, is_name, parse_target


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("addOne", Target("addOne", None)),
        ("utils/add", Target("utils/add", None)),
        ("addOne:live", Target("addOne", "live")),
        ("addOne:$LATEST", Target("addOne", "$LATEST")),
        ("function:addOne", Target("addOne", None)),
        ("123456789012:function:addOne", Target("addOne", None)),
        ("123456789012:function:addOne:7", Target("addOne", "7")),
        ("arn:aws:lambda:eu-central-1:123456789012:function:addOne", Target("addOne", None)),
        ("arn:aws-cn:lambda:cn-north-1:123456789012:function:utils/add:live", Target("utils/add", "live")),
    ],
)
def test_every_spelling_of_the_lambda_api_is_read(text: str, expected: Target) -> None:
    """Plain names, aliases, partial and full ARNs lead to the same function."""
    assert parse_target(text) == expected


@pytest.mark.parametrize(
    "text",
    [
        "",
        "a b",
        "../add",
        "/add",
        "add/",
        "add:",
        "add:b:c",
        "arn:aws:s3:::bucket",
        "a" * 65,
        "ä",
        "add\n",
        "a//b",
    ],
)
def test_what_is_no_name_is_refused(text: str) -> None:
    """Nothing that could leave the folder or mean two things is taken for a function."""
    with pytest.raises(BadName):
        parse_target(text)


def test_the_query_may_name_the_qualifier() -> None:
    """`?Qualifier=` alone or equal to the name's own; two that differ are refused as AWS refuses them."""
    assert parse_target("addOne", "live") == parse_target("addOne:live", "live") == Target("addOne", "live")
    with pytest.raises(BadName, match="does not match the specified qualifier"):
        parse_target("addOne:live", "test")
    with pytest.raises(BadName, match="no version or alias"):
        parse_target("addOne", "a b")


def test_a_name_has_a_bounded_length_and_depth() -> None:
    """64 characters a part, 9 parts."""
    assert is_name("/".join(["a" * 64] * 9))
    assert not is_name("/".join(["a"] * 10))
