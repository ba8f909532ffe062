"""The code keeps the rules of gates.py, and each rule is seen to complain."""

from __future__ import annotations

from collections.abc import Callable, Iterable

import pytest

from tests.arch import gates
from tests.arch.sources import PACKAGES, RUNNING, python_files, tracked
from workers import metrics


def complaints(check: Callable[[str], Iterable[str]], *packages: str) -> list[str]:
    """What a rule says about each file of these packages."""
    return [f"{path}: {said}" for path, source in python_files(*packages) for said in check(source)]


def test_modules_functions_and_parameters_are_short() -> None:
    """400 lines, 70 lines, 6 parameters; tests and benchmarks are code too."""
    assert complaints(gates.sizes, *PACKAGES) == []


def test_everything_has_a_type() -> None:
    """Also what mypy is not told to look at."""
    assert complaints(gates.unannotated, *PACKAGES) == []


def test_no_module_is_named_after_nothing() -> None:
    """utils, helpers, common and base grow for ever."""
    assert [said for path in tracked() if path.endswith(".py") for said in gates.leftover_names(path)] == []


def test_client_libraries_are_named_where_the_design_says() -> None:
    """Kafka's in three places, faust's in one: the rest sees ports."""
    found = [
        said for path, source in python_files(*RUNNING) for said in gates.misplaced_clients(path, source)
    ]
    assert found == []


def test_decisions_are_pure() -> None:
    """Also those parts of a module that import-linter cannot see: datetime.now, uuid4, open."""
    assert [said for path, source in python_files(*RUNNING) for said in gates.impure(path, source)] == []


def test_the_engine_never_blocks_its_loop() -> None:
    """One sleep or file in the engine stops every processor of the process."""
    found = [
        f"{path}: {said}"
        for path, source in python_files("workers")
        if path.startswith(("workers/engine/", "workers/calls/"))
        for said in gates.calls_of(gates.BLOCKING_CALLS, source)
    ]
    assert found == []


def test_only_the_command_line_prints() -> None:
    """Everything else logs: stdout of an engine process is its supervisor's."""
    found = [
        f"{path}: {said}"
        for path, source in python_files(*RUNNING)
        if not path.startswith("workers/cli/")
        for said in gates.calls_of(frozenset({"print"}), source)
    ]
    assert found == []


def test_every_metric_of_the_catalogue_is_counted() -> None:
    """What docs/metrics.md promises can be seen."""
    constants = [name for name, value in vars(metrics).items() if isinstance(value, metrics.Metric)]
    sources = [source for path, source in python_files("workers") if not path.startswith("workers/metrics/")]
    assert list(gates.uncounted(constants, sources)) == []


def test_no_test_is_skipped() -> None:
    """What cannot run here is a failure to set up, not a pass."""
    assert complaints(gates.skips, "tests") == []


def test_every_test_says_what_it_promises() -> None:
    """One docstring each."""
    assert complaints(gates.undescribed_tests, "tests") == []


def test_every_test_can_fail() -> None:
    """A test without an assertion passes whatever happens."""
    assert complaints(gates.assertion_free_tests, "tests") == []


def test_every_folder_with_tests_is_a_package() -> None:
    """Two test files of one name in folders that are no packages hide each other."""
    found = {path.rpartition("/")[0] for path, _ in python_files("tests")}
    assert [folder for folder in found if f"{folder}/__init__.py" not in tracked()] == []


# ---- each gate is seen failing ----

LONG = "def f() -> None:\n" + "    x = 1\n" * 71
FITS = 'def f() -> None:\n    """A\n\n    long docstring.\n    """\n' + "    x = 1\n" * 70
SEVEN = "def f(a: int, /, b: int, *c: int, d: int, e: int, g: int, **h: int) -> None: ...\n"


def test_sizes_complains() -> None:
    """One line, one parameter too many is told with its number; what just fits is not."""
    assert list(gates.sizes("x = 1\n" * 401)) == ["the module has 401 lines, the limit is 400"]
    assert list(gates.sizes("x = 1\n" * 400)) == []
    assert list(gates.sizes(LONG)) == ["f: 71 lines, the limit is 70"]
    assert list(gates.sizes(FITS)) == []
    assert list(gates.sizes(SEVEN)) == ["f: 7 parameters, the limit is 6"]
    assert list(gates.sizes(f"def outer() -> None:\n    {SEVEN}")) != []


def test_sizes_counts_neither_self_nor_the_options_of_a_command() -> None:
    """Six beside self fit, seven of a static method do not, a command has what options it has."""
    six = "a: int, b: int, c: int, d: int, e: int, g: int"
    assert list(gates.sizes(f"class C:\n    def f(self, {six}) -> None: ...\n")) == []
    assert list(gates.sizes(f"class C:\n    @staticmethod\n    def f(x: int, {six}) -> None: ...\n")) != []
    assert list(gates.sizes("@app.command('worker')\n" + SEVEN)) == []
    assert list(gates.sizes("@app.route('worker')\n" + SEVEN)) != []
    assert list(gates.sizes(SEVEN.replace("def f", "def test_f"))) == []


@pytest.mark.parametrize(
    ("check", "planted", "said"),
    [
        (gates.unannotated, "def f(a) -> None: ...", "f: parameter a has no type"),
        (gates.unannotated, "def f(*, a) -> None: ...", "f: parameter a has no type"),
        (gates.unannotated, "async def f(**a) -> None: ...", "f: parameter a has no type"),
        (gates.unannotated, "class C:\n    def f(self): ...", "f: its return has no type"),
        (gates.leftover_names, "workers/engine/utils.py", "workers/engine/utils.py: utils says nothing"),
        (gates.leftover_names, "workers/common/x.py", "workers/common/x.py: common says nothing"),
        (gates.skips, "@pytest.mark.skip\ndef test_a(): ...", "line 1: pytest.mark.skip"),
        (
            gates.skips,
            "@pytest.mark.skipif(True, reason='')\ndef test_a(): ...",
            "line 1: pytest.mark.skipif",
        ),
        (
            gates.skips,
            "@pytest.mark.skip(reason=sys.platform)\ndef test_a(): ...",
            "line 1: pytest.mark.skip",
        ),
        (gates.skips, "def test_a():\n    pytest.skip('no')", "line 2: pytest.skip"),
        (gates.skips, "x = pytest.importorskip('x')", "line 1: pytest.importorskip"),
        (gates.undescribed_tests, "def test_a():\n    assert x", "test_a does not say what it promises"),
        (gates.assertion_free_tests, "def test_a():\n    f()", "test_a asserts nothing"),
        (
            gates.assertion_free_tests,
            "class T:\n    async def test_a(self):\n        await f()",
            "test_a asserts",
        ),
    ],
)
def test_a_gate_complains(check: Callable[[str], Iterable[str]], planted: str, said: str) -> None:
    """Each planted fault is told once."""
    found = list(check(planted))
    assert len(found) == 1
    assert found[0].startswith(said)


def test_a_test_of_another_platform_may_be_skipped() -> None:
    """What only the kernel of Linux does cannot be tried elsewhere."""
    assert (
        list(gates.skips("@pytest.mark.skipif(sys.platform != 'linux', reason='')\ndef test_a(): ...")) == []
    )


@pytest.mark.parametrize(
    "body", ["assert x", "with pytest.raises(E): f()", "world.until(f)", "assert_same(a, b)"]
)
def test_a_test_that_checks_is_accepted(body: str) -> None:
    """The gate must not drive people to empty assertions."""
    assert list(gates.assertion_free_tests(f"def test_a():\n    {body}")) == []


@pytest.mark.parametrize(
    ("path", "planted"),
    [
        ("workers/engine/worker.py", "from confluent_kafka import Consumer"),
        ("workers/adapters/lambda_http.py", "import confluent_kafka"),
        ("workers/cli/topics.py", "def f():\n    from confluent_kafka.admin import AdminClient"),
        ("topics/codecs/avro.py", "from confluent_kafka import Producer"),
        ("topics/codecs/json.py", "from confluent_kafka.schema_registry.avro import AvroSerializer"),
        ("workers/adapters/kafka_consumer.py", "import confluent_kafka.schema_registry"),
        ("workers/adapters/schema_registry.py", "from confluent_kafka.schema_registry import Schema"),
        ("workers/engine/worker.py", "import faust"),
        ("workers/supervisor/run.py", "import faust.types"),
        ("workers/functions/host.py", "import boto3"),
        ("workers/adapters/kafka_consumer.py", "import pymongo"),
    ],
)
def test_a_misplaced_client_is_seen(path: str, planted: str) -> None:
    """Wherever in the file, and under whichever part of its name."""
    assert len(list(gates.misplaced_clients(path, planted))) == 1


@pytest.mark.parametrize(
    ("path", "planted"),
    [
        ("workers/adapters/kafka_consumer.py", "from confluent_kafka import Consumer"),
        ("topics/admin/apply.py", "from confluent_kafka.admin import AdminClient"),
        ("topics/codecs/avro.py", "from confluent_kafka.schema_registry.avro import AvroSerializer"),
        ("topics/codecs/registry_client.py", "from confluent_kafka.schema_registry import Schema"),
        ("workers/engine/worker.py", "import confluent_kafkaesque"),
    ],
)
def test_a_client_in_its_place_is_accepted(path: str, planted: str) -> None:
    """The places of the design, and names that only look alike."""
    assert list(gates.misplaced_clients(path, planted)) == []


@pytest.mark.parametrize(
    "planted",
    ["import time", "from time import monotonic", "import asyncio", "import random", "from os import environ",
     "x = datetime.now()", "x = open('f')", "x = uuid.uuid4()", "async def f(): ...",
     "def f():\n    import socket", "from pathlib import Path"],
)  # fmt: skip
@pytest.mark.parametrize(
    "path", ["workers/progress/frontier.py", "topics/admin/plan.py", "topics/contract.py"]
)
def test_an_impure_decision_is_seen(path: str, planted: str) -> None:
    """In every pure place, also in one that does not exist yet; elsewhere it is allowed."""
    assert len(list(gates.impure(path, planted))) == 1
    assert list(gates.impure("workers/engine/worker.py", planted)) == []


def test_a_metric_that_nothing_counts_is_seen() -> None:
    """An import of it is not a use."""
    sources = ["from workers.metrics import A, B\ncounted.gauge(A)", "metrics.C"]
    said = ["B is in the catalogue, and nothing counts it"]
    assert list(gates.uncounted(["A", "B", "C"], sources)) == said


def test_what_only_names_things_is_pure() -> None:
    """Paths that never touch a disk, and types of times that were read elsewhere."""
    fine = "from pathlib import PurePosixPath\nfrom datetime import datetime\nx = datetime.fromtimestamp(1)"
    assert list(gates.impure("topics/contract.py", fine)) == []


@pytest.mark.parametrize("planted", ["time.sleep(1)", "x = open('f')", "subprocess.run(['ls'])", "sleep(1)"])
def test_a_blocking_call_is_seen(planted: str) -> None:
    """asyncio's own sleep is none."""
    assert list(gates.calls_of(gates.BLOCKING_CALLS, planted)) != []
    assert list(gates.calls_of(gates.BLOCKING_CALLS, "await asyncio.sleep(1)")) == []


def test_a_print_is_seen() -> None:
    """A call of it, not a word in a text."""
    assert list(gates.calls_of(frozenset({"print"}), "print('x')")) == ["line 1: print(...)"]
    assert list(gates.calls_of(frozenset({"print"}), "x = 'print(1)'\nconsole.print(1)")) == []
