r"""PCRE patterns, as the language writes them, to Python's `re`. Pure; compiled once at start.

Kept as in PCRE: `\d \w \s \b` are ASCII, `i` folds all of Unicode, `$` also matches before a last line break.
Translated: `\z \Z \h \H \R \N \e \x{...} \Q...\E`, `[:alpha:]`, `(?<name>...)`, `\k<name>`, `\g{1}`, and
options in mid-pattern. Refused, with the name of what it is: recursion, subroutines, verbs, callouts,
`\K \G \X \C`, Unicode properties, branch reset.
"""

from __future__ import annotations

import re
import warnings
from collections.abc import Callable
from typing import Final, TypeAlias

# The server's own limit for the length of a pattern.
MAX_PATTERN_CHARACTERS: Final = 16_384

OPTION_LETTERS: Final = "imsxu"
_FLAGS: Final = {"i": re.IGNORECASE, "m": re.MULTILINE, "s": re.DOTALL, "x": re.VERBOSE, "u": re.NOFLAG}

_POSIX: Final = {
    "alpha": "A-Za-z",
    "digit": "0-9",
    "alnum": "A-Za-z0-9",
    "upper": "A-Z",
    "lower": "a-z",
    "space": r"\t-\r ",
    "blank": r" \t",
    "punct": r"!-/:-@\[-`{-~",
    "cntrl": r"\x00-\x1f\x7f",
    "graph": "!-~",
    "print": " -~",
    "word": "A-Za-z0-9_",
    "xdigit": "A-Fa-f0-9",
    "ascii": r"\x00-\x7f",
}
_NOT_POSIX: Final = {
    "digit": r"\x00-/:-\U0010ffff",
    "word": r"\x00-/:-@\[-\^`{-\U0010ffff",
    "space": r"\x00-\x08\x0e-\x1f!-\U0010ffff",
}
_HORIZONTAL: Final = r" \t\xa0\u1680\u180e\u2000-\u200a\u202f\u205f\u3000"
_IN_CLASS: Final = {
    "d": _POSIX["digit"],
    "w": _POSIX["word"],
    "s": _POSIX["space"],
    "D": _NOT_POSIX["digit"],
    "W": _NOT_POSIX["word"],
    "S": _NOT_POSIX["space"],
    "h": _HORIZONTAL,
    "b": r"\x08",
    "e": r"\x1b",
}
_OUTSIDE: Final = {
    **{letter: f"(?a:\\{letter})" for letter in "dwsDWSbB"},
    "z": r"\Z",
    "Z": r"(?=\n?\Z)",
    "A": r"\A",
    "h": f"[{_HORIZONTAL}]",
    "H": f"[^{_HORIZONTAL}]",
    "N": r"[^\n]",
    "R": r"(?:\r\n|[\n-\r\x85\u2028\u2029])",
    "e": r"\x1b",
}
_SAME: Final = frozenset("nrtfv")
_REFUSED: Final = {
    "K": "the start of the match reset",
    "G": "the anchor of the last match",
    "X": "grapheme clusters",
    "C": "single bytes",
    "p": "Unicode properties",
    "P": "Unicode properties",
    "o": "octal escapes in braces",
    "V": "vertical white space negated",
    "E": "the end of a quotation that was never begun",
}


Search: TypeAlias = "Callable[..., re.Match[str] | None]"
"""(text, where to start = 0) -> the first match from there on. What comes before the start is still seen."""


class PatternError(ValueError):
    """The pattern cannot be used. The text says what and why, for a person."""


def compile_pattern(pattern: str, options: str = "") -> re.Pattern[str]:
    """The pattern ready for `search`. `options` are of the letters i m s x u. Raises PatternError."""
    unknown = "".join(letter for letter in options if letter not in OPTION_LETTERS)
    if unknown:
        raise PatternError(f"unknown option {unknown[0]!r}: the options are i, m, s, x and u")
    if len(pattern) > MAX_PATTERN_CHARACTERS:
        raise PatternError(
            f"the pattern has {len(pattern)} characters, the limit is {MAX_PATTERN_CHARACTERS}"
        )
    if "\0" in pattern:
        raise PatternError("the pattern holds a zero character")
    flags = re.NOFLAG
    for letter in options:
        flags |= _FLAGS[letter]
    text = _Translation(pattern, "x" in options).run()
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # `[[` and `--` in a class mean in PCRE what they look like
            return re.compile(text, flags)
    except (re.error, OverflowError, RecursionError) as error:
        raise PatternError(f"the pattern is not valid: {getattr(error, 'msg', error)}") from None


class _Translation:
    """One pass over a pattern. `opened` holds, for each open group, the option groups opened within it."""

    def __init__(self, pattern: str, is_extended: bool) -> None:
        self.pattern, self.position, self.is_extended = pattern, 0, is_extended
        self.out: list[str] = []
        self.opened: list[list[str]] = [[]]

    def run(self) -> str:
        """The whole pattern in Python's words."""
        pattern, steps = self.pattern, self.steps()
        while self.position < len(pattern):
            character = pattern[self.position]
            step = steps.get(character)
            if step is not None:
                step()
            else:
                self.out.append(character)
                self.position += 1
        return "".join(self.out) + ")" * len(self.opened[0])

    def steps(self) -> dict[str, Callable[[], None]]:
        """The characters that start something to translate."""
        steps = {
            "\\": self.escape,
            "[": self.character_class,
            "(": self.group,
            ")": self.group_end,
            "|": self.branch,
        }
        return {**steps, "#": self.comment} if self.is_extended else steps

    def comment(self) -> None:
        """To the end of the line, in extended patterns: what is in it is no pattern."""
        end = self.pattern.find("\n", self.position)
        self.position = len(self.pattern) if end < 0 else end + 1

    def escape(self) -> None:
        """A backslash outside a character class."""
        rest = self.pattern[self.position + 1 : self.position + 2]
        if not rest:
            raise PatternError("the pattern ends in a backslash")
        if rest in _REFUSED:
            raise PatternError(f"\\{rest} ({_REFUSED[rest]}) is not supported")
        if rest == "Q":
            end = self.pattern.find("\\E", self.position + 2)
            quoted = self.pattern[self.position + 2 : end if end >= 0 else None]
            self.out.append(re.escape(quoted))
            self.position = end + 2 if end >= 0 else len(self.pattern)
            return
        reference = re.compile(r"\\(?:k[<{'](\w+)[>}']|g\{?(\w+)\}?)").match(self.pattern, self.position)
        if reference:
            name = reference[1] or reference[2]
            self.out.append(f"(?:\\{name})" if name.isdigit() else f"(?P={name})")
            self.position = reference.end()
            return
        if rest in _OUTSIDE:
            self.out.append(_OUTSIDE[rest])
            self.position += 2
            return
        self.out.append(self.plain_escape(rest))

    def plain_escape(self, rest: str) -> str:
        """Escapes alike inside and outside a class; moves past them."""
        number = re.compile(r"\\x(?:\{([0-9A-Fa-f]{1,6})\}|([0-9A-Fa-f]{0,2}))").match(
            self.pattern, self.position
        )
        if number:
            self.position = number.end()
            code = int(number[1] or number[2] or "0", 16)
            if code > 0x10FFFF:
                raise PatternError(f"\\x{{{code:x}}} is beyond Unicode")
            return re.escape(chr(code))
        if rest.isascii() and rest.isalpha() and rest not in _SAME and rest != "a":
            raise PatternError(f"\\{rest} is no escape of a regular expression")
        self.position += 2
        return f"\\{rest}"

    def character_class(self) -> None:
        """`[...]`, with POSIX names and escapes in it."""
        pattern, start = self.pattern, self.position
        self.position += 1
        self.out.append("[")
        if pattern.startswith("^", self.position):
            self.out.append("^")
            self.position += 1
        is_first = True
        while self.position < len(pattern):
            character = pattern[self.position]
            posix = re.compile(r"\[:(\^?)([a-z]+):\]").match(pattern, self.position)
            if character == "]" and not is_first:
                self.out.append("]")
                self.position += 1
                return
            if posix:
                self.posix_name(posix)
            elif character == "\\":
                rest = pattern[self.position + 1 : self.position + 2]
                if rest in _IN_CLASS:
                    self.out.append(_IN_CLASS[rest])
                    self.position += 2
                elif rest in _REFUSED:
                    raise PatternError(f"\\{rest} ({_REFUSED[rest]}) is not supported")
                else:
                    self.out.append(self.plain_escape(rest))
            else:
                self.out.append(f"\\{character}" if character in "[]&~|" else character)
                self.position += 1
            is_first = False
        raise PatternError(f"the character class that starts at character {start} has no end")

    def posix_name(self, found: re.Match[str]) -> None:
        """`[:name:]` inside a class."""
        table = _NOT_POSIX if found[1] else _POSIX
        if found[2] not in table:
            raise PatternError(f"{found[0]} is not supported")
        self.out.append(table[found[2]])
        self.position = found.end()

    def group(self) -> None:
        """`(`: named groups are spelled Python's way, options in mid-pattern become a group to the end."""
        pattern, position = self.pattern, self.position
        options = re.compile(r"\(\?([imsx]*)(?:-([imsx]+))?\)").match(pattern, position)
        if options and (options[1] or options[2]):
            if "x" in (options[1] + (options[2] or "")):
                raise PatternError("the option x within a pattern is not supported: give it in the options")
            # In PCRE it holds to the end of the group it stands in, for the branches after this one too.
            opening = f"(?{options[1]}{'-' + options[2] if options[2] else ''}:"
            self.out.append(opening)
            self.opened[-1].append(opening)
            self.position = options.end()
            return
        named = re.compile(r"\(\?(?:<(\w+)>|'(\w+)')").match(pattern, position)
        if named:
            self.out.append(f"(?P<{named[1] or named[2]}>")
            self.position = named.end()
        elif refused := re.compile(r"\(\*|\(\?(?:\||R|&|[+-]?\d|C|P>)").match(pattern, position):
            raise PatternError(f"{refused[0]} (recursion, verbs, branch reset or callouts) is not supported")
        elif pattern.startswith("(?#", position):
            end = pattern.find(")", position)
            if end < 0:
                raise PatternError("a comment in the pattern has no end")
            self.position = end + 1
            return
        else:
            self.out.append("(")
            self.position += 1
            if pattern.startswith("?", self.position):  # `?` must not be taken for a quantifier's start here
                self.out.append("?")
                self.position += 1
        self.opened.append([])

    def group_end(self) -> None:
        """`)`: also closes what options within the group opened."""
        inner = self.opened.pop() if len(self.opened) > 1 else []
        self.out.append(")" * (len(inner) + 1))
        self.position += 1

    def branch(self) -> None:
        """`|`: options that were opened in this group are closed and hold in the next branch again."""
        inner = self.opened[-1]
        self.out.append(")" * len(inner) + "|" + "".join(inner))
        self.position += 1
