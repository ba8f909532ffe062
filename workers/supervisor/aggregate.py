"""Many processes, one answer: samples merged under a `process` label, statuses added up. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any, Final

from workers.supervisor.frames import COUNTS, TEXTS, ProcessorStatus

# One sample of Prometheus' text format 0.0.4: name, labels, value, time. A label `process` of its own is
# refused.
_SAMPLE: Final = re.compile(
    r"(?P<name>[a-zA-Z_:][a-zA-Z0-9_:]*)"
    r'(?:\{(?P<labels>(?:(?!process=)[a-zA-Z_][a-zA-Z0-9_]*="(?:[^"\\]|\\.)*",?)*)\})?'
    r"(?P<rest> (?:[+-]?(?:Inf|[0-9.]+(?:[eE][+-]?[0-9]+)?)|NaN)(?: -?[0-9]+)?)"
)
_SUFFIXES: Final = {"histogram": ("_bucket", "_sum", "_count"), "summary": ("", "_sum", "_count")}

# A processor is as well as the worst of its processes: that is the one somebody has to look at.
_WORST_FIRST: Final = ("FAILED", "STARTED", "CREATED", "STOPPED")


@dataclass(slots=True)
class _Family:
    help: str = ""
    kind: str = ""
    samples: list[str] = field(default_factory=list)


def merge(parts: Iterable[tuple[str, str]]) -> tuple[str, int]:
    """One text of Prometheus' format out of many: (process, its text) each.

    Each family appears once, with the first HELP and TYPE that named it, and the samples of all processes
    under it, each with the label `process`. Returns the text and the number of lines that were no samples
    and were left out.
    """
    families: dict[str, _Family] = {}
    refused = 0
    for process, text in parts:
        label = f'process="{_escaped(process)}"'
        kind, name = "", ""
        for line in text.split("\n"):
            if line.startswith("#"):
                words = line.split(" ", 3)
                if len(words) == 4 and words[1] in ("HELP", "TYPE"):
                    name = words[2]
                    kind = _describe(families.setdefault(name, _Family()), words[1], words[3])
            elif line:
                sample = _SAMPLE.fullmatch(line)
                if sample is None:
                    refused += 1
                    continue
                own = sample["name"]
                family = name if own in [name + s for s in _SUFFIXES.get(kind, ("",))] else own
                labels = (sample["labels"] or "").rstrip(",")
                shown = f"{own}{{{label}{',' if labels else ''}{labels}}}{sample['rest']}"
                families.setdefault(family, _Family()).samples.append(shown)
    return "".join(_written(name, family) for name, family in families.items()), refused


def _describe(family: _Family, word: str, text: str) -> str:
    if word == "HELP":
        family.help = family.help or text
    else:
        family.kind = family.kind or text
    return family.kind


def _written(name: str, family: _Family) -> str:
    if not family.samples:
        return ""
    lines = [f"# HELP {name} {family.help}"] if family.help else []
    lines += [f"# TYPE {name} {family.kind}"] if family.kind else []
    return "\n".join([*lines, *family.samples]) + "\n"


def _escaped(value: str) -> str:
    return value.replace("\\", r"\\").replace('"', r"\"").replace("\n", r"\n")


def by_processor(statuses: Iterable[tuple[str, Sequence[ProcessorStatus]]]) -> list[dict[str, Any]]:
    """(process, its processors) of every process -> one entry a processor, in order of name.

    Counts are added up, the state is the worst of its processes' (one that is not known here is worse than
    all), it is ready when it is in all of them, and each distinct error and trouble is there once, with the
    processes that have it.
    """
    found: dict[str, dict[str, Any]] = {}
    for process, processors in statuses:
        for status in processors:
            fresh = {"name": status.name, "state": status.state, "ready": True, "processes": []}
            texts: dict[str, list[Any]] = {f"{text}s": [] for text in TEXTS}
            entry = found.setdefault(status.name, fresh | texts | dict.fromkeys(COUNTS, 0))
            entry["state"] = min(entry["state"], status.state, key=_badness)
            entry["ready"] = entry["ready"] and status.ready
            entry["processes"].append(process)
            said = asdict(status)
            for count in COUNTS:
                entry[count] += said[count]
            for text in TEXTS:
                if said[text]:
                    _add_text(entry[f"{text}s"], text, said[text], process)
    return [found[name] for name in sorted(found)]


def _badness(state: str) -> int:
    return _WORST_FIRST.index(state) if state in _WORST_FIRST else -1


def _add_text(known: list[dict[str, Any]], kind: str, text: str, process: str) -> None:
    for entry in known:
        if entry[kind] == text:
            entry["processes"].append(process)
            return
    known.append({kind: text, "processes": [process]})
