"""The main job by the built image and the rendered chart: SASL_SSL, user 10001, read-only, drain on SIGTERM.

    python -m tests.chart.full image --image oci-folder

Nothing of a cluster is there but what the release itself says: helm renders it, `pod` runs its containers, an
embedded Kafka with SASL_SSL is the broker. 6,000 orders flow; one of two workers is stopped in their midst.
"""

from __future__ import annotations

import json
import subprocess
import threading
import time
import urllib.error
import urllib.request
from collections import Counter
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from tests.chart import rendering
from tests.chart.full import pod
from tests.chart.full.control_plane import free_port
from tests.chart.full.image import Image, unpack
from tests.chart.full.log import RunLog, Wrong, check
from tests.chart.toolchain import ROOT, tools
from topics.headers import DEAD_LETTER
from workers.local.kafka import KafkaServer
from workers.local.kafka_settings import KafkaSettings, SecurityOptions
from workers.local.orders import Fate
from workers.local.readback import Reader
from workers.local.sample import SampleSettings, SampleSource

APP: Final = ROOT / "examples" / "orders"
PASSWORD: Final = "an-image-run"
ORDERS: Final = 6_000
PER_SECOND: Final = 400.0
READY_SECONDS: Final = 90.0
SETTLED_SECONDS: Final = 180.0
GROUP: Final = "penstock-orders"

Document = dict[str, Any]


@dataclass(frozen=True, slots=True)
class World:
    """What all steps share."""

    log: RunLog
    folder: Path
    image: Image
    kafka: KafkaServer
    functions_port: int
    metrics_port: int


def run(layout: Path, folder: Path, log: RunLog) -> None:
    """The whole story. Raises Wrong for what is not as it should be."""
    image = unpack(layout, folder / "image")
    log.say(f"image: {image.layers_bytes / 1e6:.0f} MB compressed, user {image.user}, {image.command}")
    for label, value in sorted(image.labels.items()):
        log.say(f"  {label}: {value}")
    security = SecurityOptions(users={"penstock": PASSWORD})
    settings = KafkaSettings(partitions=4, security=security)
    functions_port, metrics_port = free_port(), free_port()
    with KafkaServer(folder / "kafka", settings) as kafka, ExitStack() as stack:
        log.say(f"kafka: SASL_SSL at {kafka.secure_address}")
        world = World(log, folder, image, kafka, functions_port, metrics_port)
        first, cluster = release(world, metrics_port), objects(world)
        job = stack.enter_context(
            container(world, cluster, first, ("Job", "release-penstock-topics"), "topics")
        )
        check(job.wait(READY_SECONDS) == 0, f"the topics job failed: {job.text()[-2000:]}")
        log.say("topics: the job ended with 0: " + ", ".join(sorted(topics(kafka))))
        host = stack.enter_context(
            container(world, cluster, first, ("Deployment", "release-penstock-functions"), "functions")
        )
        wait_until_ready(world, host, first, ("Deployment", "release-penstock-functions"))
        work(world, cluster, stack)
        code, seconds = host.stop(grace(first, ("Deployment", "release-penstock-functions")))
        log.say(f"function host: SIGTERM, exit code {code} after {seconds:.1f} s")
        check(code == 0, f"the host ended with {code}: {host.text()[-2000:]}")


def work(world: World, cluster: pod.Cluster, stack: ExitStack) -> None:
    """Two workers, orders, a drain in their midst, and the sum."""
    kind = ("Deployment", "release-penstock-main")
    releases = {"a": release(world, world.metrics_port), "b": release(world, free_port())}
    workers = {
        name: stack.enter_context(container(world, cluster, found, kind, f"worker-{name}"))
        for name, found in releases.items()
    }
    for name, worker in workers.items():
        wait_until_ready(world, worker, releases[name], kind)
        confined(world, worker)
    source = SampleSource(
        {"bootstrap.servers": world.kafka.address},
        SampleSettings("orders", records=ORDERS, per_second=PER_SECOND),
    )
    feeder = threading.Thread(target=source.run, daemon=True)
    feeder.start()
    until(lambda: source.report.acked > ORDERS // 3, SETTLED_SECONDS, "a third of the orders")
    seconds_given = grace(releases["a"], kind)
    sent = f"{source.report.acked} of {ORDERS}"
    world.log.say(f"orders: {sent} sent; SIGTERM to process 1 of worker-a, which has {seconds_given:g} s")
    code, seconds = workers["a"].stop(seconds_given)
    world.log.say(f"worker-a: exit code {code} after {seconds:.1f} s")
    check(code == 0, f"worker-a ended with {code}: {workers['a'].text()[-2000:]}")
    feeder.join(SETTLED_SECONDS)
    until(lambda: lag(world.kafka) == 0, SETTLED_SECONDS, "a lag of 0")
    try:
        settle(world, source)
    except Wrong:
        for worker in workers.values():
            world.log.raw(f"{worker.name}:\n{worker.text()[-8_000:]}")
        raise
    code, seconds = workers["b"].stop(grace(releases["b"], kind))
    world.log.say(f"worker-b: exit code {code} after {seconds:.1f} s")
    check(code == 0, f"worker-b ended with {code}: {workers['b'].text()[-2000:]}")
    for worker in workers.values():
        check(PASSWORD not in worker.text(), f"{worker.name} logs the password")
        check(
            '"level":"error"' not in worker.text(),
            f"{worker.name} logs an error: {worker.text()[-2000:]}",
        )


def settle(world: World, source: SampleSource) -> None:
    """Every order is in exactly one place: a drain repeats nothing and loses nothing."""
    fates = source.report.fates
    reasons: Counter[str] = Counter()

    def letter(record: Any) -> None:
        why = json.loads(dict(record.headers())[DEAD_LETTER.name])["errInfo"]
        reasons[str(why.get("class"))] += 1

    with Reader({"bootstrap.servers": world.kafka.address}, "reads-back") as reader:
        results = reader.read({}, reader.ends(["orders.enriched"]), lambda _: None)
        letters = reader.read({}, reader.ends(["orders.dlq"]), letter)
    world.log.say(
        f"orders: {source.report.acked} sent, {fates[Fate.DROPPED]} to be dropped; {results} results, "
        f"{letters} dead letters {dict(sorted(reasons.items()))}"
    )
    check(results + letters == source.report.acked - fates[Fate.DROPPED], "an order is lost or twice there")
    check(letters >= fates[Fate.DEAD_LETTER], "an order that no function takes is not among the dead letters")


def release(world: World, metrics_port: int) -> list[Document]:
    """What the chart renders for this run."""
    names = [
        p.relative_to(APP).as_posix() for p in sorted(APP.rglob("*")) if p.suffix in (".yaml", ".js", ".py")
    ]
    secret = {"existingSecret": "run"}
    values = {
        "app": {
            "files": {name: (APP / name).read_text("utf-8") for name in names if name != "connections.yaml"}
        },
        "connections": {
            "kafka": {
                "type": "Kafka",
                "bootstrapServers": world.kafka.secure_address,
                "security": {"protocol": "SASL_SSL", "caFile": {**secret, "key": "ca.crt"}},
                "authentication": {
                    "mechanism": "SCRAM-512",
                    "username": "penstock",
                    "password": {**secret, "key": "password"},
                },
            },
            "functions": {
                "type": "AWSLambda",
                "region": "eu-central-1",
                "endpointUrl": "${PENSTOCK_FUNCTIONS_URL}",
                "accessKeyId": "WORKERS",
                "secretAccessKey": {**secret, "key": "access"},
            },
        },
        "functions": {
            "enabled": True,
            "port": world.functions_port,
            "metricsPort": free_port(),
            "service": {"port": world.functions_port},
            "authentication": {
                "accounts": {"accessKeys": {"WORKERS": {"secret": {**secret, "key": "access"}}}}
            },
        },
        "topics": {"enabled": True},
        "metricsPort": metrics_port,
        "listenAddress": "0.0.0.0",
    }
    file = world.folder / "values.json"
    file.write_text(json.dumps(values), encoding="utf-8")
    said = rendering.template(tools(), [file], "--kube-version", rendering.KUBERNETES[-1])
    check(said.code == 0, f"helm template: {said.err}")
    return rendering.documents(said.out)


def objects(world: World) -> pod.Cluster:
    """The release's ConfigMaps, the one secret that the values name, the host's name."""
    assert world.kafka.ca_file is not None
    maps = {
        ("ConfigMap", one["metadata"]["name"]): one["data"]
        for one in release(world, world.metrics_port)
        if one["kind"] == "ConfigMap"
    }
    secret = {
        "password": PASSWORD,
        "access": "between-host-and-workers",
        "ca.crt": world.kafka.ca_file.read_text("ascii"),
    }
    return pod.Cluster({**maps, ("Secret", "run"): secret}, ("release-penstock-functions.space.svc",))


def container(
    world: World, cluster: pod.Cluster, rendered: list[Document], which: tuple[str, str], name: str
) -> pod.Container:
    """Start the pod of one rendered workload."""
    spec = of(rendered, which)["spec"]["template"]["spec"]
    return pod.start(world.image, cluster, name, spec, world.folder / name)


def of(rendered: list[Document], which: tuple[str, str]) -> Document:
    """The resource of that kind and name."""
    return next(one for one in rendered if (one["kind"], one["metadata"]["name"]) == which)


def grace(rendered: list[Document], which: tuple[str, str]) -> float:
    """Seconds between SIGTERM and SIGKILL."""
    return float(of(rendered, which)["spec"]["template"]["spec"]["terminationGracePeriodSeconds"])


def wait_until_ready(
    world: World, running: pod.Container, rendered: list[Document], which: tuple[str, str]
) -> None:
    """Ask its readiness probe, as the kubelet would."""
    asked = of(rendered, which)["spec"]["template"]["spec"]["containers"][0]
    probe = asked["readinessProbe"]["httpGet"]
    port = next(one["containerPort"] for one in asked["ports"] if one["name"] == probe["port"])
    url = f"http://127.0.0.1:{port}{probe['path']}"
    started = time.monotonic()

    def ready() -> bool:
        check(running.alive(), f"{running.name} ended: {running.text()[-2000:]}")
        try:
            with urllib.request.urlopen(url, timeout=5) as answer:
                return bool(answer.status == 200)
        except (urllib.error.URLError, OSError):
            return False

    until(ready, READY_SECONDS, f"{running.name} ready at {url}: {running.text()[-1500:]}")
    world.log.say(f"{running.name}: ready after {time.monotonic() - started:.1f} s")


def confined(world: World, running: pod.Container) -> None:
    """It is who it should be, and can neither write nor rise."""
    status = running.status()
    for name, wanted in (("Uid", "10001"), ("Gid", "10001"), ("CapEff", "0" * 16), ("NoNewPrivs", "1")):
        found = set(status[name].split())
        check(found == {wanted}, f"{running.name}: {name} is {found}")
    enter = [
        "nsenter",
        "--target",
        str(running.first),
        "--mount",
        "--root",
        "--setuid",
        "10001",
        "--setgid",
        "10001",
    ]
    tried = [
        subprocess.run(
            [*enter, "--", "/bin/sh", "-c", f"echo x > {folder}/x"],
            capture_output=True,
            text=True,
            check=False,
        )
        for folder in ("/opt/penstock", "", "/app", "/tmp")
    ]
    said = ["written" if one.returncode == 0 else one.stderr.strip().rsplit(": ", 1)[-1] for one in tried]
    check(said == ["Read-only file system"] * 3 + ["written"], f"{running.name}: {said}")
    world.log.say(
        f"{running.name}: process 1 is {status['Name']}, uid and gid 10001, no capability, no new "
        "privileges; only /tmp can be written"
    )


def topics(kafka: KafkaServer) -> set[str]:
    """The topics that are there."""
    with Reader({"bootstrap.servers": kafka.address}, GROUP) as reader:
        known = ("orders", "orders.enriched", "orders.dlq")
        return {
            f"{topic} ({sum(place[0] == topic for place in reader.partitions(known))} partitions)"
            for topic in known
        }


def lag(kafka: KafkaServer) -> int:
    """Records that the group has not committed."""
    with Reader({"bootstrap.servers": kafka.address}, GROUP) as reader:
        committed = reader.committed(["orders"])
        return sum(end - committed.get(place, 0) for place, end in reader.ends(["orders"]).items())


def until(holds: Callable[[], bool], seconds: float, what: str) -> None:
    """Wait for it. Raises Wrong with what was waited for."""
    deadline = time.monotonic() + seconds
    while not holds():
        check(time.monotonic() < deadline, f"not within {seconds:g} s: {what}")
        time.sleep(0.2)
