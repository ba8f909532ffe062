"""The tools are made once, whole or not at all, by whatever way this machine has; never done without."""

from __future__ import annotations

from pathlib import Path
from typing import Final

import pytest

from tests.chart import toolchain
from tests.chart.toolchain import ToolFailure

# A package whose promtool ends so; `dpkg-deb --extract PACKAGE FOLDER`.
EXTRACTS: Final = (
    'mkdir -p "$3/usr/bin"; at="$3/usr/bin/promtool"; '
    'printf "#!/bin/sh\\nexit {exit_code}\\n" > "$at"; chmod +x "$at"'
)
# A machine without package lists.
NO_LISTS: Final = (
    'case "$*" in *Dir::State*update*) ;; *Dir::State*) touch prometheus_1.deb ;; *) exit 1 ;; esac'
)


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A cache of this test alone."""
    monkeypatch.setenv("PENSTOCK_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache" / "tools"


def program(folder: Path, name: str, script: str) -> Path:
    """A program that runs this line of shell."""
    folder.mkdir(parents=True, exist_ok=True)
    file = folder / name
    file.write_text(f"#!/bin/sh\n{script}\n", encoding="ascii")
    file.chmod(0o755)
    return file


def test_a_tool_is_made_once(cache: Path) -> None:
    """The second time its folder is there."""
    made = []

    def make(folder: Path) -> None:
        made.append(folder)
        (folder / "tool").touch()

    first, second = (toolchain.kept("tool-1", make) for _ in range(2))
    assert first == second == cache / "tool-1"
    assert len(made) == 1
    assert (first / "tool").is_file()


def test_what_could_not_be_made_is_made_again(cache: Path) -> None:
    """A failure says so, and leaves nothing that looks like the tool; nor does a process that was killed."""

    def fail(folder: Path) -> None:
        (folder / "half").touch()
        raise ToolFailure("no way")

    with pytest.raises(ToolFailure, match="no way"):
        toolchain.kept("tool-1", fail)
    assert not (cache / "tool-1").exists()
    assert [
        one.name for one in toolchain.kept("tool-1", lambda folder: (folder / "t").touch()).iterdir()
    ] == ["t"]


def test_another_version_is_another_folder(tmp_path: Path) -> None:
    """A changed file, a new one, a changed flag."""
    (tmp_path / "go.sum").write_text("a", encoding="ascii")
    marks = [toolchain.fingerprint(tmp_path, ["x"]), toolchain.fingerprint(tmp_path, ["y"])]
    (tmp_path / "go.sum").write_text("b", encoding="ascii")
    marks.append(toolchain.fingerprint(tmp_path, ["x"]))
    (tmp_path / "more").touch()
    marks.append(toolchain.fingerprint(tmp_path, ["x"]))
    assert len(set(marks)) == 4


@pytest.mark.parametrize(("version", "enough"), [("go1.26.0", True), ("go1.25.9", False), ("devel", False)])
def test_an_old_go_is_not_taken(tmp_path: Path, version: str, enough: bool) -> None:
    """Nor one that does not say what it is."""
    assert toolchain.new_enough(program(tmp_path, "go", f"echo {version}")) is enough


def test_a_go_that_does_not_run_is_not_taken(tmp_path: Path) -> None:
    """As one of another machine."""
    assert not toolchain.new_enough(program(tmp_path, "go", "exit 3"))
    assert not toolchain.new_enough(tmp_path / "none")


def test_without_go_one_is_installed(cache: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """From the lock, whatever else is on the path."""
    monkeypatch.setenv("PATH", str(program(tmp_path / "bin", "go", "echo go1.20.1").parent))
    monkeypatch.setattr(toolchain, "install_lock", lambda lock, into: (into / lock.parent.name).touch())
    assert toolchain.find_go().relative_to(cache).parts[1:] == ("go", "bin", "go")
    assert [one.name for one in toolchain.python_lock("go").iterdir()] == ["go"]


def test_without_apt_promtool_is_built(cache: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """In minutes instead of seconds, and the same folder holds it."""
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setattr(toolchain, "build", lambda module, into: (into / module.name).touch())
    assert (toolchain.promtool_folder() / "promtool").is_file()


def test_a_promtool_that_does_not_run_here_is_built(
    cache: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Debian's needs a C library; what comes out of the package is tried before it counts."""
    program(tmp_path / "bin", "apt-get", "touch prometheus_1_amd64.deb")
    program(tmp_path / "bin", "dpkg-deb", EXTRACTS.format(exit_code=1))
    monkeypatch.setenv("PATH", f"{tmp_path / 'bin'}:/usr/bin:/bin")
    built: list[str] = []
    monkeypatch.setattr(toolchain, "build", lambda module, into: built.append(module.name))
    folder = toolchain.promtool_folder()
    assert built == ["promtool"]
    assert [one.name for one in folder.iterdir()] == ["promtool"]


def test_a_mirror_without_lists_is_asked_for_them(
    cache: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As in a fresh image: they go into a folder of the download, not into the system."""
    log = tmp_path / "log"
    program(tmp_path / "bin", "apt-get", f'echo "$@" >> {log}\n{NO_LISTS}')
    program(tmp_path / "bin", "dpkg-deb", EXTRACTS.format(exit_code=0))
    monkeypatch.setenv("PATH", f"{tmp_path / 'bin'}:/usr/bin:/bin")
    folder = toolchain.promtool_folder()
    assert [one.name for one in folder.iterdir()] == ["promtool"]
    assert [line.split()[-1] for line in log.read_text("utf-8").splitlines()] == [
        "prometheus",
        "update",
        "prometheus",
    ]


def test_a_build_sees_no_flags_of_its_user() -> None:
    """And never fetches another Go."""
    found = toolchain.go_environment({"GOFLAGS": "-mod=mod", "GOPROXY": "kept", "GOTOOLCHAIN": "auto"})
    assert (found["GOPROXY"], found["GOTOOLCHAIN"], found["CGO_ENABLED"]) == ("kept", "local", "0")
    assert found["GOFLAGS"].startswith("-mod=readonly")


def test_a_failing_command_is_quoted(tmp_path: Path) -> None:
    """With the last lines of what it said; so is one that is missing or hangs."""
    with pytest.raises(ToolFailure, match="exit code 3\nwhy"):
        toolchain.run([str(program(tmp_path, "tool", "echo why; exit 3"))])
    with pytest.raises(ToolFailure, match="there is no"):
        toolchain.run([str(tmp_path / "none")])
    with pytest.raises(ToolFailure, match=r"not finished after 0\.2 s"):
        toolchain.run([str(program(tmp_path, "tool", "exec sleep 30"))], seconds=0.2)
