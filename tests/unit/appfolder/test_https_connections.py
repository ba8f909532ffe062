"""Https connections: what is taken, what is refused with its place, and that no header's value shows."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from textwrap import dedent

import pytest

from tests.unit.appfolder.folders import write
from workers.appfolder import HttpsConnection, load_app
from workers.errors import Invalid, Problem

SECRET = "Bearer correct-horse-battery"
KAFKA = 'kafka: {type: Kafka, bootstrapServers: "k:9092"}\n'


def load(
    folder: Path, text: str, env: Mapping[str, str] | None = None, files: Mapping[str, str] | None = None
) -> HttpsConnection:
    app = load_app(write(folder, {"connections.yaml": KAFKA + dedent(text), **(files or {})}), env or {})
    found = app.connections["api"]
    assert isinstance(found, HttpsConnection)
    return found


def problems(folder: Path, text: str, env: Mapping[str, str] | None = None) -> list[Problem]:
    with pytest.raises(Invalid) as caught:
        load(folder, text, env)
    assert "correct-horse" not in str(caught.value) + repr(caught.value.problems)
    return [problem for problem in caught.value.problems if problem.file == "connections.yaml"]


def test_a_url_is_enough(tmp_path: Path) -> None:
    """Without headers, with the authorities that everybody trusts; a slash at the end says nothing."""
    found = load(tmp_path, 'api: {type: Https, url: "https://api.example.com/v1/"}')
    assert (found.url, found.headers, found.allow_hosts) == ("https://api.example.com/v1", {}, None)


def test_headers_are_secrets_from_the_environment_and_files(tmp_path: Path) -> None:
    """They are kept whole and never shown."""
    text = """
    api:
      type: Https
      url: "https://${HOST}"
      headers: {Authorization: "${AUTH}", X-Key: {file: key.txt}}
      allowHosts: ["*.example.com"]
    """
    found = load(tmp_path, text, {"HOST": "eu.example.com", "AUTH": SECRET}, {"key.txt": "k1\n"})
    assert {name: value.get_secret_value() for name, value in found.headers.items()} == {
        "Authorization": SECRET,
        "X-Key": "k1",
    }
    assert "correct-horse" not in repr(found)


def test_certificates_are_files_of_the_app_folder(tmp_path: Path) -> None:
    """Their paths become absolute."""
    text = """
    api: {type: Https, url: "https://x", security: {caFile: ca.pem, certificateFile: me.pem, keyFile: me.key}}
    """
    found = load(tmp_path, text, files={"ca.pem": "x", "me.pem": "x", "me.key": "x"})
    assert found.security.ca_file == str((tmp_path / "ca.pem").resolve())
    assert found.security.key_file == str((tmp_path / "me.key").resolve())


A = "api: {type: Https, "
WRONG: list[tuple[str, str, str]] = [
    (A + "headers: {}}", "api.url", "is missing"),
    (A + "url: 'ftp://x'}", "api.url", "an http(s) URL"),
    (A + "url: 'https://'}", "api.url", "an http(s) URL"),
    (A + "url: 'https://x y'}", "api.url", "an http(s) URL"),
    (A + "url: 'https://x:99999'}", "api.url", "an http(s) URL"),
    (A + "url: 'https://\u00fc.example'}", "api.url", "an http(s) URL"),
    (A + "url: 'https://ann:pw@x'}", "api.url", "the header Authorization"),
    (A + "url: 'https://x?key=1'}", "api.url", "without a query"),
    (A + "url: 'https://x/a/../b'}", "api.url", "'..'"),
    (A + "url: 'https://x', header: {}}", "api.header", "headers"),
    (A + "url: 'https://x', headers: {Host: y}}", "api.headers", "sets itself"),
    (A + "url: 'https://x', headers: {'a b': y}}", "api.headers", "'a b'"),
    (A + "url: 'https://x', headers: {X-A: y, x-a: z}}", "api.headers", "twice"),
    (A + "url: 'https://x', headers: {X-A: \"${AUTH}\\nX-B: 1\"}}", "api.headers", "one line"),
    (A + "url: 'https://x', allowHosts: []}", "api.allowHosts", "at least one"),
    (A + "url: 'https://x', allowHosts: ['https://x']}", "api.allowHosts", "hosts such as"),
    (A + "url: 'https://x', allowHosts: [y, '*.x']}", "api", "none of allowHosts (y, *.x)"),
    (A + "url: 'https://evilexample.com', allowHosts: ['*.example.com']}", "api", "none of allowHosts"),
    (A + "url: 'https://x', security: {keyFile: k}}", "api.security", "without certificateFile"),
    (A + "url: 'https://x', security: {caFile: gone.pem}}", "api.security.caFile", "no file"),
]


@pytest.mark.parametrize(("text", "path", "said"), WRONG)
def test_what_is_wrong_is_named(tmp_path: Path, text: str, path: str, said: str) -> None:
    """The place, what stands there, what would be right; never a secret."""
    found = problems(tmp_path, text, {"AUTH": SECRET})
    assert [one for one in found if one.path == path and said in f"{one.found}; {one.expected}"], [
        str(one) for one in found
    ]


METADATA = [
    "169.254.169.254", "2852039166", "0xA9FEA9FE", "0251.0376.0251.0376", "169.254.43518",
    "169.254.169.254.", "[::ffff:169.254.169.254]", "[fe80::1]", "[fd00:ec2::254]", "0", "100.100.100.200",
]  # fmt: skip


@pytest.mark.parametrize("host", METADATA)
def test_metadata_addresses_are_refused_at_start(tmp_path: Path, host: str) -> None:
    """In every spelling, also where the environment names them."""
    (found,) = problems(tmp_path, 'api: {type: Https, url: "http://${HOST}/latest"}', {"HOST": host})
    assert "no request is ever sent there" in found.found


def test_loopback_and_private_hosts_are_taken(tmp_path: Path) -> None:
    """An own service next to the worker."""
    for host in ("127.0.0.1:8080", "[::1]:8080", "10.0.0.7", "scores.default.svc"):
        assert load(tmp_path, f'api: {{type: Https, url: "http://{host}"}}').url == f"http://{host}"


@pytest.mark.parametrize(
    ("stage", "connection", "expected"),
    [("$https", "kafka", "a Https connection"), ("$externalFunction", "api", "an AWSLambda connection")],
)
def test_each_stage_takes_its_own_type(tmp_path: Path, stage: str, connection: str, expected: str) -> None:
    """With the place of the name."""
    function = ", functionName: f" if stage == "$externalFunction" else ""
    processor = f"""
    - $source: {{connectionName: kafka, topic: a}}
    - {stage}: {{connectionName: {connection}, as: x{function}}}
    - $emit: {{connectionName: kafka, topic: b}}
    """
    text = KAFKA + "api: {type: Https, url: 'https://x'}\n"
    with pytest.raises(Invalid) as caught:
        load_app(write(tmp_path, {"connections.yaml": text, "processors/p.yaml": processor}), {})
    (found,) = caught.value.problems
    assert (found.path, found.expected) == (f"pipeline[1].{stage}.connectionName", expected)
