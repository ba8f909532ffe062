"""The stable name of a record and the client context that carries it to a function. Pure.

A retried or replayed call has the same id, so a function can tell a repeat from a new record whatever
happened between.
"""

from __future__ import annotations

from base64 import b64encode
from json import dumps


def record_id(topic: str, partition: int, offset: int) -> str:
    """`topic/partition/offset`: unique in a cluster, the same after a crash."""
    return f"{topic}/{partition}/{offset}"


def client_context(identity: str, site: str, attempt: int) -> str:
    """The `X-Amz-Client-Context` of a one-document call, in base64.

    The fields stand twice: under `penstock`, and under `custom`, which is all that Lambda's Python runtime
    shows a function. Lambda's bound is 3,583 characters; a topic's name has at most 249, so this stays under
    1,100.
    """
    fields = f'{{"id":{dumps(identity)},"site":{dumps(site)},"attempt":{attempt}}}'
    return b64encode(f'{{"penstock":{fields},"custom":{{"penstock":{fields}}}}}'.encode()).decode()
