"""docs/kafka.md tells what `$source` and `$emit` do: its examples compile, its tables hold."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
from ruamel.yaml import YAML

from topics.codecs import decode_value, encoder
from topics.codecs.formats import OutputFormat
from workers.pipeline import compile_processor
from workers.pipeline.wire import KEY_READERS, KEY_WRITERS
from workers.settings import EngineSettings

PAGE = (Path(__file__).parents[3] / "docs" / "kafka.md").read_text(encoding="utf-8")
EXAMPLES: list[str] = re.findall(r"```yaml\n(.*?)```", PAGE, re.DOTALL)
ENDS: dict[str, Any] = {
    "$source": {"connectionName": "kafka", "topic": "in"},
    "$emit": {"connectionName": "kafka", "topic": "out"},
}
FORMATS: tuple[OutputFormat, ...] = ("relaxedJson", "canonicalJson", "basicJson")


@pytest.mark.parametrize("number", range(len(EXAMPLES)))
def test_every_example_compiles(number: int) -> None:
    """Each stage with the other end of a processor."""
    stage = YAML(typ="safe").load(EXAMPLES[number])
    assert set(stage) < set(ENDS)
    ends = ENDS | stage
    program = compile_processor([{name: ends[name]} for name in ("$source", "$emit")])
    assert program.sink is not None


def test_every_option_has_an_example() -> None:
    """What a table names is used somewhere."""
    options = re.findall(r"^\| `((?:config\.)?[a-zA-Z_]+)` \| .* \| .* \|$", PAGE, re.MULTILINE)
    named = {option.removeprefix("config.") for option in options} - {*FORMATS, *KEY_WRITERS}
    assert len(named) > 15
    assert [name for name in named if not any(f"{name}:" in example for example in EXAMPLES)] == []


def test_the_tables_of_key_formats_are_whole() -> None:
    """In the code's own order."""
    read, written = re.findall(r"\| `keyFormat` \| .*?\n\|[-|]*\n(.*?)\n\n", PAGE, re.DOTALL)
    assert re.findall(r"^\| `(\w+)`", read, re.MULTILINE) == list(KEY_READERS)
    assert re.findall(r"^\| `(\w+)`", written, re.MULTILINE) == list(KEY_WRITERS)


def test_the_table_of_values_is_what_the_formats_write() -> None:
    """Each row's canonical text, read and written in all three formats."""
    rows = re.findall(r"^\| [\w, ]+ \| `(.*?)` \| (.*?) \| `(.*?)` \|$", PAGE, re.MULTILINE)
    seen = [row for row in rows if row[0][:1] in '{1"5']
    assert len(seen) == 12
    for relaxed, canonical, basic in seen:
        wrapped = relaxed if canonical == "the same" else canonical.split("`")[1]
        value = decode_value(wrapped.encode())
        texts = [encoder(output)(value).decode() for output in FORMATS]
        assert texts == [relaxed, wrapped, basic]


def test_the_limit_of_topics_is_the_engines() -> None:
    """The page names the number."""
    assert f"after {EngineSettings().max_dynamic_topics:,} others" in PAGE
