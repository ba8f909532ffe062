"""One container of a rendered pod, run as a kubelet would, on a machine without one. Linux, as root.

Its own mounts, process numbers and a read-only root out of the image; volumes made of the release's
ConfigMaps and Secrets with a kubelet's links and modes; the pod's user, no way to more rights. It shares this
machine's network, so two pods need two ports.
"""

from __future__ import annotations

import os
import shlex
import signal
import subprocess
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Any, Final

from tests.chart.full.image import Image

Document = dict[str, Any]

# A runtime gives every container these.
DEVICES: Final = ("null", "zero", "full", "random", "urandom")
START_SECONDS: Final = 10.0


@dataclass(frozen=True, slots=True)
class Cluster:
    """What pods take from around them: objects by (kind, name), and names that a cluster's DNS would know."""

    objects: Mapping[tuple[str, str], Mapping[str, str]]
    hosts: tuple[str, ...]
    metadata: Mapping[str, str] = field(default_factory=dict)  # field path -> value, of every pod


class Container:
    """A container that runs. `stop` is what a kubelet does; the object is its own context manager."""

    def __init__(self, name: str, process: subprocess.Popen[bytes], log: Path, output: IO[bytes]) -> None:
        self.name = name
        self.log = log
        self._process = process
        self._output = output

    def __enter__(self) -> Container:
        return self

    def __exit__(self, *error: object) -> None:
        if self._process.poll() is None:
            self._process.kill()  # --kill-child takes the container with it
        self._process.wait()
        self._output.close()

    @property
    def first(self) -> int:
        """The process on this machine that is number 1 within. Raises TimeoutError when it does not start."""
        children = Path(f"/proc/{self._process.pid}/task/{self._process.pid}/children")
        deadline = time.monotonic() + START_SECONDS
        while time.monotonic() < deadline and self._process.poll() is None:
            if found := children.read_text("ascii").split():
                return int(found[0])
            time.sleep(0.02)
        raise TimeoutError(f"{self.name} did not start: {self.text()[-2000:]}")

    def text(self) -> str:
        """What it has written so far."""
        return self.log.read_text("utf-8", errors="replace")

    def status(self) -> dict[str, str]:
        """Number 1's /proc/<pid>/status."""
        lines = Path(f"/proc/{self.first}/status").read_text("utf-8").splitlines()
        return {name: value.strip() for name, _, value in (line.partition(":") for line in lines)}

    def alive(self) -> bool:
        """Whether it still runs."""
        return self._process.poll() is None

    def wait(self, seconds: float) -> int:
        """Its exit code. Raises subprocess.TimeoutExpired."""
        return self._process.wait(seconds)

    def stop(self, grace_seconds: float) -> tuple[int, float]:
        """SIGTERM to number 1 and nobody else: (exit code, seconds it took). Raises TimeoutExpired at the
        moment when a kubelet would kill."""
        started = time.monotonic()
        os.kill(self.first, signal.SIGTERM)
        code = self._process.wait(grace_seconds)
        return code, time.monotonic() - started


def start(image: Image, cluster: Cluster, name: str, spec: Document, folder: Path) -> Container:
    """Start the first container of a pod's spec. `folder` is made, and holds volumes and the log."""
    container = spec["containers"][0]
    folder.mkdir(parents=True)
    root = folder / "root"
    lines = [
        f"mount -t overlay overlay -o lowerdir={image.root},upperdir={_made(folder / 'upper')},"
        f"workdir={_made(folder / 'work')} {_made(root)}",
        f"mount -t tmpfs -o mode=755 tmpfs {root}/dev && mkdir {root}/dev/shm",
        f"mount -t tmpfs -o mode=1777,size=64m tmpfs {root}/dev/shm",
        *(f"touch {root}/dev/{one} && mount --bind /dev/{one} {root}/dev/{one}" for one in DEVICES),
    ]
    for mount in container["volumeMounts"]:
        volume = next(one for one in spec["volumes"] if one["name"] == mount["name"])
        lines += _mounting(volume, mount, cluster, _group(spec), folder)
    hosts = folder / "hosts"
    hosts.write_text("127.0.0.1 localhost\n" + "".join(f"127.0.0.1 {host}\n" for host in cluster.hosts))
    (folder / "upper" / "etc").mkdir(exist_ok=True)
    lines += [f"touch {root}/etc/hosts && mount --bind {hosts} {root}/etc/hosts"]
    security = {**spec["securityContext"], **container["securityContext"]}
    assert security["readOnlyRootFilesystem"], "the chart's default"
    lines += [f"mount -o remount,ro {root}"]
    inner = [
        "setpriv", "--no-new-privs", "--", "unshare", "--pid", "--fork", "--kill-child=KILL",
        "--mount-proc", f"--root={root}", "--wd=/app",
        f"--setgid={security['runAsGroup']}", f"--setuid={security['runAsUser']}", "--",
        *container.get("command", image.command), *container.get("args", []),
    ]  # fmt: skip
    script = folder / "start.sh"
    script.write_text("set -eu\n" + "\n".join(lines) + f"\nexec {shlex.join(inner)}\n")
    log = folder / "log"
    output = log.open("wb")
    process = subprocess.Popen(
        ["unshare", "--mount", "--propagation", "private", "--", "sh", str(script)],
        env=environment(image, container, cluster, name), stdin=subprocess.DEVNULL, stdout=output,
        stderr=subprocess.STDOUT,
    )  # fmt: skip
    return Container(name, process, log, output)


def environment(image: Image, container: Document, cluster: Cluster, name: str) -> dict[str, str]:
    """The container's variables; nothing of this machine's."""
    found = dict(image.environment)
    for entry in container.get("env", ()):
        found[entry["name"]] = (
            entry["value"] if "value" in entry else _looked_up(entry["valueFrom"], cluster, name)
        )
    return found


def _looked_up(source: Document, cluster: Cluster, name: str) -> str:
    if "fieldRef" in source:
        path = source["fieldRef"]["fieldPath"]
        return name if path == "metadata.name" else cluster.metadata[path]
    reference = source["secretKeyRef"]
    return cluster.objects["Secret", reference["name"]][reference["key"]]


def _mounting(volume: Document, mount: Document, cluster: Cluster, group: int, folder: Path) -> list[str]:
    place = folder / "root" / mount["mountPath"].lstrip("/")
    lines = [f"mkdir -p {place}"]
    if "emptyDir" in volume:
        size = volume["emptyDir"].get("sizeLimit", "64Mi").replace("Mi", "m").replace("Gi", "g")
        return [*lines, f"mount -t tmpfs -o mode=2777,gid={group},size={size} tmpfs {place}"]
    source = folder / "volumes" / volume["name"]
    if not source.exists():
        _fill(source, volume, cluster, group)
    lines.append(f"mount --bind {source} {place}")
    if mount.get("readOnly"):
        lines.append(f"mount -o remount,bind,ro {place}")
    return lines


def _fill(folder: Path, volume: Document, cluster: Cluster, group: int) -> None:
    """As a kubelet does: `..data` links to a folder of this moment, names at the top link through it."""
    whole = volume.get("projected", volume)
    mode = int(whole.get("defaultMode", volume.get("secret", {}).get("defaultMode", 0o644)))
    moment = folder / "..2026_01_01"
    moment.mkdir(parents=True)
    for source in volume["projected"]["sources"] if "projected" in volume else [volume]:
        for path, text in _files(source, cluster).items():
            file = moment / path
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_text(text, encoding="utf-8")
            file.chmod(mode)
            os.chown(file, 0, group)
    (folder / "..data").symlink_to(moment.name)
    for entry in moment.iterdir():
        (folder / entry.name).symlink_to(f"..data/{entry.name}")


def _files(source: Document, cluster: Cluster) -> dict[str, str]:
    if "configMap" in source:
        chosen, kind, name = source["configMap"], "ConfigMap", source["configMap"]["name"]
    else:
        chosen, kind = source["secret"], "Secret"
        name = chosen.get("name", chosen.get("secretName"))
    data = cluster.objects[kind, name]
    if items := chosen.get("items"):
        return {item["path"]: data[item["key"]] for item in items}
    return dict(data)


def _group(spec: Document) -> int:
    return int(spec["securityContext"]["fsGroup"])


def _made(folder: Path) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    return folder
