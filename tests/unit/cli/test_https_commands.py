"""The commands know `$https`: validate, explain, eval."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.unit.appfolder.folders import write
from tests.unit.cli.run_command import penstock

Capture = pytest.CaptureFixture[str]
FILES = {
    "connections.yaml": (
        'kafka: {type: Kafka, bootstrapServers: "k:9092"}\n'
        'api: {type: Https, url: "https://x", headers: {X-Key: "correct-horse"}}\n'
    ),
    "processors/p.yaml": (
        "- $source: {connectionName: kafka, topic: a}\n"
        "- $https: {connectionName: api, method: POST, path: v1, as: r, retryOn: [429, 5xx]}\n"
        "- $emit: {connectionName: kafka, topic: b}\n"
    ),
}


def test_validate_and_explain_show_the_request(capsys: Capture, tmp_path: Path) -> None:
    """Method, connection and what is tried again; no header."""
    folder = write(tmp_path, FILES)
    validated = penstock(capsys, "validate", "--app", folder)
    assert validated.code == 0
    assert "api" in validated.out
    shown = penstock(capsys, "explain", "p", "--app", folder)
    assert "call site 0: POST by api (pipeline[1].$https)" in shown.out
    assert "retryOn 429, 5xx" in shown.out
    (site,) = penstock(capsys, "explain", "p", "--app", folder, "--json").data["callSites"]
    assert (site["method"], site["retryOn"], site["sendsBody"]) == ("POST", ["429", "5xx"], True)
    assert "correct-horse" not in validated.out + shown.out + json.dumps(site)


def test_eval_takes_answers_by_the_connection(capsys: Capture, tmp_path: Path) -> None:
    """Nothing is sent; a request that could not be made refuses its document."""
    (tmp_path / "p.js").write_text("[{$https: {connectionName: 'api', path: '$p', as: 'r'}}, "
                                   "{$set: {s: {$meta: 'stream.https.httpStatusCode'}}}]")  # fmt: skip
    (tmp_path / "in.jsonl").write_text('{"p": "x"}\n{"p": 5}\n')
    (tmp_path / "answers.json").write_text('{"api": {"ok": true}}')
    arguments = ("eval", "--pipeline", tmp_path / "p.js", "--input", tmp_path / "in.jsonl")
    ran = penstock(capsys, *arguments, "--answers", tmp_path / "answers.json")
    assert [json.loads(line) for line in ran.out.splitlines()] == [{"p": "x", "r": {"ok": True}, "s": 200}]
    assert "line 2: refused at pipeline[0].$https.path: the path must be a string, not int" in ran.err
    without = penstock(capsys, *arguments)
    assert "line 1: refused at pipeline[0].$https: api is not called by eval" in without.err
