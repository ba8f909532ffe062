"""One release from install to uninstall, by one Helm, with what is seen at each step."""

from __future__ import annotations

import json
import subprocess
import threading
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

from tests.chart.full.control_plane import ControlPlane, environment
from tests.chart.full.image_run import until
from tests.chart.full.log import RunLog, Wrong, check
from tests.chart.rendering import CHART

RELEASE: Final = "shop"
POOL: Final = "deployment/shop-penstock-main"
HELM_SECONDS: Final = 300.0
SEEN_SECONDS: Final = 60.0
PROCESSOR: Final = """
pipeline:
  - $source: {connectionName: kafka, topic: orders}
  - $addFields: {seen: %d}
  - $emit: {connectionName: kafka, topic: out}
options: {dlq: {connectionName: kafka, topic: dead}}
"""
EVERYTHING: Final = (
    "all,configmaps,secrets,serviceaccounts,poddisruptionbudgets,horizontalpodautoscalers,networkpolicies,"
    "podmonitors,prometheusrules,scaledobjects,triggerauthentications,verticalpodautoscalers"
)


class Story:
    """A release in a namespace of its own, in which pods must be `restricted`."""

    def __init__(self, plane: ControlPlane, helm: Path, name: str, folder: Path, log: RunLog) -> None:
        self.plane = plane
        self.name = name
        self._helm = helm
        self._folder = folder / name
        self._log = log
        self._folder.mkdir()
        plane.kubectl("create", "namespace", name)
        plane.kubectl("label", "namespace", name, "pod-security.kubernetes.io/enforce=restricted")

    def say(self, line: str) -> None:
        """With the Helm's name."""
        self._log.say(f"{self.name}: {line}")

    def helm(self, verb: str, *arguments: str) -> str:
        """Run Helm; what it said. Raises Wrong when it fails."""
        done = subprocess.run(
            [str(self._helm), verb, RELEASE, *arguments, "--namespace", self.name,
             "--kubeconfig", str(self.plane.kubeconfig)],
            capture_output=True, text=True, check=False, timeout=HELM_SECONDS,
            env={**environment(), "HOME": str(self._folder)},
        )  # fmt: skip
        check(done.returncode == 0, f"{self.name}: helm {verb} {arguments}: {done.stdout}{done.stderr}")
        return done.stdout

    def put(self, verb: str, **workers: Any) -> None:
        """`helm install` or `helm upgrade` with these values of `workers`, until its pods are ready."""
        seen = workers.pop("seen", 1)
        files = {
            "processors/orders.yaml": PROCESSOR % seen,
            "topics/orders.yaml": "partitions: 24\n",
            "functions/score.js": "exports = () => 1;\n",
        }
        values = {
            "app": {"files": files},
            "connections": {"kafka": {"type": "Kafka", "bootstrapServers": "kafka:9092"}},
            "functions": {"enabled": True, "authentication": {"existingSecret": "callers"}},
            "topics": {"enabled": True},
            "monitoring": {"podMonitor": {"enabled": True}},
            "networkPolicy": {"enabled": True},
            "workers": workers,
        }
        file = self._folder / "values.json"
        file.write_text(json.dumps(values), encoding="utf-8")
        self.helm(verb, str(CHART), "--values", str(file), "--wait", "--timeout", "180s")

    def get(self, what: str, *more: str) -> Any:
        """`kubectl get -o json` in the namespace."""
        return self.plane.get(what, "--namespace", self.name, *more)

    def pods(self) -> list[Any]:
        """Those of the pool that are not on their way out."""
        found = self.get("pods", "-l", "penstock/pool=main")["items"]
        return [one for one in found if "deletionTimestamp" not in one["metadata"]]

    def zones(self) -> dict[str, int]:
        """Pods of the pool by zone."""
        return dict(
            sorted(Counter(one["spec"]["nodeName"].removeprefix("node-") for one in self.pods()).items())
        )

    def replicas(self) -> int:
        """What the pool's Deployment asks for."""
        return int(self.get(POOL)["spec"]["replicas"])

    @contextmanager
    def watched(self) -> Iterator[list[tuple[int, int]]]:
        """Every (replicas asked for, replicas available) of the pool while the block runs."""
        path = '{.spec.replicas} {.status.availableReplicas}{"\\n"}'
        command = [
            *self.plane.command, "get", POOL, "--namespace", self.name, "--watch", "-o", f"jsonpath={path}",
        ]  # fmt: skip
        seen: list[tuple[int, int]] = []
        process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=environment())
        assert process.stdout is not None

        def read(lines: Any) -> None:
            for line in lines:
                asked, _, available = line.strip().partition(" ")
                seen.append((int(asked), int(available or 0)))

        reader = threading.Thread(target=read, args=(process.stdout,), daemon=True)
        reader.start()
        try:
            until(lambda: bool(seen), SEEN_SECONDS, "a first look at the pool")
            yield seen
        finally:
            process.terminate()
            process.wait()
            reader.join(SEEN_SECONDS)
            process.stdout.close()


def run(plane: ControlPlane, helm: Path, name: str, folder: Path, log: RunLog) -> None:
    """Every step, each with a line of what was seen. Raises Wrong."""
    story = Story(plane, helm, name, folder, log)
    steps: tuple[Callable[[Story], None], ...] = (
        install,
        change,
        scale,
        by_hand,
        autoscale,
        drain,
        roll_back,
        remove,
    )
    try:
        for step in steps:
            step(story)
    except Wrong:
        log.raw(plane.kubectl("get", "pods", "--namespace", name, "-o", "wide"))
        log.raw(plane.kubectl("get", "events", "--namespace", name, "--sort-by=.lastTimestamp")[-6_000:])
        raise


def install(story: Story) -> None:
    """Pods of workers and host are ready, the topics job ran first, `helm test` passes."""
    story.put("install", replicas=3)
    check(story.zones() == {"a": 1, "b": 1, "c": 1}, f"spread: {story.zones()}")
    jobs = {one["metadata"]["name"]: one["status"].get("succeeded") for one in story.get("jobs")["items"]}
    story.say(f"install: 3 workers, one a zone; jobs done: {jobs}")
    story.helm("test", "--timeout", "120s")
    story.say("helm test: its pods end well")


def change(story: Story) -> None:
    """A changed processor replaces every pod, never with fewer than there were."""
    before = {one["metadata"]["name"] for one in story.pods()}
    with story.watched() as seen:
        story.put("upgrade", replicas=3, seen=2)
    after = {one["metadata"]["name"] for one in story.pods()}
    check(not before & after, f"pods that a changed processor did not replace: {before & after}")
    check(min(available for _, available in seen) >= 3, f"available while rolling: {seen}")
    story.say(
        f"a changed processor: {len(after)} new pods; available meanwhile: {sorted({a for _, a in seen})}"
    )


def scale(story: Story) -> None:
    """`replicas: 6`."""
    story.put("upgrade", replicas=6, seen=2)
    check(story.zones() == {"a": 2, "b": 2, "c": 2}, f"spread: {story.zones()}")
    story.say(f"scaled to 6: {story.zones()}")


def by_hand(story: Story) -> None:
    """`replicas: null` leaves the number to others: an upgrade keeps it."""
    story.put("upgrade", replicas=None, seen=2)
    check(story.replicas() == 6, f"replicas: null made them {story.replicas()}")
    story.plane.kubectl("scale", POOL, "--replicas=7", "--namespace", story.name)
    with story.watched() as seen:
        story.put("upgrade", replicas=None, seen=3)
    check({asked for asked, _ in seen} == {7}, f"asked for: {seen}")
    story.say("kubectl scale to 7, then an upgrade with another processor: 7 all the time")


def autoscale(story: Story) -> None:
    """Switched on, it takes the pods as they are: no step through 1."""
    for kind, what in (("cpu", "horizontalpodautoscalers"), ("lag", "scaledobjects")):
        with story.watched() as seen:
            story.put(
                "upgrade", replicas=3, seen=3, autoscaling={"type": kind, "minReplicas": 2, "maxReplicas": 12}
            )
        check({asked for asked, _ in seen} == {7}, f"asked for while {kind} was switched on: {seen}")
        names = [one["metadata"]["name"] for one in story.get(what)["items"]]
        check("shop-penstock-main" in " ".join(names), f"{what}: {names}")
        story.say(f"autoscaling by {kind} switched on: 7 replicas all the time; {what}: {names}")


def drain(story: Story) -> None:
    """A node's pods go one after another, as the disruption budget says."""
    before = story.zones()
    with story.watched() as seen:
        done = subprocess.run(
            [*story.plane.command, "drain", "node-a", "--delete-emptydir-data", "--ignore-daemonsets",
             "--timeout=120s"],
            capture_output=True, text=True, check=False, env=environment(), timeout=HELM_SECONDS,
        )  # fmt: skip
        check(done.returncode == 0, f"drain: {done.stderr}")
        until(lambda: len([p for p in story.pods() if ready(p)]) == 7, SEEN_SECONDS, "7 ready pods elsewhere")
    said = done.stdout + done.stderr
    held = said.count("disruption budget")
    least = min(available for _, available in seen)
    check(least >= 6, f"available during the drain: {seen}")
    check(held > 0, f"no eviction had to wait: {before}; {said}")
    check("a" not in story.zones(), f"pods on the drained node: {story.zones()}")
    story.plane.kubectl("uncordon", "node-a")
    story.say(f"drain of node-a: {least} of 7 available at least, {held} times told to wait; {story.zones()}")


def ready(one: Any) -> bool:
    """Whether a pod's condition Ready is true."""
    return any(
        c["type"] == "Ready" and c["status"] == "True" for c in one.get("status", {}).get("conditions", ())
    )


def roll_back(story: Story) -> None:
    """To the first revision: its processor, its number of pods, no autoscaling.

    Helm 4 applies as one owner of fields among several: the number that `kubectl scale` wrote it takes by
    force alone. A rollback that is refused for it leaves what later revisions made, so force is used at once.
    """
    forced = () if story.name == "helm3" else ("--force-conflicts",)
    story.helm("rollback", "1", "--wait", "--timeout", "180s", *forced)
    until(lambda: len(story.pods()) == 3, SEEN_SECONDS, "3 pods")
    left = [one["metadata"]["name"] for one in story.get("scaledobjects")["items"]]
    check((story.replicas(), left) == (3, []), f"after the rollback: {story.replicas()} replicas, {left}")
    story.say(f"{' '.join(('rollback', 'to', 'revision', '1', *forced))}: 3 replicas, nothing scales them")


def remove(story: Story) -> None:
    """Nothing of the release stays but what hooks made."""
    story.helm("uninstall", "--wait", "--timeout", "120s")

    def left() -> list[Any]:
        found = story.get(EVERYTHING, "-l", f"app.kubernetes.io/instance={RELEASE}")["items"]
        return [one for one in found if one["metadata"].get("ownerReferences") is None]

    def hooked(one: Any) -> bool:
        return "helm.sh/hook" in one["metadata"].get("annotations", {})

    until(lambda: all(hooked(one) for one in left()), SEEN_SECONDS, "an empty namespace")
    names = [f"{one['kind']}/{one['metadata']['name']}" for one in left()]
    story.say(f"uninstall: nothing left but what hooks made: {names}")
