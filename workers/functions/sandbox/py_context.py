"""What a Python handler gets beside the event: Lambda's context, and the part of App Services' that has a
meaning in Python."""

from __future__ import annotations

import copy
import json
import threading
import time
from collections.abc import Mapping
from types import SimpleNamespace
from typing import Any

from workers.functions import frames
from workers.functions.sandbox import child


class HostCallFailed(Exception):
    """The host refused what the function asked for, or the function that it called failed. `error_type` is
    the type of the error there."""

    def __init__(self, error_type: str, message: str) -> None:
        super().__init__(f"{error_type}: {message}")
        self.error_type = error_type


class Host:
    """Asks the host while a call runs. One question at a time: threads of a function wait for each other."""

    def __init__(self, channel: child.Channel) -> None:
        self._channel = channel
        self._lock = threading.Lock()
        self._asked = 0

    def ask(self, call: int, name: str, args: list[Any]) -> Any:
        """The host's answer. Raises HostCallFailed."""
        with self._lock:
            self._asked += 1
            question = [{"id": self._asked, "name": name, "args": args}]
            self._channel.send(frames.HOST_CALLS, call, json.dumps(question).encode())
            while True:
                frame = self._channel.receive()
                assert frame is not None, "no time was set"
                if frame.kind == frames.HOST_ANSWERS and frame.call == call:
                    break
        (answer,) = json.loads(frame.payload)
        if answer["ok"]:
            return answer["value"]
        raise HostCallFailed(answer["value"]["errorType"], answer["value"]["errorMessage"])


class Values:
    """`context.values`: the app's values by name."""

    def __init__(self, values: Mapping[str, Any]) -> None:
        self._values = values

    def get(self, name: str, default: Any = None) -> Any:
        """A copy: what a call changes in it is not there for the next one."""
        return copy.deepcopy(self._values[name]) if name in self._values else default


class Functions:
    """`context.functions`: the other functions of the app."""

    def __init__(self, host: Host, call: int) -> None:
        self._host, self._call = host, call

    def execute(self, name: str, *args: Any) -> Any:
        """Run another function and wait for its result. Raises HostCallFailed."""
        return self._host.ask(self._call, "functions.execute", [name, *args])


class Context:
    """The second argument of a handler; made anew for each call, its parts when they are looked at."""

    function_version = "$LATEST"

    def __init__(self, message: Mapping[str, Any], call: child.Call, host: Host) -> None:
        self._message, self._call, self._host = message, call, host
        self._of_call: dict[str, Any] | None = None
        self.function_name: str = message["name"]
        self.memory_limit_in_mb = str(message["memoryBytes"] >> 20)
        self.aws_request_id = call.request_id
        self.client_context = _client_context(call.client_context)
        self._deadline = time.monotonic() + message["timeoutSeconds"]

    def get_remaining_time_in_millis(self) -> int:
        """How long the call may still run."""
        return max(0, int((self._deadline - time.monotonic()) * 1000))

    @property
    def user(self) -> Any:
        """Whom the function runs as: `{"id", "type", "data", "custom_data", "identities"}`, or None."""
        return self._known().get("user")

    @property
    def request(self) -> Any:
        """The HTTP request that caused the call, without its body."""
        return self._known().get("request", {})

    def running_as_system(self) -> bool:
        """Whether the function runs as the system user."""
        return bool(self._known().get("runsAsSystem"))

    @property
    def values(self) -> Values:
        """The app's values."""
        return Values(self._message["app"]["values"])

    @property
    def environment(self) -> SimpleNamespace:
        """`tag` and `values` of the app's environment."""
        found = self._message["app"]["environment"]
        return SimpleNamespace(tag=found["tag"], values=copy.deepcopy(found["values"]))

    @property
    def functions(self) -> Functions:
        """The other functions of the app."""
        return Functions(self._host, self._call.number)

    def _known(self) -> dict[str, Any]:
        if self._of_call is None:
            self._of_call = json.loads(self._call.context) if self._call.context else {}
        return self._of_call


def _client_context(text: bytes) -> SimpleNamespace | None:
    """`custom`, `env` and `client` are always there, as on Lambda; other keys are attributes too."""
    return (
        SimpleNamespace(**{"custom": None, "env": None, "client": None, **json.loads(text)}) if text else None
    )
