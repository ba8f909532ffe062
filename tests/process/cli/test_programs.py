"""Commands that run until they are told to end."""

from __future__ import annotations

import json
import signal
import socket
import subprocess
from pathlib import Path
from urllib.request import Request, urlopen

import pytest

from tests.process.cli.programs import PENSTOCK, is_alive, start, wait_until
from tests.unit.appfolder.folders import CONNECTIONS, PROCESSOR, write

pytestmark = pytest.mark.timeout(180)

DOUBLE = "exports = ({n}) => ({twice: 2 * n});"


@pytest.fixture
def app(tmp_path: Path) -> Path:
    return write(tmp_path / "app", {"functions/double.js": DOUBLE})


def call(endpoint: str) -> object:
    url = f"{endpoint}/2015-03-31/functions/double/invocations"
    with urlopen(Request(url, data=b'{"n": 21}', method="POST"), timeout=40) as answer:
        return json.loads(answer.read())


def test_functions_are_served_until_sigterm(app: Path, tmp_path: Path) -> None:
    """The endpoint is printed once it answers; SIGTERM drains and ends with 0."""
    file = tmp_path / "address"
    with start("functions", "serve", "--app", app, "--port", "0", "--address-file", file) as program:
        assert program.stdout is not None
        endpoint = program.stdout.readline().strip()
        assert endpoint == file.read_text().strip()
        assert call(endpoint) == {"twice": 42}
        program.send_signal(signal.SIGTERM)
        assert program.wait(60) == 0


def test_a_child_ends_with_its_parent(app: Path) -> None:
    """The end of stdin is taken for the parent's: what dev started never outlives it."""
    program = subprocess.Popen(
        [*PENSTOCK, "functions", "serve", "--app", str(app), "--port", "0", "--with-parent"],
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True,
    )  # fmt: skip
    with program:
        assert program.stdout is not None
        assert program.stdin is not None
        assert program.stdout.readline()
        assert is_alive(program.pid)
        program.stdin.close()
        wait_until(lambda: not is_alive(program.pid), 60, "the function host has ended")
        assert program.wait() == 0


def test_a_port_that_is_taken_is_said_in_a_line(app: Path) -> None:
    """Exit code 1, no traceback."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        with start("functions", "serve", "--app", app, "--port", port) as program:
            _, said = program.communicate(timeout=120)
    assert program.returncode == 1
    assert f"listening on 127.0.0.1:{port}" in said
    assert "Traceback" not in said


def test_a_worker_refuses_a_wrong_folder_with_all_its_problems(app: Path) -> None:
    """Exit code 2; nothing goes on running."""
    wrong = PROCESSOR.replace("kafka", "kafak").replace("$match", "$mach")
    connections = CONNECTIONS + "x: {type: Kafka, bootstrapServers: '${NOWHERE}'}"
    write(app, {"processors/orders.yaml": wrong, "connections.yaml": connections})
    with start("worker", "--app", app, "--metrics-port", "0") as program:
        _, said = program.communicate(timeout=90)
    assert program.returncode == 2
    for problem in (
        "did you mean kafka?",
        "did you mean $match?",
        "the environment variable NOWHERE is not set",
    ):
        assert problem in said
    assert "Traceback" not in said
