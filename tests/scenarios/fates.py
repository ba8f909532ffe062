"""50,000 records whose seed decides for each id what is to become of it, without asking anybody."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import Any, Literal

from tests.fakes.lambda_behaviour import Behaviour, Fate, fate_of
from tests.scenarios.world import Seen

SEED = 20_261
THROWS = Behaviour(outcome="function_error", error_type="ValueError", message="planned")
PLAN = Behaviour(outcome="static", body='{"ok":1}', id_field="id", seed=SEED, fates=(Fate(0.03, THROWS),))
PLAN_JSON: dict[str, Any] = {
    "outcome": "static", "body": '{"ok":1}', "id_field": "id", "seed": SEED,
    "fates": [[0.03, {"outcome": "function_error", "error_type": "ValueError", "message": "planned"}]],
}  # fmt: skip

Expected = Literal["result", "dead", "poison", "drop"]


def document(number: int) -> dict[str, Any] | bytes:
    """Record `number`: 1% poison that still carries its number, the others documents."""
    if number % 100 == 99:
        return b"poison %d" % number
    return {"id": number, "keep": number % 50 != 7, "pad": "x" * 100}


def expected(number: int) -> Expected:
    """Where record `number` must end."""
    if number % 100 == 99:
        return "poison"
    if number % 50 == 7:
        return "drop"
    return "dead" if fate_of(PLAN, str(number)).outcome == "function_error" else "result"


@dataclass(frozen=True, slots=True)
class Account:
    """What a run left behind, held against what it should have."""

    lost: list[int]
    misplaced: list[int]
    repeats: int

    def __str__(self) -> str:
        return f"lost {len(self.lost)}, misplaced {len(self.misplaced)}, repeats {self.repeats}"


def account(count: int, results: list[Seen], dead: list[Seen]) -> Account:
    """Every id in its place at least once; `repeats` counts the records beyond the first of an id."""
    in_results = Counter(int(record.json["id"]) for record in results)
    in_dead = Counter(_number(record) for record in dead)
    lost, misplaced = [], []
    for number in range(count):
        place = expected(number)
        right, wrong = (in_results, in_dead) if place == "result" else (in_dead, in_results)
        if place == "drop":
            if in_results[number] or in_dead[number]:
                misplaced.append(number)
            continue
        if not right[number]:
            lost.append(number)
        if wrong[number]:
            misplaced.append(number)
    repeats = in_results.total() - len(in_results) + in_dead.total() - len(in_dead)
    return Account(lost, misplaced, repeats)


def _number(record: Seen) -> int:
    assert record.value is not None
    if record.value.startswith(b"poison "):
        return int(record.value[7:])
    return int(record.json["id"])
