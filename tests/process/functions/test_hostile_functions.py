"""Functions that spin, eat memory, exit, hang or lie: each ends with its own error, the others go on."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from tests.fakes.function_host import ADD_ONE, EmbeddedHost, embedded_host, write_functions
from workers.functions import HostSettings

TIMED_OUT = "Task timed out after 0.50 seconds"

HOSTILE = {
    # name: (source, errorType, part of errorMessage)
    "spin.js": ("exports = () => { while (true); }", "Sandbox.Timedout", TIMED_OUT),
    "spin_caught.js": (
        "exports = () => { for (;;) { try { while (true); } catch (e) {} } }", "Sandbox.Timedout", TIMED_OUT,
    ),
    "spin_later.js": ("exports = async () => { await null; while (true); }", "Sandbox.Timedout", TIMED_OUT),
    "microtasks.js": ("exports = async () => { for (;;) await null; }", "Sandbox.Timedout", TIMED_OUT),
    "regex.js": ("exports = () => /^(a+)+$/.test('a'.repeat(40) + 'b')", "Sandbox.Timedout", TIMED_OUT),
    "chatter.js": ("exports = () => { for (;;) console.log('x'.repeat(99)) }", "Sandbox.Timedout", TIMED_OUT),
    "timer.js": ("exports = () => new Promise((r) => setTimeout(r, 60000))", "Sandbox.Timedout", TIMED_OUT),
    "never.js": ("exports = () => new Promise(() => {})", "Runtime.UnsettledPromise", "can never settle"),
    "arrays.js": (
        "exports = () => { const a = []; for (;;) a.push(new Array(1000).fill(1)); }",
        "Runtime.OutOfMemory", "more than its 32 MB",
    ),
    "buffers.js": (
        "exports = () => { const a = []; for (;;) a.push(new ArrayBuffer(1 << 20)); }",
        "Runtime.OutOfMemory", "more than its 32 MB",
    ),
    "strings.js": (
        "exports = async () => { await null; const a = []; for (;;) a.push('x'.repeat(1e6) + a.length); }",
        "Runtime.OutOfMemory", "more than its 32 MB",
    ),
    "recursion.js": ("exports = () => { const f = () => f() + 1; return f(); }", "RangeError", "call stack"),
    "load_spin.js": ("while (true);", "Sandbox.Timedout", "Task timed out after 2.00 seconds"),
    "tamper.js": (
        "JSON.stringify = () => '{'; Promise.prototype.then = null; Reflect.apply = null;"
        "Object.defineProperty(Object.prototype, 'errorType', { value: 'forged' });"
        "exports = async () => { throw new Error('still told') }",
        "Error", "still told",
    ),
    "spin.py": ("def handler(event, context):\n    while True: pass\n", "Sandbox.Timedout", TIMED_OUT),
    "sleep.py": ("import time\ndef handler(event, context): time.sleep(60)\n", "Sandbox.Timedout", TIMED_OUT),
    "exit.py": ("import os\ndef handler(*_): os._exit(7)\n", "Runtime.ExitError", "exit status 7"),
    "load_exit.py": ("import os\nos._exit(5)\n", "Runtime.ExitError", "exit status 5"),
    "killed.py": (
        "import os, signal\ndef handler(event, context): os.kill(os.getpid(), signal.SIGSEGV)\n",
        "Runtime.ExitError", "signal: segmentation fault",
    ),
    "memory.py": ("def handler(event, context): return len('x' * (1 << 30))\n", "MemoryError", ""),
    "files.py": (
        "import os\ndef handler(event, context):\n    return [os.open('/dev/null', 0) for _ in range(999)]\n",
        "OSError", "Too many open files",
    ),
    "liar.py": (  # answers for a call that was never made, on the pipe it finds
        "import os\nfrom workers.functions import frames\n"
        "def handler(event, context):\n"
        "    for fd in range(3, 30):\n"
        "        try: os.write(fd, frames.pack(frames.SUCCEEDED, 99, b'1'))\n"
        "        except OSError: pass\n",
        "Runtime.ExitError", "closed its channel",
    ),
    "flood.py": (  # announces a frame of 4 GiB
        "import os\n"
        "def handler(event, context):\n"
        "    for fd in range(3, 30):\n"
        "        try: os.write(fd, b'\\xff' * 9)\n"
        "        except OSError: pass\n",
        "Runtime.ExitError", "closed its channel",
    ),
}  # fmt: skip


def _function(file: str) -> str:
    return Path(file).stem + Path(file).suffix.replace(".", "_")


@pytest.mark.parametrize("file", HOSTILE)
async def test_a_hostile_function_gets_its_error_and_nobody_else_notices(tmp_path: Path, file: str) -> None:
    """The caller gets the error, and again; a healthy function answers all the while."""
    source, error_type, message = HOSTILE[file]
    name = _function(file)
    write_functions(tmp_path, {name + Path(file).suffix: source, "addOne.js": ADD_ONE})
    settings = HostSettings(timeout_seconds=0.5, load_seconds=2, memory_bytes=32 << 20, concurrency=1)
    async with embedded_host(tmp_path, settings) as host:
        assert (await host.call("addOne", 1)).json() == 2
        hostile = asyncio.create_task(host.call(name))
        healthy = await _healthy_until(host, hostile)
        again = await host.call(name)
    for answer in (hostile.result(), again):
        assert (answer.status, answer.function_error) == (200, "Unhandled")
        assert answer.json()["errorType"] == error_type
        assert message in answer.json()["errorMessage"]
    assert healthy


async def _healthy_until(host: EmbeddedHost, hostile: asyncio.Task[object]) -> int:
    """Call the healthy function until the hostile one is over; how many right answers that were."""
    count = 0
    while not hostile.done() or not count:
        answer = await host.call("addOne", count)
        assert answer.json() == count + 1
        count += 1
    return count


async def test_a_function_is_warm_again_after_a_time_out(tmp_path: Path) -> None:
    """The killed process is replaced; the calls that waited behind it are answered."""
    write_functions(tmp_path, {"f.js": "exports = (e) => { if (e === 'spin') while (true); return e }"})
    async with embedded_host(tmp_path, HostSettings(timeout_seconds=0.5, concurrency=1)) as host:
        spin = asyncio.create_task(host.call("f", "spin"))
        others = await asyncio.gather(*(host.call("f", n) for n in range(5)))
        assert (await spin).json()["errorType"] == "Sandbox.Timedout"
    assert [answer.json() for answer in others] == [0, 1, 2, 3, 4]


async def test_processes_that_a_function_started_die_with_it(tmp_path: Path) -> None:
    """The time-out kills the whole process group."""
    source = (
        "import subprocess, time\n"
        "def handler(event, context):\n"
        "    child = subprocess.Popen(['/bin/sleep', '300'])\n"
        "    open(event, 'w').write(str(child.pid))\n"
        "    time.sleep(60)\n"
    )
    write_functions(tmp_path, {"f.py": source})
    pid_file = tmp_path / "pid"
    async with embedded_host(tmp_path, HostSettings(timeout_seconds=1)) as host:
        assert (await host.call("f", str(pid_file))).json()["errorType"] == "Sandbox.Timedout"
        deadline = asyncio.get_running_loop().time() + 5
        while _is_running(int(pid_file.read_text())):
            assert asyncio.get_running_loop().time() < deadline
            await asyncio.sleep(0.01)


def _is_running(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0] != "Z"
    except FileNotFoundError:
        return False
