"""Regular expressions as PCRE reads them."""

from __future__ import annotations

import pytest

from workers.pipeline.patterns import MAX_PATTERN_CHARACTERS, PatternError, compile_pattern

READ = [
    ("^a$", "", ["a", "a\n"], ["a\nb", "ba"]),
    ("^b$", "m", ["a\nb\nc"], ["ab"]),
    ("a.b", "s", ["a\nb"], ["ab"]),
    ("a b # the rest", "x", ["ab"], ["a b"]),
    ("a\\ b[ #]c", "x", ["a bc".replace("bc", "b c"), "a b#c"], ["abc"]),
    ("привет", "i", ["ПРИВЕТ"], ["hello"]),
    ("привет", "iu", ["ПРИВЕТ"], ["hello"]),
    (r"^\d\w\s$", "", ["1a "], ["٣a ", "1é ", "1a\u2003"]),
    (r"^[\d\w]+$", "", ["1a_"], ["é", "٣"]),
    (r"^[\D]$", "", ["é", "a"], ["5"]),
    (r"^[^\W]$", "", ["a"], ["é", " "]),
    (r"\bcat\b", "", ["a cat!", "écat"], ["cats"]),
    (r"a\Bb", "", ["ab"], ["a b"]),
    (r"a\z", "", ["a"], ["a\n"]),
    (r"a\Z", "", ["a", "a\n"], ["a\nb"]),
    (r"^\Qa.b\E.$", "", ["a.bc"], ["axbc"]),
    (r"\Q(", "", ["("], [")"]),
    (r"^\x41\x{1F600}\e$", "", ["A😀\x1b"], ["A"]),
    (r"^a\h+b\H\N$", "", ["a \tbxy"], ["a\nbxy"]),
    (r"^a\Rb$", "", ["a\r\nb", "a\nb", "a\u2028b"], ["a b"]),
    ("^[[:alpha:][:digit:]_]+$", "", ["a1_"], ["é", "-"]),
    ("^[[:^digit:]]$", "", ["a"], ["1"]),
    ("^[]a]+$", "", ["]a"], ["b"]),
    ("^[^]a]$", "", ["b"], ["]", "a"]),
    ("^[[a&&b]+$", "", ["[&ab"], ["c"]),
    (r"^[\]\-\\\x{62}]+$", "", ["]-\\b"], ["a"]),
    (r"(?<x>a)\k<x>(?'y'b)\k{y}\g{1}\g2", "", ["aabbab"], ["ab"]),
    ("(?i)abc", "", ["ABC"], ["abd"]),
    ("^a(?i)b|c$", "", ["aB", "C"], ["Ab"]),
    ("^(a(?i)b|c)d$", "", ["aBd", "Cd"], ["abD", "Abd"]),
    ("(?i)a(?-i)b", "", ["Ab"], ["AB"]),
    ("^(?:a|(?=b)b)(?#why)(?>c+)(?<!d)e$", "", ["ace", "bcce"], ["ade"]),
    ("^(a)?(?(1)b|c)$", "", ["ab", "c"], ["ac"]),
    ("a++b", "", ["aab"], ["aac"]),
    ("", "", ["", "x"], []),
]


@pytest.mark.parametrize(("pattern", "options", "found", "others"), READ)
def test_a_pattern_finds_what_pcre_finds(
    pattern: str, options: str, found: list[str], others: list[str]
) -> None:
    """Classes are ASCII, case is Unicode, options in mid-pattern hold to the end of their group."""
    search = compile_pattern(pattern, options).search
    assert [text for text in found if not search(text)] == []
    assert [text for text in others if search(text)] == []


REFUSED = [
    ("(", "", "not valid"),
    ("[a", "", "has no end"),
    ("a**", "", "not valid"),
    ("a\\", "", "ends in a backslash"),
    ("a", "g", "unknown option 'g'"),
    ("a\0b", "", "a zero character"),
    ("a" * (MAX_PATTERN_CHARACTERS + 1), "", "the limit is"),
    (r"a\Kb", "", r"\\K"),
    (r"\p{L}", "", "Unicode properties"),
    (r"[\p{L}]", "", "Unicode properties"),
    (r"\y", "", "no escape"),
    (r"\x{110000}", "", "beyond Unicode"),
    ("(?R)", "", "recursion"),
    ("(a)(?1)", "", "recursion"),
    ("(*FAIL)", "", "verbs"),
    ("(?|a|b)", "", "branch reset"),
    ("a(?x) b", "", "option x within"),
    ("(?#a", "", "has no end"),
    ("[[:nope:]]", "", "not supported"),
    ("(" * 5000 + ")" * 5000, "", "not valid"),
    ("a{99999999999}", "", "not valid"),
]


@pytest.mark.parametrize(("pattern", "options", "words"), REFUSED, ids=range(len(REFUSED)))
def test_what_cannot_be_read_is_refused_in_words(pattern: str, options: str, words: str) -> None:
    """Nothing is silently read as something else."""
    with pytest.raises(PatternError, match=words):
        compile_pattern(pattern, options)
