"""Patterns that Python's `re` searches find what PCRE2 finds."""

from __future__ import annotations

import pcre2  # type: ignore[import-untyped]
from hypothesis import assume, given
from hypothesis import strategies as st

from workers.pipeline.patterns import PatternError, compile_pattern

pieces = st.sampled_from(
    [
        *(
            "a",
            "b",
            "S",
            "k",
            "1",
            " ",
            "-",
            "\n",
            "\u00e9",
            "\u017f",
            "\U0001f642",
            ".",
            "\\.",
            "\\\\",
            "\\-",
        ),
        *("\\d", "\\w", "\\s", "\\D", "\\W", "\\S", "\\b", "[ab]", "[^a-z]", "[A-Z0-9 _]", "[^ ]"),
        *("?", "*", "+", "{2}", "{0,3}", "{12,3}", "{", "}", "|", "(", "(?:", ")", "^", "$", "[", "]"),
    ]
)
patterns = st.lists(pieces, max_size=7).map("".join)
alphabet = "abBsSkK1 -_.\\\n\r\t\x0b\u00e9\u00c9\u017f\u212a\u0130\u0131\u0663\u2028\U0001f642"
texts = st.text(st.sampled_from(alphabet), max_size=10)
options = st.sets(st.sampled_from("ims")).map(lambda letters: "".join(sorted(letters)))
FLAGS = {"i": pcre2.IGNORECASE, "m": pcre2.MULTILINE, "s": pcre2.DOTALL}


@given(patterns, options, st.lists(texts, min_size=1, max_size=5))
def test_both_searches_agree(pattern: str, letters: str, subjects: list[str]) -> None:
    """Where and what, each group, from the start of the text and from within it."""
    try:
        compiled = compile_pattern(pattern, letters)
    except PatternError:
        assume(False)
    assume(compiled.is_quick)
    flags = pcre2.ASCII
    for letter in letters:
        flags |= FLAGS[letter]
    search = pcre2.compile(pattern, flags).search
    for subject in subjects:
        for start in {0, len(subject) // 2}:
            found, expected = compiled.search(subject, start), search(subject, start)
            assert (found is None) is (expected is None), (pattern, letters, subject, start)
            if found is not None:
                assert (found.start(), found.end()) == (expected.start(), expected.end())
                assert found.groups() == expected.groups()
