"""What a Python function sees and how its result gets out, in a real worker process."""

from __future__ import annotations

import base64
import json
from pathlib import Path
from typing import Any

import pytest

from tests.fakes.function_host import Answer, embedded_host, write_functions
from workers.functions import HostSettings


async def _call(tmp_path: Path, source: str, event: Any = None, **headers: str) -> Answer:
    write_functions(tmp_path, {"f.py": source})
    async with embedded_host(tmp_path, HostSettings(timeout_seconds=10)) as host:
        return await host.call("f", event, **headers)


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        ("def handler(event, context): return event", {"a": "é"}),
        ("def lambda_handler(event, context): return context.function_name", "f"),
        ("def handler(event, context): pass", None),
        ("import os\ndef handler(event, context): return [dict(os.environ), os.path.basename(os.getcwd())]",
         [{}, "functions"]),
        ("import sys\ndef handler(event, context): return sys.argv", ["functions/f.py"]),
        ("def handler(event, context): return '\\ud800'", "\ud800"),
        ("def handler(event, context): return context.get_remaining_time_in_millis() > 0", True),
        ("def handler(_, context): return [context.memory_limit_in_mb, context.client_context]",
         ["128", None]),
    ],
)  # fmt: skip
async def test_results_arrive_as_json(tmp_path: Path, source: str, expected: Any) -> None:
    """Values, the context, and an environment that holds nothing of the host's."""
    answer = await _call(tmp_path, source, {"a": "é"})
    assert (answer.function_error, answer.json()) == (None, expected)


@pytest.mark.parametrize(
    ("source", "error_type", "message"),
    [
        ("def handler(event, context): return {1, 2}", "Runtime.MarshalError", "not JSON serializable"),
        ("def handler(event, context): return float('nan')", "Runtime.MarshalError", "Out of range float"),
        ("def handler(event", "Runtime.UserCodeSyntaxError", "Syntax error in functions/f.py"),
        (
            "from nowhere_to_be_found import handler",
            "Runtime.ImportModuleError",
            "No module named 'nowhere_to_be_found'",
        ),
        ("handler = 5", "Runtime.HandlerNotFound", "functions/f.py has no function handler(event, context)"),
        ("handler = {}['at load']", "KeyError", "at load"),
        ("import sys\ndef handler(event, context): sys.exit(4)", "Runtime.ExitError", "exit status 4"),
    ],
)
async def test_failures_name_their_type_and_message(
    tmp_path: Path, source: str, error_type: str, message: str
) -> None:
    """In the words of Lambda's Python runtime."""
    answer = await _call(tmp_path, source)
    error = answer.json()
    assert (answer.status, answer.function_error, error["errorType"]) == (200, "Unhandled", error_type)
    assert message in error["errorMessage"]


async def test_an_exception_has_the_shape_of_lambda(tmp_path: Path) -> None:
    """Type, message, request id and the function's own frames, with no path of this machine."""
    source = (
        "def inner(e):\n    raise ValueError(f'bad {e}')\n\ndef handler(event, context):\n    inner(event)\n"
    )
    answer = await _call(tmp_path, source, 7)
    assert answer.json() == {
        "errorMessage": "bad 7",
        "errorType": "ValueError",
        "requestId": answer.headers["x-amzn-RequestId"],
        "stackTrace": [
            '  File "functions/f.py", line 5, in handler\n    inner(event)\n',
            "  File \"functions/f.py\", line 2, in inner\n    raise ValueError(f'bad {e}')\n",
        ],
    }


async def test_modules_beside_the_source_can_be_imported(tmp_path: Path) -> None:
    """A function in a folder imports its neighbour; the module is loaded once and stays warm."""
    count = "from _shared import calls\ndef handler(event, _):\n    calls.append(event)\n    return calls\n"
    write_functions(tmp_path, {"utils/_shared.py": "calls = []\n", "utils/count.py": count})
    async with embedded_host(tmp_path, HostSettings(concurrency=1)) as host:
        assert (await host.call("utils/count", 1)).json() == [1]
        assert (await host.call("utils/count", 2)).json() == [1, 2]


async def test_a_function_called_with_no_argument_gets_none(tmp_path: Path) -> None:
    """As a JavaScript one gets undefined."""
    caller = "exports = () => context.functions.execute('f')"
    write_functions(tmp_path, {"f.py": "def handler(event, _): return [event]\n", "caller.js": caller})
    async with embedded_host(tmp_path) as host:
        assert (await host.call("caller")).json() == [None]


async def test_everything_printed_is_in_the_log_tail(tmp_path: Path) -> None:
    """print, stderr and child processes, also of a call that ends its process."""
    source = (
        "import os, subprocess, sys\n"
        "def handler(event, context):\n"
        "    print('out', event)\n"
        "    print('err', file=sys.stderr)\n"
        "    subprocess.run(['/bin/echo', 'child'], check=True)\n"
        "    os._exit(3)\n"
    )
    answer = await _call(tmp_path, source, 1, X_Amz_Log_Type="Tail")
    lines = base64.b64decode(answer.headers["X-Amz-Log-Result"]).decode().splitlines()
    assert lines[1:4] == ["out 1", "err", "child"]
    assert answer.json()["errorMessage"].endswith("Runtime exited with error: exit status 3")


async def test_the_client_context_has_lambdas_fields_and_the_others(tmp_path: Path) -> None:
    """`custom`, `env`, `client`, and whatever else the caller put there."""
    source = (
        "def handler(_, context):\n    c = context.client_context\n    return [c.custom, c.env, c.penstock]\n"
    )
    sent = base64.b64encode(json.dumps({"custom": {"a": 1}, "penstock": {"id": "x"}}).encode()).decode()
    answer = await _call(tmp_path, source, X_Amz_Client_Context=sent)
    assert answer.json() == [{"a": 1}, None, {"id": "x"}]
