"""The stable names of records and batches, and the client context that carries them to a function. Pure.

A retried or replayed call has the same id, so a function can tell a repeat from a new record whatever
happened between.
"""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Iterable
from hashlib import sha256
from json import dumps
from typing import Final

BATCH_ID_CHARACTERS: Final = 32


def record_id(topic: str, partition: int, offset: int) -> str:
    """`topic/partition/offset`: unique in a cluster, the same after a crash."""
    return f"{topic}/{partition}/{offset}"


def document_id(record: str, name: str) -> str:
    """The id of one of the documents that a record became. `name` says which: `2` is the third, `2.0` the
    first of those that the third became later. Empty for a record that stayed one document."""
    return f"{record}/{name}" if name else record


def batch_id(site: str, identities: Iterable[str]) -> str:
    """The id of a batch: the same records in the same order have the same, any others another.

    Batches are cut anew after a crash, so a function that must not repeat itself goes by the ids within.
    """
    digest = sha256(site.encode())
    digest.update("\n".join(identities).encode())
    return digest.hexdigest()[:BATCH_ID_CHARACTERS]


class ClientContext:
    """Makes the `X-Amz-Client-Context` of one call site's calls, in base64.

    The fields stand twice: under `penstock`, and under `custom`, which is all that Lambda's Python runtime
    shows a function. Lambda's bound is 3,583 characters; a topic's name has at most 249, so this stays under
    1,200.
    """

    __slots__ = ("_site",)

    def __init__(self, site: str) -> None:
        self._site = dumps(site)

    def of_document(self, identity: str, attempt: int) -> str:
        """Of a call with one document: `{id, site, attempt}`."""
        return _twice(f'{{"id":{_text(identity)},"site":{self._site},"attempt":{attempt}}}')

    def of_batch(self, identity: str, attempt: int, count: int) -> str:
        """Of a batch of `count` records: `{id, site, attempt, count}`."""
        return _twice(f'{{"id":"{identity}","site":{self._site},"attempt":{attempt},"count":{count}}}')


def _twice(fields: str) -> str:
    return b64encode(f'{{"penstock":{fields},"custom":{{"penstock":{fields}}}}}'.encode()).decode()


def _text(identity: str) -> str:
    # Kafka's own names hold letters, digits, dots, dashes and underscores: nothing to escape.
    return dumps(identity) if '"' in identity or "\\" in identity else f'"{identity}"'
