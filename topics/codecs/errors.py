"""What a codec says when bytes are no document, or a value is no JSON. Never holds the record's content."""

from __future__ import annotations

from typing import Literal

Kind = Literal[
    "not-json", "not-utf8", "too-deep", "too-large", "not-a-document", "malformed-extended-json",
    "unknown-schema", "unusable-schema", "not-of-its-schema", "no-bson-value",
]  # fmt: skip


class CodecError(ValueError):
    """Base of the two below. `reason` is one line for a person, without the record's own values."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


class NotADocument(CodecError):
    """These bytes will never be a document: the record is poison. `kind` is for metrics and tests."""

    def __init__(self, reason: str, kind: Kind) -> None:
        super().__init__(reason)
        self.kind = kind

    def __reduce__(self) -> tuple[type[NotADocument], tuple[str, Kind]]:
        return (NotADocument, (self.reason, self.kind))


class NotEncodable(CodecError):
    """This value cannot be written as JSON: an integer beyond 64 bits, a lone surrogate, a foreign type."""
