"""`penstock dev` on a real broker: it counts what the topics hold, and leaves nothing behind."""

from __future__ import annotations

import json
import signal
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.process.cli.programs import children, is_alive, start, wait_until
from tests.unit.appfolder.folders import write
from workers.local.orders import Fate, count_fates, count_kinds

pytestmark = pytest.mark.timeout(420, func_only=True)

RECORDS = 500

CONNECTIONS = """
kafka: {{type: Kafka, bootstrapServers: "${{KAFKA_BOOTSTRAP}}"}}
functions: {{type: AWSLambda, region: eu-central-1, endpointUrl: "${{FUNCTIONS_ENDPOINT}}",
            accessKeyId: local, secretAccessKey: local}}
sample: {{type: Sample, connectionName: kafka, topic: {topic}, seed: 3}}
"""
PROCESSOR = """
pipeline:
  - $source: {{connectionName: kafka, topic: {topic}, config: {{auto_offset_reset: earliest}}}}
  - $match: {{channel: {{$ne: test}}}}
  - $externalFunction: {{connectionName: functions, functionName: check, as: checked, timeout: 20s}}
  - $emit: {{connectionName: kafka, topic: {topic}-results}}
"""
CHECK = """
exports = ({customer, items}) => {
  if (!customer) throw new Error("no customer");
  if (items.some(item => item.qty < 0)) throw new Error("negative quantity");
  return "ok";
};
"""


@pytest.fixture
def app(tmp_path: Path, kafka: str, topic_name: Callable[[str], str]) -> Path:
    """An app whose topics and group nobody else uses."""
    topic = topic_name("dev")
    files = {
        "connections.yaml": CONNECTIONS.format(topic=topic),
        f"processors/{topic}.yaml": PROCESSOR.format(topic=topic),
        "functions/check.js": CHECK,
    }
    folder = write(tmp_path / "app", files)
    (folder / "processors/orders.yaml").unlink()
    return folder


def dev(app: Path, kafka: str, *more: object) -> subprocess.Popen[str]:
    return start(
        "dev", "--app", app, "--kafka-folder", app.parent / "kafka", "--json", *more,
        env={"KAFKA_BOOTSTRAP": kafka},
    )  # fmt: skip


def check_sums(data: dict[str, Any]) -> dict[str, Any]:
    """Each kind of record is where it belongs: the slow ones are results here, the function is not."""
    (found,) = data["processors"]
    kinds = dict(data["produced"])
    fates = count_fates(kinds)
    assert data["addsUp"] is True
    assert found["input"] == sum(kinds.values())
    assert found["dropped"] == fates[Fate.DROPPED]
    assert found["tombstones"] == fates[Fate.TOMBSTONE]
    slow = kinds.get("slow", 0)
    assert found["deadLetters"] == fates[Fate.DEAD_LETTER] - slow
    assert found["results"] == fates[Fate.RESULT] + fates[Fate.TOMBSTONE] + slow
    by_kind = {reason["kind"]: reason["count"] for reason in found["reasons"]}
    assert by_kind == {kind: kinds[kind] for kind in by_kind}
    return dict(found)


def test_a_run_of_some_records_ends_by_itself_and_adds_up(app: Path, kafka: str) -> None:
    """Exit code 0; input, results, dead letters by kind and dropped records are counted from the topics. A
    second run counts its own records alone."""
    for _ in range(2):
        with dev(app, kafka, "--records", RECORDS) as program:
            out, said = program.communicate(timeout=180)
        assert program.returncode == 0, said + out
        data = json.loads(out)
        assert data["produced"] == {str(kind): count for kind, count in count_kinds(RECORDS, 3).items()}
        found = check_sums(data)
        assert {reason["operator"] for reason in found["reasons"]} == {"$source", "$externalFunction"}
        assert "events/s" in said
        assert "/metrics" in said


def test_ctrl_c_ends_a_run_with_a_summary_that_adds_up(app: Path, kafka: str) -> None:
    """What was produced so far is finished and counted; everything that was started has ended."""
    with dev(app, kafka, "--per-second", "100") as program:
        assert program.stderr is not None
        lines = iter(program.stderr.readline, "")
        assert any(" written" in line and " 0 written" not in line for line in lines)
        started = children(program.pid)
        assert len(started) >= 3  # the function host, the supervisor, its engine
        program.send_signal(signal.SIGINT)
        out, said = program.communicate(timeout=180)
    assert program.returncode == 0, said
    assert check_sums(json.loads(out))["results"] > 0
    wait_until(lambda: not any(map(is_alive, started)), 60, "all that was started has ended")


def test_kill_9_leaves_nothing_running(app: Path, kafka: str) -> None:
    """The children notice that their parent is gone."""
    with dev(app, kafka) as program:
        assert program.stderr is not None
        lines = iter(program.stderr.readline, "")
        assert any(" written" in line for line in lines)
        started = children(program.pid)
        program.kill()
        program.communicate()
    assert len(started) >= 3
    wait_until(lambda: not any(map(is_alive, started)), 90, "all that was started has ended")


def test_a_function_host_that_cannot_start_ends_everything(app: Path, kafka: str) -> None:
    """A wrong app folder is refused before anything runs, with exit code 2."""
    (app / "functions/bad name.js").write_text(CHECK)
    with dev(app, kafka, "--records", "10") as program:
        out, said = program.communicate(timeout=180)
    assert program.returncode == 2
    assert out == ""
    assert "functions/bad name.js" in said
    assert not (app.parent / "dev").exists()
