"""Functions that spin, eat memory, exit, hang or lie: each ends with its own error, the others go on."""

from __future__ import annotations

import asyncio
import json
import time
import urllib.request
from pathlib import Path

import pytest

from tests.fakes.function_host import ADD_ONE, EmbeddedHost, embedded_host, function_host, write_functions
from tests.fakes.waiting import until
from workers.functions import HostSettings, worker

# Several starts of processes, each of which may take long on a busy machine: more than the usual minute.
pytestmark = pytest.mark.timeout(240)

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
    "load_spin.js": ("while (true); exports = 1;", "Sandbox.Timedout", "Task timed out after 2.00 seconds"),
    "tamper.js": (
        "JSON.stringify = () => '{'; Promise.prototype.then = null; Reflect.apply = null;"
        "Object.defineProperty(Object.prototype, 'errorType', { value: 'forged' });"
        "exports = async () => { throw new Error('still told') }",
        "Error", "still told",
    ),
    "arguments.js": (
        "exports = () => { const f = (n) => f.apply(null, new Array(60000).fill(n)); return f(1) }",
        "Runtime.OutOfMemory", "more than its 32 MB",
    ),
    "jobs.js": ("exports = () => { for (;;) queueMicrotask(() => 1) }",
                "Runtime.OutOfMemory", "more than its 32 MB"),
    "waits.js": (
        "exports = () => Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0)", "TypeError", "block",
    ),
    "sort.js": ("exports = () => { const a = Array(2e5).fill(0); for (;;) a.sort(() => 1) }",
                "Sandbox.Timedout", TIMED_OUT),
    "large.js": ("exports = () => 'x'.repeat(7e6)", "Function.ResponseSizeTooLarge", "6291556 bytes"),
    "large_error.js": ("exports = () => { throw new Error('x'.repeat(3.5e6)) }",
                       "Function.ResponseSizeTooLarge", "6291556 bytes"),
    "cycle.js": ("exports = () => { const a = {}; a.a = [a]; return a }", "Runtime.MarshalError", "circular"),
    "deep.js": ("exports = () => { let a = []; for (let i = 0; i < 1e5; i++) a = [a]; return a }",
                "Runtime.MarshalError", "Unable to stringify"),
    "bad_json.js": ("exports = () => ({ toJSON() { throw new RangeError('no') } })",
                    "Runtime.MarshalError", "no"),
    "bigint.js": ("exports = () => 10n", "Runtime.MarshalError", "Unable to stringify the response"),
    "proxy.js": ("exports = () => { throw new Proxy({}, { get() { throw 1 }, has() { throw 2 } }) }", "Error",
                 "cannot be described"),
    "getter.js": ("exports = () => { throw { get message() { while (true); } } }", "Sandbox.Timedout",
                  TIMED_OUT),
    "symbol.js": ("exports = () => { throw Symbol('odd') }", "symbol", "Symbol(odd)"),
    "nothing.js": ("exports = async () => { throw undefined }", "undefined", "undefined"),
    "thenable.js": ("exports = () => ({ then() { while (true); } })", "Sandbox.Timedout", TIMED_OUT),
    "proto.js": (  # what the bridge looks up goes through prototypes that the function changes
        "Object.prototype.ok = true; Object.prototype.value = 'forged'; Object.prototype.__proto__ = null;"
        "Array.prototype.toJSON = () => 'forged'; Map.prototype.get = () => { throw 1 };"
        "exports = async () => { throw new TypeError('still told') }",
        "TypeError", "still told",
    ),
    "sockets.js": ("exports = () => new WebSocket('ws://x')", "ReferenceError", "WebSocket is not defined"),
    "disk.js": ("exports = () => import('fs')", "ReferenceError", "could not load"),
    "files.js": ("exports = () => std.open('/etc/passwd', 'r')", "ReferenceError", "std is not defined"),
    "environment.js": ("exports = () => process.env", "ReferenceError", "process is not defined"),
    "http.js": ("exports = () => context.http.get({ url: 'http://169.254.169.254/latest/meta-data/' })",
                "HttpRefused", "not in the function host's allow list"),
    "many_requests.js": (
        "exports = () => Promise.all(Array(1000).fill().map(() => context.http.get({ url: 'http://x/' })))",
        "RangeError", "1000 host calls at once, at most 256",
    ),
    "spin.py": ("def handler(event, context):\n    while True: pass\n", "Sandbox.Timedout", TIMED_OUT),
    "sleep.py": ("import time\ndef handler(event, context): time.sleep(60)\n", "Sandbox.Timedout", TIMED_OUT),
    "exit.py": ("import os\ndef handler(*_): os._exit(7)\n", "Runtime.ExitError", "exit status 7"),
    "load_exit.py": ("import os\nos._exit(5)\nhandler = 1\n", "Runtime.ExitError", "exit status 5"),
    "killed.py": (
        "import os, signal\ndef handler(event, context): os.kill(os.getpid(), signal.SIGSEGV)\n",
        "Runtime.ExitError", "signal: segmentation fault",
    ),
    "memory.py": ("def handler(event, context): return len('x' * (1 << 30))\n", "MemoryError", ""),
    "files.py": (
        "import os\ndef handler(event, context):\n    return [os.open('/dev/null', 0) for _ in range(999)]\n",
        "OSError", "Too many open files",
    ),
    "recursion.py": ("def handler(event, context): return handler(event, context)", "RecursionError",
                     "maximum recursion depth"),
    "regex.py": ("import re\ndef handler(*_): return re.match('(a+)+$', 'a' * 40 + 'b')", "Sandbox.Timedout",
                 TIMED_OUT),
    "lists.py": ("def handler(*_):\n    a = []\n    while True: a.append([0] * 1000)\n", "MemoryError",
                 "more than its 32 MB"),
    "answer_memory.py": ("def handler(*_): return ['x' * (1 << 20)] * 200", "MemoryError",
                         "more than its 32 MB"),
    "swallow.py": (
        "def handler(*_):\n    while True:\n        try:\n            while True: pass\n"
        "        except BaseException: pass\n",
        "Sandbox.Timedout", TIMED_OUT,
    ),
    "deaf.py": (
        "import signal\ndef handler(*_):\n    for n in range(1, 31):\n"
        "        try: signal.signal(n, signal.SIG_IGN)\n"
        "        except OSError: pass\n    while True: pass\n",
        "Sandbox.Timedout", TIMED_OUT,
    ),
    "threads.py": (
        "import threading, time\ndef handler(*_):\n"
        "    for _ in range(9999): threading.Thread(target=time.sleep, args=(60,), daemon=True).start()\n",
        "RuntimeError", "can't start new thread",
    ),
    "sockets.py": ("import socket\ndef handler(*_): return len([socket.socket() for _ in range(999)])",
                   "OSError", "Too many open files"),
    "chatter.py": ("def handler(*_):\n    while True: print('x' * 99)\n", "Sandbox.Timedout", TIMED_OUT),
    "large.py": ("def handler(*_): return 'x' * 7_000_000", "Function.ResponseSizeTooLarge", "6291556 bytes"),
    "cycle.py": ("def handler(*_):\n    a = {}\n    a['a'] = a\n    return a\n", "Runtime.MarshalError",
                 "Circular reference"),
    "odd.py": (
        "class Odd(Exception):\n    def __str__(self): raise self\ndef handler(*_): raise Odd\n", "Odd",
        "cannot be described",
    ),
    "base.py": ("class Base(BaseException): pass\ndef handler(*_): raise Base\n", "Runtime.ExitError",
                "exit status 1"),
    "interrupt.py": ("def handler(*_): raise KeyboardInterrupt\n", "Runtime.ExitError",
                     "Error: Runtime exited"),
    "group.py": ("import os, signal\ndef handler(*_): os.killpg(0, signal.SIGKILL)\n", "Runtime.ExitError",
                 "signal: killed"),
    "stop.py": ("import os, signal\ndef handler(*_): os.kill(os.getpid(), signal.SIGSTOP)\n",
                "Sandbox.Timedout", TIMED_OUT),
    "close.py": ("import os\ndef handler(*_):\n    os.closerange(0, 65_536)\n    while True: pass\n",
                 "Runtime.ExitError", "Error: Runtime exited"),
    "fork_bomb.py": (  # every process forks; one of the host's looks sees too many
        "import os, time\ndef handler(*_):\n    while True:\n        os.fork()\n        time.sleep(0.02)\n",
        "Runtime.ExitError", "more than 16 processes",
    ),
    "liar.py": (  # answers for a call that was never made, on the pipe it finds
        "import os\nfrom workers.functions import frames\n"
        "def handler(event, context):\n"
        "    for fd in range(3, 65_536):\n"
        "        try: os.write(fd, frames.pack(frames.SUCCEEDED, 99, b'1'))\n"
        "        except OSError: pass\n",
        "Runtime.ExitError", "closed its channel",
    ),
    "flood.py": (  # announces a frame of 4 GiB
        "import os\n"
        "def handler(event, context):\n"
        "    for fd in range(3, 65_536):\n"
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
    # Those alone that are to time out have little time: the others get there by themselves, on a busy machine
    # in several seconds, and so does the healthy one.
    _limit(tmp_path, [name] if message == TIMED_OUT else [], "500ms")
    load = 2 if file == "load_spin.js" else 25
    settings = HostSettings(timeout_seconds=25, load_seconds=load, memory_bytes=32 << 20, concurrency=1)
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


def _limit(app_dir: Path, functions: list[str], timeout: str) -> None:
    """Give these functions so much time."""
    limits = {name: {"timeout": timeout} for name in functions}
    (app_dir / "functions" / "limits.yaml").write_text(json.dumps(limits))


async def _healthy_until(host: EmbeddedHost, hostile: asyncio.Task[object]) -> int:
    """Call the healthy function until the hostile one is over; how many right answers that were."""
    count = 0
    while not hostile.done() or not count:
        answer = await host.call("addOne", count)
        assert answer.json() == count + 1
        count += 1
    return count


async def test_a_hundred_healthy_calls_are_undisturbed(tmp_path: Path) -> None:
    """While twelve hostile functions of both languages run at once, 100 calls of others all succeed."""
    chosen = ["spin.js", "microtasks.js", "regex.js", "chatter.js", "arrays.js", "buffers.js", "recursion.js",
              "spin.py", "chatter.py", "lists.py", "fork_bomb.py", "exit.py"]  # fmt: skip
    sources = {_function(file) + Path(file).suffix: HOSTILE[file][0] for file in chosen}
    healthy = {"addOne.js": ADD_ONE, "twice.py": "def handler(event, context): return event * 2\n"}
    write_functions(tmp_path, sources | healthy)
    _limit(tmp_path, [_function(file) for file in chosen if HOSTILE[file][2] == TIMED_OUT], "2s")
    settings = HostSettings(
        load_seconds=40, waiting_seconds=50, timeout_seconds=40, memory_bytes=32 << 20, concurrency=1
    )
    async with embedded_host(tmp_path, settings) as host:
        await asyncio.gather(host.call("addOne", 0), host.call("twice", 0))
        hostile = [asyncio.create_task(host.call(_function(file))) for file in chosen]
        calls = [host.call("addOne" if n % 2 else "twice", n) for n in range(100)]
        answers = await asyncio.gather(*calls)
        errors = [(await call).json()["errorType"] for call in hostile]
    assert [answer.json() for answer in answers] == [n + 1 if n % 2 else n * 2 for n in range(100)]
    assert errors == [HOSTILE[file][1] for file in chosen]


async def test_the_environment_and_the_host_stay_out_of_reach(tmp_path: Path) -> None:
    """A Python function sees declared names alone, no descriptor of another worker and no credential."""
    source = (
        "import os\n"
        "def handler(event, context):\n"
        "    kept = [os.readlink(f'/proc/self/fd/{fd}').split(':')[0] for fd in os.listdir('/proc/self/fd')\n"
        "            if os.path.exists(f'/proc/self/fd/{fd}')]\n"
        "    return [dict(os.environ), sorted(kept), open('/proc/self/environ').read()]\n"
    )
    write_functions(tmp_path, {"f.py": source, "a.js": ADD_ONE})
    async with embedded_host(tmp_path, HostSettings()) as host:
        await host.call("a", 1)
        environment, descriptors, started_with = (await host.call("f")).json()
    assert environment == {}
    assert descriptors == ["/dev/null", *["pipe"] * 4]
    assert started_with == "MALLOC_ARENA_MAX=1\0"


async def test_a_process_that_works_on_after_its_call_is_ended(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A thread that spins when the call has answered costs a core until the host sees it."""
    source = (
        "import os, threading\n"
        "def spin():\n    while True: pass\n"
        "def handler(event, context):\n"
        "    threading.Thread(target=spin, daemon=True).start()\n    return os.getpid()\n"
    )
    write_functions(tmp_path, {"f.py": source})
    # On a machine with 20 programs a core it gets a twentieth of one; a process that is idle gets nothing.
    monkeypatch.setattr(worker, "_IDLE_CPU", 0.02)
    async with embedded_host(tmp_path) as host:
        pid = (await host.call("f")).json()
        await until(lambda: not _is_running(pid))


def test_what_leaves_its_group_is_ended_by_a_served_host(tmp_path: Path) -> None:
    """A function starts a process in a session of its own and forgets it: the host adopts it and ends it."""
    source = (
        "import os, time\n"
        "def handler(event, context):\n"
        "    if os.fork() == 0:\n"
        "        os.setsid()\n"
        "        if os.fork(): os._exit(0)\n"
        "        open(event, 'w').write(str(os.getpid()) + ' ')\n"
        "        time.sleep(300)\n"
        "    os.wait()\n"
    )
    write_functions(tmp_path, {"f.py": source})
    pid_file = tmp_path / "pid"
    with function_host(tmp_path) as endpoint:
        body = json.dumps(str(pid_file)).encode()
        url = f"{endpoint}/2015-03-31/functions/f/invocations"
        with urllib.request.urlopen(urllib.request.Request(url, body), timeout=40) as answer:
            assert answer.status == 200
        deadline = time.monotonic() + 40
        while not (pid_file.exists() and pid_file.read_text().endswith(" ")):
            assert time.monotonic() < deadline
            time.sleep(0.01)
        while _is_running(int(pid_file.read_text())):
            assert time.monotonic() < deadline
            time.sleep(0.01)


async def test_a_function_is_warm_again_after_a_time_out(tmp_path: Path) -> None:
    """The killed process is replaced; the calls that waited behind it are answered."""
    write_functions(tmp_path, {"f.js": "exports = (e) => { if (e === 'spin') while (true); return e }"})
    async with embedded_host(tmp_path, HostSettings(timeout_seconds=2, concurrency=1)) as host:
        spin = asyncio.create_task(host.call("f", "spin"))
        others = await asyncio.gather(*(host.call("f", n) for n in range(5)))
        assert (await spin).json()["errorType"] == "Sandbox.Timedout"
    assert [answer.json() for answer in others] == [0, 1, 2, 3, 4]


async def test_processes_that_a_function_started_die_with_it(tmp_path: Path) -> None:
    """The time-out kills the whole process group."""
    source = (
        "import os, subprocess, time\n"
        "def handler(event, context):\n"
        "    child = subprocess.Popen(['/bin/sleep', '300'])\n"
        "    open(event + '.new', 'w').write(str(child.pid))\n"
        "    os.rename(event + '.new', event)\n"
        "    time.sleep(60)\n"
    )
    write_functions(tmp_path, {"f.py": source})
    pid_file = tmp_path / "pid"
    async with embedded_host(tmp_path, HostSettings(timeout_seconds=1)) as host:
        async with asyncio.timeout(30):
            while not pid_file.exists():  # on a busy machine a second may be over before there is a child
                assert (await host.call("f", str(pid_file))).json()["errorType"] == "Sandbox.Timedout"
        await until(lambda: not _is_running(int(pid_file.read_text())))


def _is_running(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0] != "Z"
    except FileNotFoundError:
        return False
