"""Why an expression is refused, and why an evaluation ends without an answer."""

from __future__ import annotations


class RuleInvalid(ValueError):
    """The expression is not in the language. `path` is the place in it (`%or[1].%%user.id`), `found` what
    stands there, `expected` what would be right."""

    def __init__(self, path: str, found: str, expected: str = "") -> None:
        self.path, self.found, self.expected = path, found, expected
        text = f"{path}: {found}" if path else found
        super().__init__(f"{text}; {expected}" if expected else text)


class RuleFailed(Exception):
    """The expression cannot be evaluated for this call: a conversion of what is no id, a list that is none.
    Names the place, never the value: access is denied, and the reason goes to the log."""


class Unknown(Exception):
    """Within one condition: a function it needs has thrown. The condition is neither true nor false."""
