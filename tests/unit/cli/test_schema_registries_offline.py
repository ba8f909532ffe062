"""What the offline tools say of pipelines with a schema registry; and the page that describes them."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from tests.unit.appfolder.folders import write
from tests.unit.cli.run_command import penstock
from workers.appfolder import load_app

PAGE = Path(__file__).parents[3] / "docs" / "schema-registry.md"
PIPELINE = """
- $source: {connectionName: kafka, topic: a, schemaRegistry: {connectionName: registry}}
- $set: {total: {$multiply: [$n, 2]}}
- $emit:
    connectionName: kafka
    topic: b
    schemaRegistry:
      connectionName: registry
      valueSchema:
        type: avro
        schema: {type: record, name: Out, fields: [{name: total, type: int}]}
"""


def test_eval_shows_json_and_refuses_what_does_not_fit(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    """No registry is asked, and it says so."""
    (tmp_path / "p.yaml").write_text(PIPELINE)
    (tmp_path / "in.jsonl").write_text('{"n": 1}\n{"n": 1.25}\n')
    ran = penstock(capsys, "eval", "--pipeline", tmp_path / "p.yaml", "--input", tmp_path / "in.jsonl")
    assert ran.out == '{"n":1,"total":2}\n'
    assert "total: a double does not fit int" in ran.err
    assert "eval asks no schema registry" in ran.err


def test_the_pages_example_is_right(tmp_path: Path) -> None:
    """As it stands there, with the secret it names."""
    blocks = re.findall(r"```yaml\n# (\S+)\n(.*?)```", PAGE.read_text(), re.DOTALL)
    files: dict[str, str] = dict(blocks)
    assert set(files) == {"connections.yaml", "processors/orders.yaml"}
    files["connections.yaml"] += 'kafka: {type: Kafka, bootstrapServers: "k:9092"}\n'
    files["connections.yaml"] = files["connections.yaml"].replace("/run/secrets/registry/password", "secret")
    app = load_app(write(tmp_path, {**files, "secret": "x"}), {})
    sink = app.processors[0].program.sink
    assert sink is not None
    assert sink.schemas is not None
    assert sink.schemas.value is not None
    assert sink.schemas.value.record == "shop.PaidOrder"


def test_validate_names_what_is_wrong_in_a_schema(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    """With the place within it; exit code 2."""
    connections = "kafka: {type: Kafka, bootstrapServers: 'k:9092'}\nregistry: {type: SchemaRegistry, urls: 'http://r'}\n"
    broken = PIPELINE.replace("type: int", "type: lonk")
    ran = penstock(
        capsys, "validate", "--app",
        write(tmp_path, {"connections.yaml": connections, "processors/orders.yaml": broken}),
    )  # fmt: skip
    assert ran.code == 2
    assert "valueSchema.schema.fields[0].type: the unknown type 'lonk'" in ran.err
