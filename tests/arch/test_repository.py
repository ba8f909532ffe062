"""The repository keeps the rules of repository.py, and each rule is seen to complain."""

from __future__ import annotations

import importlib.metadata
import tomllib
from collections.abc import Iterable
from functools import cache

import pytest

from tests.arch import gates, repository
from tests.arch.sources import ROOT, RUNNING, python_files, text_files, tracked

# The distribution called `bson` shadows the one inside pymongo; niquests breaks boto3 (it replaces urllib3).
UNWANTED = frozenset({"bson", "niquests"})

# Locked already, so that the tool chain is one, and used from the named issue on. Nothing that is used may
# stay here.
AWAITED = {
    "tzdata": "data alone: zoneinfo reads it where the system has no time zones",
    **dict.fromkeys(
        ("attrs", "authlib", "cachetools", "fastavro", "httpx2"),
        "confluent-kafka's schema registry client and serializers import it",
    ),
}

HASH = "--hash=sha256:" + "0" * 64


def project() -> dict[str, list[str]]:
    """`dependencies` with those of the embedded Kafka, and `dev`, as pyproject.toml names them."""
    declared = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    optional = declared["optional-dependencies"]
    return {"dependencies": declared["dependencies"] + optional["local"], "dev": optional["dev"]}


def lock() -> str:
    """The lock's text."""
    return (ROOT / "requirements.lock").read_text(encoding="utf-8")


def installed_modules() -> dict[str, set[str]]:
    """{distribution: the modules at the top that it installs}."""
    found: dict[str, set[str]] = {}
    for module, distributions in importlib.metadata.packages_distributions().items():
        for name in repository.required_names(distributions):
            found.setdefault(name, set()).add(module)
    return found


def imported_modules() -> set[str]:
    """Everything that running code imports, by the name at the top."""
    return {name.split(".")[0] for _, source in python_files(*RUNNING) for name, _ in gates.imported(source)}


def test_no_file_names_a_registry_or_a_path_of_one_machine() -> None:
    """A clone works wherever it is, through whatever mirror its owner has configured."""
    found = [said for path, text in text_files() for said in repository.hosts_and_paths(path, text)]
    assert found == []


def test_everything_in_the_lock_is_pinned_with_hashes() -> None:
    """And it holds neither an index nor a URL."""
    assert list(repository.unlocked(lock())) == []


def test_everything_that_pyproject_names_is_locked() -> None:
    """After a change there, `make lock`."""
    wanted = repository.required_names(project()["dependencies"]) | repository.required_names(
        project()["dev"]
    )
    assert wanted - repository.locked_names(lock()) == set()


def test_every_dependency_is_imported() -> None:
    """What nothing imports is removed, or is on the list of what is awaited with its reason."""
    wanted = [
        entry
        for entry in project()["dependencies"]
        if not repository.required_names([entry]) & AWAITED.keys()
    ]
    assert list(repository.unused(wanted, installed_modules(), imported_modules())) == []


def test_what_is_awaited_is_not_used_yet() -> None:
    """The list of exceptions shrinks by itself."""
    assert len(list(repository.unused(AWAITED, installed_modules(), imported_modules()))) == len(AWAITED)


def test_no_unwanted_distribution_is_installed() -> None:
    """`import bson` is pymongo's."""
    names = repository.required_names(
        str(found.metadata["Name"]) for found in importlib.metadata.distributions()
    )
    assert names & UNWANTED == set()
    assert "bson" in installed_modules()["pymongo"]


def test_no_page_links_to_nothing() -> None:
    """Text outlives the code it speaks of, unless somebody checks."""
    found = [said for path, text in text_files() if path.endswith(".md") for said in dead(path, text)]
    assert found == []


def test_no_docstring_sends_its_reader_to_nothing() -> None:
    """Paths in comments and docstrings are those of files that exist."""
    found = [
        said for p, source in python_files(*RUNNING) for said in repository.dead_paths(p, source, existing())
    ]
    assert found == []


def dead(path: str, text: str) -> Iterable[str]:
    """The dead links of a page in this repository."""
    return repository.dead_links(path, text, existing())


@cache
def existing() -> frozenset[str]:
    """All files of the repository and their folders."""
    files = tracked()
    folders = {"/".join(path.split("/")[:depth]) for path in files for depth in range(1, path.count("/") + 1)}
    return frozenset({*files, *folders})


# ---- each gate is seen failing ----


@pytest.mark.parametrize(
    "planted",
    [
        "see https://" + "pypi" + ".org/simple",
        "https://files.python" + "hosted.org/x",
        "pip install --index" + "-url x",
        "https://repo1" + ".mav" + "en.org/maven2",
        "cd /" + "work/main",
        "x = '/" + "root/.m2'",
        "open('/" + "tmp/x')",
        "(/" + "home/ada/x)",
    ],
)
def test_a_registry_or_machine_path_is_seen(planted: str) -> None:
    """With its file and line."""
    (said,) = repository.hosts_and_paths("README.md", f"fine\n{planted}\n")
    assert said.startswith("README.md:2: a pa")


@pytest.mark.parametrize(
    "fine", ["https://example.org/work/x", "tests/work/x", "a/root/b", "$HOME/work/x", "~/tmp/x"]
)
def test_an_ordinary_path_is_accepted(fine: str) -> None:
    """Names of folders inside something else."""
    assert list(repository.hosts_and_paths("README.md", fine)) == []


@pytest.mark.parametrize(
    ("planted", "said"),
    [
        ("aiohttp==1.0", "not pinned with hashes: aiohttp==1.0"),
        (f"aiohttp>=1.0 \\\n    {HASH}", "not pinned with hashes: aiohttp>=1.0"),
        (f"aiohttp==1.0 \\\n    {HASH}\nrich==2.0\n    # via x", "not pinned with hashes: rich==2.0"),
        ("--index" + "-url x", "no requirement: --index" + "-url"),
        (f"aiohttp @ https://example.org/a.whl \\\n    {HASH}", "no requirement: aiohttp"),
        ("-e .", "no requirement: -e"),
    ],
)
def test_a_hole_in_the_lock_is_seen(planted: str, said: str) -> None:
    """No version, no hash, an index, a URL."""
    assert list(repository.unlocked(planted)) == [said]


def test_a_whole_entry_of_the_lock_is_accepted() -> None:
    """With markers, several hashes and comments."""
    whole = (
        f'# by uv\na-b==1.0 ; sys_platform == "win32" \\\n    {HASH} \\\n    {HASH}\n'
        f"    # via c\nc==2 \\\n    {HASH}\n"
    )
    assert list(repository.unlocked(whole)) == []
    assert repository.locked_names(whole) == {"a-b", "c"}


def test_an_unused_dependency_is_seen() -> None:
    """By the modules that its distribution installs, whatever they are called."""
    modules = {"pymongo": {"bson", "pymongo"}, "rich": {"rich"}}
    assert list(repository.unused(["PyMongo>=4", "rich[x]>=1 ; a"], modules, {"bson"})) == [
        "rich is a dependency, and nothing of it is imported"
    ]


@pytest.mark.parametrize(
    "planted",
    [
        "[a](docs/gone.md)",
        "[a](../gone.md#part)",
        "read `docs/gone.md`",
        "[a](docs)[b](./gone)",
        "`docs/sub/x.py`",
    ],
)
def test_a_dead_link_is_seen(planted: str) -> None:
    """Links relative to the page, and quoted paths from the root."""
    assert (
        len(list(repository.dead_links("docs/page.md", planted, {"docs/page.md", "docs/docs", "README.md"})))
        == 1
    )


@pytest.mark.parametrize(
    "fine",
    ["[a](https://example.org/x.md)", "[a](#part)", "[a](page.md#part)", "[a](../README.md)",
     "`docs/page.md`", "`workers/x.py`", "`docs/topic`", "`topics/orders.yaml`", "`orders.yaml`"],
)  # fmt: skip
def test_a_link_that_leads_somewhere_is_accepted(fine: str) -> None:
    """Also names that are no paths of this repository."""
    assert list(repository.dead_links("docs/page.md", fine, {"docs/page.md", "README.md"})) == []


def test_a_path_to_nothing_in_a_docstring_is_seen() -> None:
    """With its line; a path that exists, or is part of another one, is fine."""
    source = (
        '"""See docs/gone.md, docs/page.md, topics/a.yaml and my/docs/x.md."""\n# as tests/gone.py says\n'
    )
    assert list(repository.dead_paths("workers/x.py", source, {"docs/page.md"})) == [
        "workers/x.py:1: there is no docs/gone.md",
        "workers/x.py:2: there is no tests/gone.py",
    ]
