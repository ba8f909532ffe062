"""Resolving, pinning and caching Kafka's jars, with jgo replaced by a folder of small files."""

from __future__ import annotations

import hashlib
import threading
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from workers.local import distribution
from workers.local.distribution import Pins, cache_folder, exclusive, read_pins, resolve
from workers.local.failure import LocalFailure

CONTENTS = {"kafka.jar": b"broker", "slf4j.jar": b"log"}
PINS = Pins(
    "org.example:kafka:1", {name: hashlib.sha256(data).hexdigest() for name, data in CONTENTS.items()}
)


@dataclass
class FakeJgo:
    """Stands in for jgo.build: writes `contents` into the cache it is given, `failures` times not at all."""

    contents: dict[str, bytes] = field(default_factory=lambda: dict(CONTENTS))
    failures: int = 0
    calls: int = 0
    all_jars: list[Path] = field(default_factory=list)

    def build(self, endpoint: str, cache_dir: Path) -> FakeJgo:
        self.calls += 1
        if self.calls <= self.failures:
            raise ConnectionError("no route to host")
        cache_dir.mkdir(parents=True, exist_ok=True)
        self.all_jars = [cache_dir / name for name in self.contents]
        for jar in self.all_jars:
            jar.write_bytes(self.contents[jar.name])
        return self


@pytest.fixture
def jgo(monkeypatch: pytest.MonkeyPatch) -> FakeJgo:
    fake = FakeJgo()
    monkeypatch.setattr("jgo.build", fake.build)
    monkeypatch.setattr(distribution, "RETRY_PAUSE_SECONDS", 0.0)
    return fake


def test_a_second_resolve_asks_nobody(jgo: FakeJgo, tmp_path: Path) -> None:
    """The class path comes from the cache, in the same order."""
    first = resolve(tmp_path, PINS)
    assert resolve(tmp_path, PINS) == first
    assert [jar.name for jar in first.jars] == ["kafka.jar", "slf4j.jar"]
    assert jgo.calls == 1


@pytest.mark.parametrize("damage", ["removed", "cut"])
def test_a_damaged_cache_is_made_anew(jgo: FakeJgo, tmp_path: Path, damage: str) -> None:
    """A jar that is gone or has another size is fetched again."""
    jar = resolve(tmp_path, PINS).jars[0]
    if damage == "removed":
        jar.unlink()
    else:
        jar.write_bytes(b"")
    assert resolve(tmp_path, PINS).jars[0].read_bytes() == b"broker"
    assert jgo.calls == 2


def test_an_unreadable_listing_is_made_anew(jgo: FakeJgo, tmp_path: Path) -> None:
    """A listing that a full disk cut off does not stop the start."""
    folder = resolve(tmp_path, PINS).folder
    (folder / "jars.json").write_text('[{"path": ')
    assert len(resolve(tmp_path, PINS).jars) == 2
    assert jgo.calls == 2


def test_a_lost_connection_is_tried_again(jgo: FakeJgo, tmp_path: Path) -> None:
    """Two failures are survived."""
    jgo.failures = 2
    assert len(resolve(tmp_path, PINS).jars) == 2


def test_a_download_that_keeps_failing_says_why(jgo: FakeJgo, tmp_path: Path) -> None:
    """The attempts are bounded, and the message names the way out."""
    jgo.failures = 99
    with pytest.raises(LocalFailure, match=r"failed 3 times: ConnectionError: no route.*KAFKA_BOOTSTRAP"):
        resolve(tmp_path, PINS)
    assert jgo.calls == 3


@pytest.mark.parametrize(
    ("contents", "said"),
    [
        ({"kafka.jar": b"broker"}, r"missing slf4j\.jar"),
        ({**CONTENTS, "more.jar": b""}, r"not pinned: more\.jar"),
        ({**CONTENTS, "kafka.jar": b"evil"}, r"not the pinned contents: kafka\.jar"),
    ],
)
def test_a_jar_that_is_not_the_pinned_one_is_refused(
    jgo: FakeJgo, tmp_path: Path, contents: dict[str, bytes], said: str
) -> None:
    """Missing, extra and changed jars never reach a class path."""
    jgo.contents = contents
    with pytest.raises(LocalFailure, match=said):
        resolve(tmp_path, PINS)


def test_starts_at_the_same_time_download_once(jgo: FakeJgo, tmp_path: Path) -> None:
    """The lock lets one resolve; the others read what it left."""
    found: list[object] = []
    threads = [
        threading.Thread(target=lambda: found.append(resolve(tmp_path, PINS)), daemon=True) for _ in range(8)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(20)
    assert found == [found[0]] * 8
    assert jgo.calls == 1


def test_a_held_lock_is_not_waited_for_without_end(tmp_path: Path) -> None:
    """Past the limit the message names the lock."""
    with (
        exclusive(tmp_path / "lock", 1.0),
        pytest.raises(LocalFailure, match="lock"),
        exclusive(tmp_path / "lock", 0.0),
    ):
        pytest.fail("the lock was given twice")


@pytest.mark.parametrize(
    ("environment", "folder"),
    [
        ({"PENSTOCK_CACHE": "/c", "XDG_CACHE_HOME": "/x"}, Path("/c")),
        ({"XDG_CACHE_HOME": "/x"}, Path("/x/penstock")),
        ({}, Path("~/.cache/penstock").expanduser()),
    ],
)
def test_the_cache_is_where_the_environment_says(environment: dict[str, str], folder: Path) -> None:
    """PENSTOCK_CACHE, then XDG, then ~/.cache."""
    assert cache_folder(environment) == folder


def test_every_shipped_pin_is_a_sha256() -> None:
    """The pins are whole: Kafka and its log binding, 64 hex digits each."""
    pins = read_pins()
    assert "kafka_2.13-4.3.0.jar" in pins.sha256
    assert "slf4j-simple-1.7.36.jar" in pins.sha256
    assert all(len(digest) == 64 and int(digest, 16) for digest in pins.sha256.values())
