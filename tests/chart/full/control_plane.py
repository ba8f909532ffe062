"""A Kubernetes of this machine alone: etcd, API server, controllers, scheduler, and nodes that do not exist.

Everything listens on 127.0.0.1. Pods get a node, become ready and are drained by the rules of the real
scheduler, controllers and eviction API; no container runs.
"""

from __future__ import annotations

import json
import os
import socket
import ssl
import subprocess
import time
import urllib.error
import urllib.request
from contextlib import ExitStack
from pathlib import Path
from typing import IO, Any, Final

from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa
from ruamel.yaml import YAML

from tests.chart.full.log import check
from tests.chart.full.programs import Programs

TOKEN: Final = "of-this-run-alone"
START_SECONDS: Final = 120.0
# An API server whose etcd is gone stops for a minute: it goes first, and is killed when it does not go.
STOP_SECONDS: Final = 5.0
# A worker needs 1 to 3 s. Pods that were ready at once would hide what a disruption budget does.
READY_MS: Final = 1_500
ZONES: Final = ("a", "b", "c")
# `helm test` pods belong to no job, so the fast stages leave them running.
TESTS_COMPLETE: Final = """
apiVersion: kwok.x-k8s.io/v1alpha1
kind: Stage
metadata:
  name: helm-test-complete
spec:
  resourceRef: {apiGroup: v1, kind: Pod}
  selector:
    matchExpressions:
      - {key: .metadata.deletionTimestamp, operator: DoesNotExist}
      - {key: .status.phase, operator: In, values: [Running]}
      - {key: '.metadata.annotations["helm.sh/hook"]', operator: In, values: [test]}
  next:
    statusTemplate: |
      phase: Succeeded
"""


class ControlPlane:
    """Runs while its context lasts. `kubectl` and `kubeconfig` are for whoever uses it."""

    def __init__(self, programs: Programs, folder: Path) -> None:
        self.kubeconfig = folder / "kubeconfig"
        self.command = [str(programs.cluster), "kubectl", "--kubeconfig", str(self.kubeconfig)]
        self._programs = programs
        self._folder = folder
        self._running: list[subprocess.Popen[bytes]] = []
        self._files = ExitStack()

    def __enter__(self) -> ControlPlane:
        self._folder.mkdir(parents=True, exist_ok=True)
        try:
            self._start()
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *error: object) -> None:
        for process in reversed(self._running):
            process.terminate()
            try:
                process.wait(STOP_SECONDS)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
        self._files.close()

    def kubectl(self, *arguments: str, stdin: str = "", seconds: float = 120.0) -> str:
        """Run kubectl; its standard output. Raises Wrong, TimeoutExpired."""
        done = subprocess.run(
            [*self.command, *arguments],
            input=stdin, capture_output=True, text=True, timeout=seconds, check=False, env=environment(),
        )  # fmt: skip
        check(done.returncode == 0, f"kubectl {' '.join(arguments)}: {done.stderr}")
        return done.stdout

    def get(self, what: str, *more: str) -> Any:
        """`kubectl get -o json`."""
        return json.loads(self.kubectl("get", what, *more, "-o", "json"))

    def add_nodes(self) -> None:
        """One node a zone, and wait until each is ready."""
        nodes = [node(f"node-{zone}", zone) for zone in ZONES]
        self.kubectl(
            "apply", "-f", "-", stdin=json.dumps({"apiVersion": "v1", "kind": "List", "items": nodes})
        )
        self.kubectl("wait", "node", "--all", "--for=condition=Ready", "--timeout=60s")

    def _start(self) -> None:
        api, store, peer, kwok = (free_port() for _ in range(4))
        keys, logs = self._folder / "keys", self._folder / "logs"
        keys.mkdir()
        logs.mkdir()
        signing = rsa.generate_private_key(public_exponent=65537, key_size=2048)
        (keys / "sa.key").write_bytes(
            signing.private_bytes(
                serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
            )
        )
        (keys / "tokens.csv").write_text(f'{TOKEN},admin,admin,"system:masters"\n', encoding="ascii")
        self._run(
            "etcd", f"--data-dir={self._folder / 'etcd'}", f"--listen-client-urls=http://127.0.0.1:{store}",
            f"--advertise-client-urls=http://127.0.0.1:{store}", f"--listen-peer-urls=http://127.0.0.1:{peer}",
            f"--initial-advertise-peer-urls=http://127.0.0.1:{peer}",
            f"--initial-cluster=default=http://127.0.0.1:{peer}", "--unsafe-no-fsync",
        )  # fmt: skip
        self._run(
            "apiserver", f"--etcd-servers=http://127.0.0.1:{store}", "--bind-address=127.0.0.1",
            "--advertise-address=127.0.0.1", "--endpoint-reconciler-type=none", f"--secure-port={api}",
            f"--cert-dir={keys}", f"--service-account-key-file={keys / 'sa.key'}",
            f"--service-account-signing-key-file={keys / 'sa.key'}",
            "--service-account-issuer=https://kubernetes.default.svc",
            "--service-cluster-ip-range=10.0.0.0/24",
            f"--token-auth-file={keys / 'tokens.csv'}", "--authorization-mode=RBAC",
        )  # fmt: skip
        self.kubeconfig.write_text(json.dumps(access(api)), encoding="utf-8")
        self._wait_for_api(f"https://127.0.0.1:{api}/readyz")
        common = (f"--kubeconfig={self.kubeconfig}", "--leader-elect=false", "--bind-address=127.0.0.1")
        self._run(
            "controllers", *common, f"--service-account-private-key-file={keys / 'sa.key'}",
            f"--cert-dir={keys}", f"--secure-port={free_port()}", "--use-service-account-credentials=false",
        )  # fmt: skip
        self._run("scheduler", *common, f"--secure-port={free_port()}", f"--cert-dir={keys}")
        stages = [YAML(typ="safe").load(file) for file in self._programs.stages]
        for stage in stages:
            if stage["metadata"]["name"] == "pod-ready":
                stage["spec"]["delay"] = {"durationMilliseconds": READY_MS}
        behaviour = [*map(json.dumps, stages), TESTS_COMPLETE]
        (self._folder / "stages.yaml").write_text("\n---\n".join(behaviour), encoding="utf-8")
        self._run(
            "kwok", f"--kubeconfig={self.kubeconfig}", "--manage-all-nodes",
            f"--config={self._folder / 'stages.yaml'}", f"--server-address=127.0.0.1:{kwok}",
            program=self._programs.kwok,
        )  # fmt: skip
        deadline = time.monotonic() + START_SECONDS
        while "default" not in self.kubectl("get", "serviceaccounts", "-o", "name"):
            self._still_running(deadline)

    def _run(self, part: str, *flags: str, program: Path | None = None) -> None:
        log: IO[bytes] = self._files.enter_context((self._folder / "logs" / part).open("wb"))
        command = [str(program)] if program else [str(self._programs.cluster), part]
        self._running.append(
            subprocess.Popen(
                [*command, *flags], stdin=subprocess.DEVNULL, stdout=log, stderr=subprocess.STDOUT,
                env=environment(), cwd=self._folder,
            )
        )  # fmt: skip

    def _wait_for_api(self, url: str) -> None:
        trusting = ssl.create_default_context()
        trusting.check_hostname = False
        trusting.verify_mode = ssl.CERT_NONE
        asked = urllib.request.Request(url, headers={"Authorization": f"Bearer {TOKEN}"})
        deadline = time.monotonic() + START_SECONDS
        while True:
            try:
                with urllib.request.urlopen(asked, timeout=5, context=trusting):
                    return
            except (urllib.error.URLError, OSError):
                self._still_running(deadline)

    def _still_running(self, deadline: float) -> None:
        ended = [str(process.args) for process in self._running if process.poll() is not None]
        if ended or time.monotonic() > deadline:
            logs = sorted((self._folder / "logs").iterdir())
            said = "\n".join(
                f"{file.name}: {file.read_text('utf-8', errors='replace')[-1500:]}" for file in logs
            )
            raise TimeoutError(f"the control plane is not there; ended: {ended}\n{said}")
        time.sleep(0.2)


def environment() -> dict[str, str]:
    """This machine's variables without those that point kubectl and Helm at another cluster."""
    return {name: value for name, value in os.environ.items() if not name.startswith(("KUBE", "HELM_"))}


def access(port: int) -> dict[str, Any]:
    """A kubeconfig."""
    cluster = {"server": f"https://127.0.0.1:{port}", "insecure-skip-tls-verify": True}
    return {
        "apiVersion": "v1",
        "kind": "Config",
        "clusters": [{"name": "here", "cluster": cluster}],
        "users": [{"name": "admin", "user": {"token": TOKEN}}],
        "contexts": [{"name": "here", "context": {"cluster": "here", "user": "admin"}}],
        "current-context": "here",
    }


def node(name: str, zone: str) -> dict[str, Any]:
    """A node that kwok plays."""
    room = {"cpu": "8", "memory": "32Gi", "pods": "110"}
    labels = {
        "kubernetes.io/hostname": name,
        "topology.kubernetes.io/zone": zone,
        "kubernetes.io/os": "linux",
        "kubernetes.io/arch": "amd64",
    }
    return {
        "apiVersion": "v1",
        "kind": "Node",
        "metadata": {"name": name, "labels": labels, "annotations": {"kwok.x-k8s.io/node": "fake"}},
        "status": {"allocatable": room, "capacity": room, "phase": "Running"},
    }


def free_port() -> int:
    """A port that nobody has at this moment."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port
