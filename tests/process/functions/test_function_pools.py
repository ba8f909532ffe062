"""Bounds of the queues and of the processes, and how the host grows, drains and ends."""

from __future__ import annotations

import asyncio
import errno
import os
import resource
import signal
from pathlib import Path

import pytest

from tests.fakes.function_host import (
    ADD_ONE,
    EmbeddedHost,
    embedded_host,
    start_host_process,
    write_functions,
)
from tests.fakes.waiting import until
from workers.functions import FunctionHost, HostSettings

# Several starts of processes, each of which may take long on a busy machine: more than the usual minute.
pytestmark = pytest.mark.timeout(240)

# Answers once a file of the event's name exists: a test decides when.
GATED = """
import os, time
def handler(event, context):
    while not os.path.exists(event):
        time.sleep(0.005)
    return os.getpid()
"""
# Writes down that it ran.
MARK = "def handler(event, context):\n    open(event, 'a').write('x')\n"


def _open(gate: str) -> None:
    Path(gate).touch()


def _read(path: Path) -> str:
    return path.read_text()


def _status(host: EmbeddedHost, name: str) -> dict[str, int]:
    return host.host.pool(name).status()


async def test_beyond_concurrency_calls_wait_and_beyond_the_queue_they_get_429(tmp_path: Path) -> None:
    """One runs, two wait, the fourth is refused in AWS's shape; the waiting ones are answered."""
    write_functions(tmp_path, {"f.py": GATED})
    gate = str(tmp_path / "gate")
    async with embedded_host(tmp_path, HostSettings(concurrency=1, waiting_calls=2)) as host:
        open_calls = [asyncio.create_task(host.call("f", gate))]
        await until(lambda: _status(host, "f")["running"] == 1)
        open_calls += [asyncio.create_task(host.call("f", gate)) for _ in range(2)]
        await until(lambda: _status(host, "f")["waiting"] == 2)
        refused = await host.call("f", gate)
        _open(gate)
        pids = {(await call).json() for call in open_calls}
    assert (refused.status, refused.headers["x-amzn-ErrorType"]) == (429, "TooManyRequestsException")
    assert refused.headers["Retry-After"] == "1"
    assert refused.json()["Reason"] == "ReservedFunctionConcurrentInvocationLimitExceeded"
    assert len(pids) == 1


async def test_a_call_that_waited_too_long_is_refused(tmp_path: Path) -> None:
    """It gets 429 within its waiting time, although its function never comes free."""
    write_functions(tmp_path, {"f.py": GATED})
    async with embedded_host(tmp_path, HostSettings(concurrency=1, waiting_seconds=1.5)) as host:
        # An event: it has no such limit, so a worker that takes long to start is waited for.
        await host.call("f", str(tmp_path / "never"), X_Amz_Invocation_Type="Event")
        await until(lambda: _status(host, "f")["running"] == 1)
        refused = await host.call("f", "x")
    assert refused.status == 429
    assert "1.5 seconds" in refused.json()["message"]


async def test_the_pool_grows_while_calls_wait_up_to_the_concurrency(tmp_path: Path) -> None:
    """Six calls at once, three workers: three run side by side, each in a process of its own."""
    write_functions(tmp_path, {"f.py": GATED})
    gate = tmp_path / "gate"
    async with embedded_host(tmp_path, HostSettings(concurrency=3)) as host:
        calls = [asyncio.create_task(host.call("f", str(gate))) for _ in range(6)]
        await until(lambda: _status(host, "f")["running"] == 3)
        gate.touch()
        pids = {(await call).json() for call in calls}
        assert _status(host, "f")["workers"] == 3
    assert len(pids) == 3


async def test_events_are_accepted_run_later_and_bounded(tmp_path: Path) -> None:
    """202 with no body; beyond the queue 429."""
    write_functions(tmp_path, {"f.py": GATED, "mark.py": MARK})
    gate, mark = tmp_path / "gate", tmp_path / "mark"
    async with embedded_host(tmp_path, HostSettings(concurrency=1, waiting_events=2)) as host:
        accepted = [await host.call("f", str(gate), X_Amz_Invocation_Type="Event") for _ in range(2)]
        await until(lambda: _status(host, "f")["running"] == 1)
        accepted.append(await host.call("f", str(gate), X_Amz_Invocation_Type="Event"))
        refused = await host.call("f", str(gate), X_Amz_Invocation_Type="Event")
        gate.touch()
        await host.call("mark", str(mark), X_Amz_Invocation_Type="Event")
        await until(mark.exists)
        await until(lambda: not host.host.pool("f").open_calls())
    assert [(answer.status, answer.body) for answer in accepted] == [(202, b"")] * 3
    assert (refused.status, refused.json()["Reason"]) == (429, "ConcurrentInvocationLimitExceeded")


async def test_a_caller_that_waits_goes_before_events(tmp_path: Path) -> None:
    """Although the event came first: nobody waits for it."""
    source = (
        "import os, time\n"
        "def handler(event, context):\n"
        "    while not os.path.exists('../gate'):\n"
        "        time.sleep(0.005)\n"
        "    open('../order', 'a').write(event)\n"
    )
    write_functions(tmp_path, {"f.py": source})
    async with embedded_host(tmp_path, HostSettings(concurrency=1)) as host:
        await host.call("f", "1", X_Amz_Invocation_Type="Event")
        await until(lambda: _status(host, "f")["running"] == 1)
        await host.call("f", "2", X_Amz_Invocation_Type="Event")
        waiting = asyncio.create_task(host.call("f", "3"))
        await until(lambda: _status(host, "f")["waiting"] == 1)
        (tmp_path / "gate").touch()
        assert (await waiting).status == 200
        await until(lambda: not host.host.pool("f").open_calls())
    assert _read(tmp_path / "order") == "132"


async def test_events_of_the_whole_host_are_bounded_in_bytes(tmp_path: Path) -> None:
    """What is accepted is held in memory until it ran."""
    write_functions(tmp_path, {"f.py": GATED})
    gate = tmp_path / "gate"
    async with embedded_host(tmp_path, HostSettings(concurrency=1, waiting_event_bytes=1000)) as host:
        await host.call("f", str(gate), X_Amz_Invocation_Type="Event")
        refused = await host.call("f", "x" * 1000, X_Amz_Invocation_Type="Event")
        gate.touch()
        await until(lambda: not host.host.pool("f").open_calls())
        accepted = await host.call("f", str(gate), X_Amz_Invocation_Type="Event")
    assert (refused.status, accepted.status) == (429, 202)


async def test_a_full_host_ends_an_idle_worker_for_a_function_that_is_called(tmp_path: Path) -> None:
    """With room for one process two functions still take turns."""
    write_functions(tmp_path, {"a.js": ADD_ONE, "b.js": ADD_ONE})
    async with embedded_host(tmp_path, HostSettings(workers=1)) as host:
        for event in range(2):
            assert (await host.call("a", event)).json() == event + 1
            assert (await host.call("b", event)).json() == event + 1
        assert _status(host, "a")["workers"] + _status(host, "b")["workers"] == 1


async def test_without_a_queue_a_call_runs_or_is_refused_at_once(tmp_path: Path) -> None:
    """`waiting_calls=0`: as many as the concurrency run, each in a worker of its own; one more gets 429."""
    write_functions(tmp_path, {"f.py": GATED})
    gate = str(tmp_path / "gate")
    async with embedded_host(tmp_path, HostSettings(concurrency=2, waiting_calls=0)) as host:
        running = [asyncio.create_task(host.call("f", gate)) for _ in range(2)]
        await until(lambda: _status(host, "f")["running"] == 2)
        refused = await host.call("f", gate)
        _open(gate)
        statuses = [(await call).status for call in running]
    assert (refused.status, refused.json()["Reason"]) == (
        429,
        "ReservedFunctionConcurrentInvocationLimitExceeded",
    )
    assert statuses == [200, 200]


async def test_a_busy_function_leaves_processes_to_others(tmp_path: Path) -> None:
    """One function has calls for every process all the time; two others are answered nevertheless, and until
    then it starts as many processes anew as they have given back, and takes no place that it gave up."""
    write_functions(
        tmp_path,
        {"busy.py": "import time\ndef handler(e, c): time.sleep(0.02)\n", "a.js": ADD_ONE, "b.js": ADD_ONE},
    )
    # The times are a busy machine's. What is promised is counted in processes.
    settings = HostSettings(workers=2, concurrency=2, waiting_seconds=200, load_seconds=100)
    async with embedded_host(tmp_path, settings) as host:
        stopped = False

        async def keep_busy() -> None:
            while not stopped:
                assert (await host.call("busy")).status == 200

        callers = [asyncio.create_task(keep_busy()) for _ in range(6)]
        busy = host.host.pool("busy")
        await until(lambda: busy.status()["running"] == 2, 100)
        started = busy.starts
        first, second = await asyncio.wait_for(asyncio.gather(host.call("a", 1), host.call("b", 2)), 200)
        restarted = busy.starts - started
        stopped = True
        await asyncio.gather(*callers)
    assert (first.json(), second.json()) == (2, 3)
    assert restarted <= 2


async def test_idle_workers_are_ended(tmp_path: Path) -> None:
    """A function that nobody calls costs nothing after a while, and runs again when called."""
    write_functions(tmp_path, {"a.js": ADD_ONE})
    async with embedded_host(tmp_path, HostSettings(idle_seconds=0.2)) as host:
        await host.call("a", 1)
        await until(lambda: _status(host, "a")["workers"] == 0)
        assert (await host.call("a", 1)).json() == 2


async def test_a_source_that_does_not_load_is_not_started_for_every_call(tmp_path: Path) -> None:
    """The error is repeated without a process until the file is mended; then it runs."""
    write_functions(tmp_path, {"f.py": "import os\nopen('../starts', 'a').write('x')\nhandler = broken()\n"})
    async with embedded_host(tmp_path, HostSettings(failed_load_seconds=600)) as host:
        errors = [await host.call("f") for _ in range(5)]
        starts = _read(tmp_path / "starts")
        write_functions(tmp_path, {"f.py": "def handler(event, context): return 1\n"})
        async with asyncio.timeout(40):
            while (answer := await host.call("f")).function_error:
                pass
    assert {error.json()["errorType"] for error in errors} == {"NameError"}
    assert starts == "x"
    assert answer.json() == 1


async def test_a_source_that_did_not_load_is_tried_again_later(tmp_path: Path) -> None:
    """What it needs may be there by then, without a change of the folder."""
    write_functions(tmp_path, {"f.py": "open('../ready')\ndef handler(event, context): return 1\n"})
    async with embedded_host(tmp_path, HostSettings(failed_load_seconds=0)) as host:
        assert (await host.call("f")).json()["errorType"] == "FileNotFoundError"
        (tmp_path / "ready").touch()
        assert (await host.call("f")).json() == 1


async def test_a_worker_that_died_while_idle_costs_no_call(tmp_path: Path) -> None:
    """The next call gets a new process."""
    write_functions(tmp_path, {"pid.py": "import os\ndef handler(event, context): return os.getpid()\n"})
    async with embedded_host(tmp_path) as host:
        first = (await host.call("pid")).json()
        os.kill(first, signal.SIGKILL)
        await until(lambda: _status(host, "pid")["workers"] == 0)
        assert (await host.call("pid")).json() != first


async def test_stopping_lets_open_calls_end_and_refuses_new_ones(tmp_path: Path) -> None:
    """The drain waits for what runs and for accepted events; health says so; then every process is gone."""
    write_functions(tmp_path, {"f.py": GATED, "mark.py": MARK})
    gate, mark = tmp_path / "gate", tmp_path / "mark"
    async with embedded_host(tmp_path, HostSettings(concurrency=1)) as host:
        running = asyncio.create_task(host.call("f", str(gate)))
        await until(lambda: _status(host, "f")["running"] == 1)
        await host.call("mark", str(mark), X_Amz_Invocation_Type="Event")
        assert (await host.request("GET", "/healthz")).json() == {"status": "ok", "functions": 2}
        stopping = asyncio.create_task(host.host.stop())
        await until(lambda: host.host.is_draining)
        health = await host.request("GET", "/healthz")
        refused = await host.call("f", str(gate))
        gate.touch()
        await stopping
        pid = (await running).json()
    assert (health.status, health.json()["status"]) == (503, "draining")
    assert (refused.status, refused.headers["Retry-After"]) == (503, "1")
    assert _read(mark) == "x"
    assert _is_gone(pid)


async def test_a_drain_ends_in_time_and_can_be_hurried(tmp_path: Path) -> None:
    """A call that never ends costs the drain time, or nothing when somebody is in a hurry."""
    write_functions(tmp_path, {"f.py": GATED})
    for hurry in (False, True):
        async with embedded_host(tmp_path) as host:
            stuck = asyncio.create_task(host.call("f", str(tmp_path / "never")))
            await until(lambda: _status(host, "f")["running"] == 1)
            stopping = asyncio.create_task(host.host.stop(drain_seconds=600 if hurry else 0.1))
            await until(lambda: host.host.is_draining)
            if hurry:
                host.host.hurry()
            await asyncio.wait_for(stopping, 25)
            assert (await stuck).json()["errorType"] == "Runtime.ExitError"


async def test_a_host_with_many_descriptors_runs_functions_that_wait(tmp_path: Path) -> None:
    """The pipes of its workers have numbers above 1,023 then, which `select` cannot wait for."""
    source = "exports = () => new Promise((done) => setTimeout(() => done('waited'), 5))"
    write_functions(tmp_path, {"f.js": source})
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (max(soft, 2_048), hard))
    held = [os.open("/dev/null", os.O_RDONLY) for _ in range(1_024)]
    try:
        async with embedded_host(tmp_path) as host:
            assert (await host.call("f")).json() == "waited"
    finally:
        for fd in held:
            os.close(fd)
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


async def test_a_worker_that_cannot_be_started_leaves_no_descriptor(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A host without room for its pipes answers 500, and what it had opened of them is closed again."""
    opened: list[int] = []
    closed: list[int] = []
    pipe, close = os.pipe, os.close

    def scarce() -> tuple[int, int]:
        if len(opened) >= 4:
            raise OSError(errno.EMFILE, "Too many open files")
        opened.extend(pair := pipe())
        return pair

    def closing(fd: int) -> None:
        closed.append(fd)
        close(fd)

    write_functions(tmp_path, {"f.py": MARK})
    async with embedded_host(tmp_path) as host:
        monkeypatch.setattr(os, "pipe", scarce)
        monkeypatch.setattr(os, "close", closing)
        refused = await host.call("f")
        monkeypatch.undo()
    assert (refused.status, refused.headers["x-amzn-ErrorType"]) == (500, "ServiceException")
    assert set(opened) <= set(closed)


async def test_a_port_that_is_taken_is_an_error_at_start(tmp_path: Path) -> None:
    """The second host says so; the first goes on."""
    write_functions(tmp_path, {"a.js": ADD_ONE})
    async with embedded_host(tmp_path) as host:
        port = int(host.host.endpoint.rsplit(":", 1)[1])
        second = FunctionHost(tmp_path, port=port)
        with pytest.raises(OSError, match="address already in use"):
            await second.start()
        assert (await host.call("a", 1)).json() == 2


def _children(pid: int) -> list[int]:
    return [int(child) for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]


def _is_gone(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0] == "Z"
    except FileNotFoundError:
        return True


async def test_workers_die_with_a_host_that_is_killed(tmp_path: Path) -> None:
    """kill -9 of the host: idle workers and one that spins are gone by themselves, with what they started."""
    child = tmp_path / "child"
    spin = (
        "import subprocess\n"
        "def handler(event, context):\n"
        "    open(event, 'w').write(str(subprocess.Popen(['/bin/sleep', '300']).pid) + ' ')\n"
        "    while True: pass\n"
    )
    write_functions(
        tmp_path, {"a.js": ADD_ONE, "spin.py": spin, "spin_js.js": "exports = () => { while (true); }"}
    )
    host = start_host_process(tmp_path, HostSettings(timeout_seconds=300))
    try:
        await _invoke_event(host.endpoint, "spin", f'"{child}"')
        await _invoke_event(host.endpoint, "spin_js", "1")
        await _invoke_event(host.endpoint, "a", "1")
        await until(lambda: child.exists() and child.read_text().endswith(" "), 60)
        await until(lambda: len(_children(host.process.pid)) == 3, 60)
        pids = [*_children(host.process.pid), int(child.read_text())]
        os.kill(host.process.pid, signal.SIGKILL)
        await until(lambda: all(_is_gone(pid) for pid in pids))
    finally:
        assert host.stop() == -signal.SIGKILL


async def _invoke_event(endpoint: str, name: str, body: str) -> None:
    """A raw `Event` call."""
    host, port = endpoint.removeprefix("http://").split(":")
    reader, writer = await asyncio.open_connection(host, int(port))
    head = f"POST /2015-03-31/functions/{name}/invocations HTTP/1.1\r\nHost: localhost\r\n"
    head += "X-Amz-Invocation-Type: Event\r\n"
    writer.write(f"{head}Connection: close\r\nContent-Length: {len(body)}\r\n\r\n{body}".encode())
    assert (await reader.read()).startswith(b"HTTP/1.1 202 ")
    writer.close()
    await writer.wait_closed()


async def test_a_served_host_drains_on_sigterm(tmp_path: Path) -> None:
    """The event that was accepted runs to its end, then the process exits with 0."""
    write_functions(tmp_path, {"f.py": GATED, "mark.py": MARK})
    gate, mark = tmp_path / "gate", tmp_path / "mark"
    host = start_host_process(tmp_path)
    try:
        await _invoke_event(host.endpoint, "f", f'"{gate}"')
        await _invoke_event(host.endpoint, "mark", f'"{mark}"')
        os.kill(host.process.pid, signal.SIGTERM)
        gate.touch()
        assert await asyncio.to_thread(host.process.wait, 40) == 0
        assert mark.read_text() == "x"
    finally:
        host.stop()
