"""How the Invoke stub describes functions: GetFunctionConfiguration, -Concurrency and -UrlConfig. Pure."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, Final
from urllib.parse import unquote

import orjson

ASKED: Final = re.compile(
    r"/20\d\d-\d\d-\d\d/functions/([^/?]+)/(configuration|concurrency|url)(?:\?Qualifier=[^&]+)?$"
)

Descriptions = Mapping[str, Mapping[str, Any]]
"""By function: the members of its configuration, and below `concurrency` and `url` those of the other two."""


def described(target: str, descriptions: Descriptions) -> tuple[int, bytes] | None:
    """(status, body) of a GET, or None when it asks for none of the three. A function without a description
    may not be asked about: 403."""
    asked = ASKED.fullmatch(target)
    if asked is None:
        return None
    found = descriptions.get(unquote(asked[1]))
    if found is None:
        return 403, b'{"Message":"not authorized to perform this action"}'
    if asked[2] == "configuration":
        return 200, orjson.dumps({name: one for name, one in found.items() if name[0].isupper()})
    return (200, orjson.dumps(found[asked[2]])) if asked[2] in found else (404, b'{"Message":"none"}')
