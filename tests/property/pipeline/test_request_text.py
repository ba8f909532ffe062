"""Whatever a document puts into a path or a query comes out as it went in, and as nothing else."""

from __future__ import annotations

import re
from urllib.parse import parse_qsl, unquote, urlsplit

from hypothesis import given
from hypothesis import strategies as st

from workers.errors import Poison
from workers.pipeline.http_text import header_text, headers_of, parameter_text, path_text, target_of

TEXTS = st.text(st.characters(exclude_categories=["Cs"]), max_size=40)
BASE = "https://api.example.com/v1"


@given(TEXTS, st.dictionaries(TEXTS.filter(bool), TEXTS, max_size=4))
def test_a_target_is_a_path_and_a_query_behind_the_base(path: str, parameters: dict[str, str]) -> None:
    """Scheme and host stay, no fragment begins, the path does not climb, names and values are read back."""
    try:
        target = target_of(path_text(path), *(parameter_text(*one) for one in parameters.items()))
    except Poison:
        assert {".", ".."} & _segments(path.lstrip("/"))
        return
    assert target.isascii()
    assert target.isprintable()
    assert " " not in target
    parts = urlsplit(BASE + target)
    assert (parts.scheme, parts.netloc, parts.fragment) == ("https", "api.example.com", "")
    assert parts.path.startswith("/v1")
    assert not {".", ".."} & _segments(parts.path)
    assert dict(parse_qsl(parts.query, keep_blank_values=True, strict_parsing=bool(parameters))) == parameters
    if "%" not in path:
        assert unquote(parts.path.removeprefix("/v1").lstrip("/")) == path.lstrip("/")


def _segments(path: str) -> set[str]:
    """As servers see them that decode a path before they cut it, and leave parameters out."""
    return {segment.partition(";")[0] for segment in re.split(r"[/\\]", unquote(path))}


@given(TEXTS)
def test_a_header_is_one_line_or_nothing(value: str) -> None:
    """No value begins another header."""
    for _, text in headers_of(header_text("X-A", value)):
        assert not set("\r\n\0") & set(text)
        assert text.encode("latin-1") == bytes(map(ord, text))
