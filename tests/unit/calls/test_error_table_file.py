"""The file of the error table: what is wrong with it is said all at once."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

import workers.calls
from workers.adapters.error_file import shipped_errors
from workers.calls.error_table import ErrorTable, parse_table
from workers.errors import Invalid

TEXT = Path(workers.calls.__file__).with_name("errors.yaml").read_text(encoding="utf-8")
ROW = "  - {name: New, scope: record, reaction: onError, means: m, do: d}\n"


def faults(text: str) -> list[str]:
    """What is said of a table."""
    with pytest.raises(Invalid) as caught:
        parse_table(text)
    return [str(problem) for problem in caught.value.problems]


def planted(row: str) -> str:
    """The shipped table with one more row of the api."""
    return TEXT.replace("\napi:\n", f"\napi:\n{row}")


def test_a_row_can_be_planted() -> None:
    """What the tests below do to a table does not hurt it."""
    assert [one.section for one in parse_table(planted(ROW)).find("new")] == ["api"]


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (("scope: record", "scope: planet"), "api[0].scope: 'planet'; one of record, batch, function"),
        (("reaction: onError", "reaction: wait"), "api[0].reaction: 'wait'; one of retry"),
        (("reaction: onError", "reaction: retry"), "api[0].then: is missing; what follows"),
        (("reaction: onError", "reaction: onError, then: hold"), "api[0].then: 'hold' after onError"),
        (("reaction: onError", "reaction: throttle, then: hold"), "api[0].limiter: goes with"),
        (("reaction: onError", "reaction: onError, limiter: callerRate"), "api[0].limiter: goes with"),
        (("reaction: onError", "reaction: onError, retries: 2"), "api[0].retries: without a retry"),
        (("reaction: onError", "reaction: retry, then: hold, retries: 0"), "api[0].retries: 0; a"),
        (("reaction: onError", "reaction: onError, status: 200"), "api[0].status: 200; a"),
        (("reaction: onError", "reaction: onError, status: true"), "api[0].status: True; a whole number"),
        (("reaction: onError", "reaction: onError, alarm: no"), "api[0].alarm: 'no'; true, or leave it out"),
        (("reaction: onError", "reaction: onError, colour: red"), "api[0].colour: is not known; known"),
        (("means: m", "means: ''"), "api[0].means: ''; a text"),
        ((", do: d", ""), "api[0].do: is missing"),
        ((ROW[4:-1], "text"), "api[0]: is no document"),
    ],
)  # fmt: skip
def test_a_row_that_is_wrong(change: tuple[str, str], said: str) -> None:
    """With its place and what would be right."""
    (found,) = faults(planted(ROW.replace(*change)))
    assert found.startswith(f"errors.yaml: {said}")


def test_all_that_is_wrong_is_said() -> None:
    """Not the first alone."""
    text = planted(ROW + ROW + ROW.replace("scope: record", "scope: planet")).replace(
        "version: 1", "version: 2"
    )
    found = faults(text + "extra: []\n")
    assert [part.split(": ")[1] for part in found] == ["version", "extra", "api[1]", "api[2].scope"]
    assert "New stands here twice" in found[2]


@pytest.mark.parametrize("text", ["", "[1]", "api: {a: 1", "a: 1\na: 2\n", "version: 1\n"])
def test_text_that_is_no_table(text: str) -> None:
    """Broken YAML, a key twice, no sections."""
    assert faults(text)


def test_what_the_lookups_fall_back_to_must_be_there() -> None:
    """Else a failure could have no row."""
    text = re.sub(r"  - \{name: \"(HTTP 5xx|\*)\".*?\}\n", "", TEXT, flags=re.DOTALL)
    assert [one.split(";")[0] for one in faults(text)] == [
        "errors.yaml: functions: has no entry *",
        "errors.yaml: statuses: has no entry HTTP 5xx",
    ]


def test_rows_are_found_as_letters_and_logs_name_them() -> None:
    """Case does not count, nor what stands in brackets."""
    table: ErrorTable = shipped_errors()
    assert [one.name for one in table.find("poison(not-json)")] == ["Poison"]
    assert [one.message for one in table.find("runtime.exiterror")] == ["signal: killed", ""]
    assert [one.name for one in table.find("HTTP 418")] == ["HTTP 4xx"]
    assert table.find("nothing") == table.find("HTTP 42") == []
    assert len(table.names()) == len(set(table.names()))


def test_every_class_that_we_give_ourselves_has_a_row() -> None:
    """What a dead letter names can be asked for."""
    sources = [
        path.read_text(encoding="utf-8") for path in Path(workers.calls.__file__).parents[1].rglob("*.py")
    ]
    said = {name for text in sources for name in re.findall(r'error_class(?:: str)? ?= ?f?"(\w+)', text)}
    assert {"Internal", "Poison", "RequestTooLarge"} <= said
    assert [name for name in said | {"InvalidAnswer"} if not shipped_errors().find(name)] == []


def test_each_row_says_what_to_do_in_sentences() -> None:
    """They are printed for people."""
    for one in shipped_errors().entries:
        for text in (one.means, one.do):
            assert text[0].isupper(), text
            assert text.endswith("."), text
