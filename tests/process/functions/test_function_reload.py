"""Hot reload: a saved function is live within a second, and no call in flight is lost."""

from __future__ import annotations

import asyncio
import json
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from tests.fakes.function_host import EmbeddedHost, embedded_host, write_functions
from tests.fakes.waiting import until
from workers.functions import FunctionHost, HostSettings, reload
from workers.functions.manifest import Manifest
from workers.functions.reload import Stamp

# Several starts of processes, each of which may take long on a busy machine: more than the usual minute.
pytestmark = pytest.mark.timeout(240)

# Answers what it was loaded with once a file of the event's name exists.
GATED = """
import os, time
def handler(event, context):
    while not os.path.exists(event):
        time.sleep(0.005)
    return {number}
"""


async def _becomes(host: EmbeddedHost, name: str, expected: Any) -> None:
    """Call until the answer is `expected`. Every call must be answered."""
    async with asyncio.timeout(30):
        while True:
            answer = await host.call(name)
            assert answer.status in (200, 404), answer.body
            if answer.status == 200 and answer.json() == expected:
                return
            await asyncio.sleep(0.01)


def _open(gate: str) -> None:
    Path(gate).touch()


class _Looks:
    """Counts the looks at the app folder, and how many there were at each save and each change taken over."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.count, self.saved_at, self.taken_at = 0, list[int](), list[int]()
        self._stamps, self._take_over = reload.stamps, FunctionHost.take_over
        monkeypatch.setattr(reload, "stamps", self._look)
        self._patch = monkeypatch

    def _look(self, app_dir: Path) -> dict[str, Stamp]:
        self.count += 1
        return self._stamps(app_dir)

    def watch(self, host: FunctionHost) -> None:
        """Note what it takes over from now on."""

        def take_over(manifest: Manifest, changed: frozenset[str]) -> None:
            self.taken_at.append(self.count)
            self._take_over(host, manifest, changed)

        self._patch.setattr(host, "take_over", take_over)

    def saves(self) -> None:
        """A change is written now."""
        self.saved_at.append(self.count)


async def test_a_saved_function_is_live_within_a_second(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Within two looks, which are half a second: JavaScript, Python, a module beside it, a value, a new
    function, one that is removed."""
    assert HostSettings().reload_seconds <= 0.25
    looks = _Looks(monkeypatch)
    values = tmp_path / "values"
    values.mkdir()
    (values / "rate.json").write_text('{"name": "rate", "value": 1}')
    write_functions(
        tmp_path,
        {
            "a.js": "exports = () => 1",
            "b.py": "import _b\ndef handler(e, c): return [1, _b.it]\n",
            "_b.py": "it = 1\n",
            "v.js": "let calls = 0; exports = () => [++calls > 0, context.values.get('rate')]",
        },
    )
    async with embedded_host(tmp_path) as host:
        assert [(await host.call(name)).json() for name in "abv"] == [1, [1, 1], [True, 1]]
        looks.watch(host.host)
        for file, source, name, expected in (
            ("a.js", "exports = () => 2", "a", 2),
            ("b.py", "import _b\ndef handler(e, c): return [2, _b.it]\n", "b", [2, 1]),
            ("_b.py", "it = 2\n", "b", [2, 2]),
            ("c.js", "exports = () => 3", "c", 3),
        ):
            looks.saves()
            write_functions(tmp_path, {file: source})
            await _becomes(host, name, expected)
        looks.saves()
        (values / "rate.json").write_text('{"name": "rate", "value": 2}')
        await _becomes(host, "v", [True, 2])
        looks.saves()
        (tmp_path / "functions" / "c.js").unlink()
        await until(lambda: "c" not in host.host.pools())
        assert (await host.call("c")).status == 404
    assert [at - saved for saved, at in zip(looks.saved_at, looks.taken_at, strict=True)] == [2] * 6


async def test_a_call_in_flight_ends_with_the_old_source_and_one_that_waits_gets_the_new(
    tmp_path: Path,
) -> None:
    """One that waits gets the new one, also when the old call holds the only worker."""
    write_functions(tmp_path, {"f.py": GATED.format(number=1)})
    never, now = str(tmp_path / "gate"), str(tmp_path)
    async with embedded_host(tmp_path, HostSettings(concurrency=1)) as host:
        old = asyncio.create_task(host.call("f", never))
        await until(lambda: host.host.pool("f").status()["running"] == 1)
        waiting = asyncio.create_task(host.call("f", now))
        write_functions(tmp_path, {"f.py": GATED.format(number=2)})
        assert (await waiting).json() == 2
        assert not old.done()
        _open(never)
        assert (await old).json() == 1
        await until(lambda: host.host.pool("f").status()["workers"] == 1)


async def test_warm_state_of_other_functions_survives_a_reload(tmp_path: Path) -> None:
    """Only what changed starts anew; an access rule needs no new process at all."""
    count = "let n = 0; exports = () => ++n"
    write_functions(tmp_path, {"a.js": "exports = () => 1", "n.js": count})
    async with embedded_host(tmp_path, HostSettings(concurrency=1)) as host:
        assert (await host.call("n")).json() == 1
        write_functions(tmp_path, {"a.js": "exports = () => 2"})
        await _becomes(host, "a", 2)
        rules = [{"name": "a", "private": True}, {"name": "n", "private": False}]
        (tmp_path / "functions" / "config.json").write_text(json.dumps(rules))
        await until(lambda: host.host.pool("a").entry.access.private)
        assert (await host.call("a")).status == 403
        assert (await host.call("n")).json() == 2


async def test_a_broken_folder_changes_nothing_until_it_is_mended(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """A manifest that is refused is logged, and the functions go on as they were."""
    write_functions(tmp_path, {"a.js": "exports = () => 1"})
    manifest = tmp_path / "functions" / "config.json"
    async with embedded_host(tmp_path, HostSettings(reload_seconds=0.05)) as host:
        assert (await host.call("a")).json() == 1
        manifest.write_text("[{")
        write_functions(tmp_path, {"a.js": "exports = () => 2"})
        await until(lambda: "functions not reloaded" in caplog.messages)
        assert (await host.call("a")).json() == 1
        manifest.write_text("[]")
        await _becomes(host, "a", 2)


async def test_calls_go_on_all_the_while_a_function_is_saved(tmp_path: Path) -> None:
    """Twenty saves under load from eight callers, some before the last is live: every call is answered."""
    write_functions(tmp_path, {"f.js": "exports = () => 0"})
    async with embedded_host(tmp_path, HostSettings(reload_seconds=0.02, concurrency=2)) as host:
        last = 0
        seen: set[int] = set()

        async def call() -> None:
            while last not in seen or last < 20:
                answer = await host.call("f")
                assert (answer.status, answer.function_error) == (200, None), answer.body
                seen.add(answer.json())

        callers = [asyncio.create_task(call()) for _ in range(8)]
        for number in range(1, 21):
            last = number
            write_functions(tmp_path, {"f.js": f"exports = () => {number}"})
            if number % 4:
                await asyncio.sleep(0.08)
            else:
                await until(partial(seen.__contains__, number))
        await asyncio.wait_for(asyncio.gather(*callers), 30)
