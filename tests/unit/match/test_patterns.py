"""Regular expressions as PCRE reads them, and how long they may take."""

from __future__ import annotations

import time

import pytest

from workers.errors import Poison
from workers.pipeline.patterns import (
    MAX_PATTERN_CHARACTERS,
    MAX_TEXT_CHARACTERS,
    PatternError,
    compile_pattern,
)

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
    (r"^\x4\x\x{62}\x{1F600}$".replace(r"\x\x", r"\x{63}\x"), "", ["\x04cb😀"], ["x4"]),
    (r"^\\d\\x{2}$", "", [r"\d\xx"], [r"\5\x{2}"]),
    (r"\Q\x{41}\E\x{41}", "", [r"\x{41}A"], ["AA"]),
    (r"^\p{Lu}\X$", "", ["Ée\u0301"], ["ée"]),
    (r"a\Kb(*ACCEPT)c", "", ["ab"], ["a"]),
    (r"^(\((?:[^()]|(?1))*\))$", "", ["(a(b)c)"], ["(a(b)"]),
    ("^(?|(a)|(b))\\1$", "", ["aa", "bb"], ["ab"]),
    ("a(?x) b # c", "", ["ab"], ["a b"]),
    ("i", "i", ["I"], ["\u0130"]),
    ("^\u0131$", "i", ["\u0131"], ["I"]),
    ("k|\u00df", "i", ["\u212a", "\u1e9e"], ["x"]),
    ("^b", "m", ["a\nb"], ["ab"]),
    ("^$", "m", ["a\n\nb"], ["a\n"]),
    ("a.b", "", ["a\rb"], ["a\nb"]),
    ("a$", "", ["a\n"], ["a\r\n"]),
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
    ("[a", "", "not valid"),
    ("a**", "", "not valid"),
    ("a\\", "", "not valid"),
    ("a", "g", "unknown option 'g'"),
    ("a\0b", "", "a zero character"),
    ("a" * (MAX_PATTERN_CHARACTERS + 1), "", "the limit is"),
    (r"\y", "", "not valid"),
    (r"\u0041", "", "write"),
    (r"\x{110000}", "", "no character of Unicode"),
    (r"\x{d800}", "", "no character of Unicode"),
    ("\ud800", "", "a lone surrogate"),
    ("(?<=a+)b", "", "not valid"),
    (r"a\Cb", "", "not valid"),
    ("(?#a", "", "not valid"),
    ("[[:nope:]]", "", "not valid"),
    ("(" * 5000 + ")" * 5000, "", "not valid"),
    ("a{99999999999}", "", "not valid"),
]


@pytest.mark.parametrize(("pattern", "options", "words"), REFUSED, ids=range(len(REFUSED)))
def test_what_cannot_be_read_is_refused_in_words(pattern: str, options: str, words: str) -> None:
    """Nothing is silently read as something else."""
    with pytest.raises(PatternError, match=words):
        compile_pattern(pattern, options)


RUNAWAYS = [
    ("(a+)+$", "a" * 40 + "b"),
    ("^(([a-z])+.)+[A-Z]([a-z])+$", "a" * 60),
    ("(?:a|aa)+$", "a" * 30_000 + "b"),
    ("(?R)?a", "a"),
    (r"x(?:a|b|x)*\d", "xa" * 20_000 + "!"),
    (r"\s+$", " " * (MAX_TEXT_CHARACTERS + 1)),
]


@pytest.mark.parametrize(("pattern", "text"), RUNAWAYS, ids=range(len(RUNAWAYS)))
def test_no_search_goes_on_for_ever(pattern: str, text: str) -> None:
    """It gives up, in some 25 ms of this thread's own time, and refuses the document."""
    search = compile_pattern(pattern).search
    began = time.thread_time()
    with pytest.raises(Poison, match=r"gave up|at most 65536 characters"):
        search(text)
    assert time.thread_time() - began < 5


def test_a_search_that_needs_more_stack_than_machine_code_has_still_ends() -> None:
    """It is interpreted; what would take too long that way is refused."""
    search = compile_pattern("^(?:a|b)*c").search
    assert search("ab" * 5_000 + "c").end() == 10_001
    assert search("ab" * 5_000 + "d") is None


def test_long_text_is_no_trouble_without_unbounded_repetition() -> None:
    """By either way of searching."""
    text = "x" * 1_000_000 + "needle 7"
    for pattern in ("needle", r"needle \d{1,3}$", r"(?<=needle) \d"):
        assert compile_pattern(pattern).search(text).group().strip() in ("needle", "needle 7", "7")


def test_text_that_is_no_unicode_is_refused() -> None:
    """A lone surrogate, which JSON can spell, has no UTF-8."""
    with pytest.raises(Poison, match="lone surrogate"):
        compile_pattern("(?<n>a)+").search("\ud800")


def test_simple_patterns_are_quick_and_others_are_not() -> None:
    """What is certain to mean the same and to end soon."""
    quick = [
        "paid",
        "^ab",
        r"^SKU-\d{4}$",
        "a+b",
        "a?b?",
        "^(?:x|y) z$",
        "[a-z ]+",
        r"\bcat\b",
        r"1\.5",
        "a|b",
    ]
    slow = [
        "a+b+",
        "(a+)+",
        "a?b?c?",
        "(?i)a",
        "a*?",
        "a++",
        "(a)(b)(c)",
        r"\Qa\E",
        "(?=a)",
        r"\x41",
        "a{2,}",
    ]
    assert [pattern for pattern in quick if not compile_pattern(pattern).is_quick] == []
    assert [pattern for pattern in slow if compile_pattern(pattern).is_quick] == []
    assert not compile_pattern("^a", "m").is_quick
    assert not compile_pattern("a b", "x").is_quick
    assert not compile_pattern("\u0131", "i").is_quick
