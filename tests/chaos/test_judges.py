"""The judges of chaos runs are themselves seen to complain, and to let pass what is right."""

from __future__ import annotations

from collections import Counter

import orjson
import pytest

from tests.chaos.fates import (
    FATES,
    MAX_TROUBLED_CALLS,
    ChaosFunction,
    fate_of,
    number_of,
    place_of,
    trouble_of,
    value_of,
)
from tests.chaos.judge import Sample, Written, account, at_risk, order_faults, repeated_after_commit

SEED = 7
COUNT = 300
ORIGINS = {number: (number % 2, number // 2) for number in range(COUNT)}


def outputs() -> tuple[list[Written], list[Written]]:
    """What a perfect run of one worker leaves: results and dead letters in source order."""
    found: dict[str, list[Written]] = {"result": [], "dead": [], "nowhere": []}
    for partition in (0, 1):
        ends: Counter[str] = Counter()
        for number in range(partition, COUNT, 2):
            place = place_of(SEED, number)
            found[place].append(Written(number, partition, ends[place], b"k%d" % (number % 10)))
            ends[place] += 1
    return found["result"], found["dead"]


def again(record: Written, records: list[Written]) -> Written:
    """The record once more, at the end of its partition."""
    end = max(other.offset for other in records if other.partition == record.partition) + 1
    return Written(record.number, record.partition, end, record.key)


def test_a_perfect_run_has_no_faults() -> None:
    """Nothing lost, misplaced, repeated or out of order."""
    results, dead = outputs()
    found = account(SEED, ORIGINS, results, dead)
    found.out_of_order = order_faults("partition", ORIGINS, results) + order_faults("key", ORIGINS, results)
    assert found.faults(0) == []
    assert found.repeated == []


def test_a_lost_record_is_told() -> None:
    """A result and a dead letter that are missing."""
    results, dead = outputs()
    found = account(SEED, ORIGINS, results[1:], dead[1:])
    assert sorted(found.lost) == sorted([results[0].number, dead[0].number])
    assert found.faults(0) != []


def test_a_misplaced_record_is_told() -> None:
    """A dead letter of what should be a result, a result of what should be dropped, an unknown number."""
    results, dead = outputs()
    dropped = next(number for number in range(COUNT) if place_of(SEED, number) == "nowhere")
    wrong = [Written(dropped, 0, 10_000, b""), Written(COUNT, 0, 10_001, b"")]
    found = account(SEED, ORIGINS, results + wrong, [*dead, results[5]])
    assert sorted(found.misplaced) == sorted([results[5].number, dropped, COUNT])


def test_repeats_are_counted_and_bounded() -> None:
    """Each record beyond the first of its number is one; more than the bound is a fault."""
    results, dead = outputs()
    found = account(SEED, ORIGINS, [*results, results[3], results[3]], [*dead, dead[0]])
    assert len(found.repeated) == 3
    assert found.faults(3) == []
    assert found.faults(2) != []


def test_a_result_out_of_order_is_told() -> None:
    """Two neighbours of one partition change places: a fault by partition, by key only where they share
    one."""
    results, _ = outputs()
    swapped = [results[1], results[0], *results[2:]]
    assert len(order_faults("partition", ORIGINS, swapped)) == 1
    assert order_faults("key", ORIGINS, swapped) == []
    assert order_faults("none", ORIGINS, swapped) == []
    same_key = [record for record in results if record.key == results[0].key and record.partition == 0]
    assert len(order_faults("key", ORIGINS, [same_key[1], same_key[0]])) == 1


def test_a_new_life_that_repeats_is_in_order() -> None:
    """An owner that begins anew at the committed offset writes again what was written, and goes on."""
    results = [record for record in outputs()[0] if record.partition == 0]
    assert order_faults("partition", ORIGINS, results[:20] + results[10:]) == []
    assert order_faults("partition", ORIGINS, results[:20] + results[21:] + results[10:]) != []


def test_what_was_written_and_not_committed_is_at_risk() -> None:
    """Below the commit, beyond the end at that moment, or named in the map: not at risk."""
    results, dead = outputs()
    first = [record for record in results if record.partition == 0]
    at = 10
    committed = {0: ORIGINS[first[at].number][1]}
    ends = {0: first[at + 5].offset}
    plain = Sample(committed, {}, ends, {})
    assert at_risk(plain, [0], ORIGINS, (results, dead)) == set(first[at : at + 5])
    assert at_risk(plain, [1], ORIGINS, (results, dead)) == set()
    settled = Sample(committed, {0: frozenset({ORIGINS[first[at + 1].number][1]})}, ends, {})
    assert at_risk(settled, [0], ORIGINS, (results, dead)) == {first[at], *first[at + 2 : at + 5]}


def test_a_repeat_of_what_was_committed_is_told() -> None:
    """A second writing counts when the commit was seen before it, and not when it came after."""
    results, dead = outputs()
    first = [record for record in results if record.partition == 0]
    repeated = [*first, again(first[2], first)]
    end = repeated[-1].offset
    seen = Sample({0: ORIGINS[first[2].number][1] + 1}, {}, {0: end}, {})
    assert repeated_after_commit([seen], ORIGINS, (repeated, dead)) == [first[2].number]
    later = Sample(seen.committed, {}, {0: end + 1}, {})
    assert repeated_after_commit([later], ORIGINS, (repeated, dead)) == []
    below = Sample({0: ORIGINS[first[2].number][1]}, {}, {0: end}, {})
    assert repeated_after_commit([below], ORIGINS, (repeated, dead)) == []


def test_the_seed_gives_every_fate_its_share() -> None:
    """Of 20,000 records each fate has its share within a fifth, and values carry their number."""
    counted = Counter(fate_of(SEED, number) for number in range(20_000))
    for part, fate in FATES:
        assert counted[fate] == pytest.approx(20_000 * part, rel=0.2)
    assert all(number_of(value_of(SEED, number)) == number for number in range(500))


def test_every_record_meets_its_fate_within_the_attempts() -> None:
    """After its troubles a call answers as the seed says, alone and in a batch."""
    function = ChaosFunction(SEED)
    for number in range(200):
        alone = [function(b'{"id":%d}' % number)[0] for _ in range(MAX_TROUBLED_CALLS + 1)]
        trouble, times = trouble_of(SEED, str(number))
        assert (trouble == "none") == (times == 0)
        failed = fate_of(SEED, number) == "function_error"
        assert alone[-1].outcome == ("function_error" if failed else "static")
        assert [call.outcome in ("static", "function_error") for call in alone] == [
            nth >= times for nth in range(len(alone))
        ]
        body = orjson.dumps({"records": [{"id": "x", "key": None, "value": {"id": number}}]})
        batched = [function(body)[0] for _ in range(MAX_TROUBLED_CALLS + 1)][-1]
        if batched.outcome == "static":
            (answer,) = orjson.loads(batched.body)["records"]
            assert answer["id"] == "x"
            assert (answer["result"] == "fail") == failed
        else:
            assert failed
