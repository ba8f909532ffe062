r"""Characters beyond 16 bits, which JSON and JavaScript escape as two halves: `\ud83d\ude00`. Pure."""

from __future__ import annotations

import re
from typing import Final

_HALF: Final = re.compile("[\ud800-\udfff]")
RULE: Final = "both \\uHHHH escapes of the character"


def paired(text: str) -> str:
    """The text with its halves put together. Raises ValueError for a half alone, which nothing can encode."""
    if not _HALF.search(text):
        return text
    try:
        return text.encode("utf-16", "surrogatepass").decode("utf-16")
    except UnicodeDecodeError:
        raise ValueError("half of a surrogate pair") from None
