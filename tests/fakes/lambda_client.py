"""The real Lambda client, ready to call a stub or a function host in tests."""

from __future__ import annotations

import os
from typing import Any, Final

from workers.adapters.lambda_http import LambdaEndpoint, LambdaInvoker
from workers.adapters.sigv4 import Credentials
from workers.adapters.trust import ca_bundle

KEYS: Final = Credentials("AKIDEXAMPLE", "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY")


class StaticKeys:
    """Keys that never change. `refusals` lists those that AWS refused."""

    def __init__(self, keys: Credentials = KEYS) -> None:
        self.keys = keys
        self.refusals: list[Credentials] = []
        self.trouble = ""

    def current(self) -> Credentials | None:
        return self.keys

    async def fetch(self) -> Credentials:
        return self.keys

    def refused(self, credentials: Credentials) -> None:
        self.refusals.append(credentials)

    def judged(self, trouble: str) -> None:
        self.trouble = trouble


def invoker_for(url: str, keys: StaticKeys | None = None, **bounds: Any) -> LambdaInvoker:
    """An invoker for this endpoint; `bounds` are fields of LambdaEndpoint."""
    bounds.setdefault("ca_bundle", ca_bundle(os.environ))
    return LambdaInvoker(LambdaEndpoint("test", url, "us-east-1", **bounds), keys or StaticKeys())
