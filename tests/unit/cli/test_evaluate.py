"""`penstock eval`: a pipeline over a file, without Kafka and without calls."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.unit.cli.run_command import Ran, penstock
from tests.unit.cli.test_commands import CALLS
from workers.cli.refusals import MAX_KINDS, Refusals
from workers.cli.run_pipeline import Outcome

Capture = pytest.CaptureFixture[str]


def evaluate(capsys: Capture, folder: Path, pipeline: str, lines: list[str], *more: object) -> Ran:
    name = "pipeline.yaml" if "\n" in pipeline else "pipeline.js"
    (folder / name).write_text(pipeline)
    (folder / "input.jsonl").write_text("\n".join(lines))
    return penstock(capsys, "eval", "--pipeline", folder / name, "--input", folder / "input.jsonl", *more)


def test_results_go_to_stdout_and_refusals_to_stderr(capsys: Capture, tmp_path: Path) -> None:
    """One result a line, each refusal with its line and place, a count at the end."""
    lines = ['{"n": 1}', '{"n": 0}', "", "no json", "[1]", '{"n": "x"}', '{"n": {"$numberLong": "5"}}']
    ran = evaluate(capsys, tmp_path, "[{$match: {n: {$ne: 0}}}, {$set: {m: {$add: ['$n', 1]}}}]", lines)
    assert ran.code == 0
    assert [json.loads(line) for line in ran.out.splitlines()] == [{"n": 1, "m": 2}, {"n": 5, "m": 6}]
    said = ran.err.splitlines()
    assert said[0].startswith("line 4: refused at the line: the value is not JSON")
    assert said[1].startswith("line 5: refused at the line: ")
    assert said[2].startswith("line 6: refused at pipeline[1].$set.m")
    assert said[-1] == "6 documents: 2 results, 1 dropped, 3 refused"


def test_every_outcome_is_there_as_json(capsys: Capture, tmp_path: Path) -> None:
    """In the order of the lines."""
    lines = ['{"n": 1}', "x", '{"n": 0}']
    data = evaluate(capsys, tmp_path, "[{$match: {n: {$ne: 0}}}]", lines, "--json").data
    assert [(one["line"], one["outcome"]) for one in data["outcomes"]] == [
        (1, "result"), (2, "refused"), (3, "dropped"),
    ]  # fmt: skip
    assert data["outcomes"][0]["document"] == {"n": 1}
    assert data["counts"] == {"result": 1, "dropped": 1, "refused": 1}


def test_functions_are_not_called_and_that_is_said(capsys: Capture, tmp_path: Path) -> None:
    """A document that comes to a call site is refused there."""
    ran = evaluate(capsys, tmp_path, CALLS, ['{"status": "paid", "n": 1}', '{"status": "open"}'])
    assert (ran.code, ran.out) == (0, "")
    assert "line 1: refused at pipeline[2].$externalFunction: score is not called by eval" in ran.err
    assert "note: functions are not called by eval" in ran.err
    assert "2 documents: 0 results, 1 dropped, 1 refused" in ran.err


def test_answers_stand_in_for_functions(capsys: Capture, tmp_path: Path) -> None:
    """Each document gets the answer at `as`, and goes on."""
    answers = tmp_path / "answers.yaml"
    answers.write_text("score: {points: 21}")
    ran = evaluate(capsys, tmp_path, CALLS, ['{"status": "paid", "n": 1}'], "--answers", answers, "--json")
    (outcome,) = ran.data["outcomes"]
    assert outcome["document"] == {"status": "paid", "n": 1, "fraud": {"points": 21}, "twice": 42}
    assert outcome["topic"] == "results"


@pytest.mark.parametrize(
    ("pipeline", "answers", "said"),
    [
        ("[{$mach: {}}]", "{}", "did you mean $match?"),
        ("{name: 'x'}", "{}", "holds no pipeline"),
        ("[{$match: ", "{}", "line 1, column 11"),
        ("[{$match: {at: {$date: 'soon'}}}]", "{}", "malformed $date"),
        (CALLS, "scoer: 1", "is not called; the pipeline calls score"),
        (CALLS, "[1]", "holds no answers"),
        (CALLS, "a: [", "answers.yaml: line 1"),
    ],
)
def test_bad_input_is_reported_with_its_place(
    capsys: Capture, tmp_path: Path, pipeline: str, answers: str, said: str
) -> None:
    """Exit code 2, nothing on stdout."""
    (tmp_path / "answers.yaml").write_text(answers)
    ran = evaluate(capsys, tmp_path, pipeline, ['{"n": 1}'], "--answers", tmp_path / "answers.yaml")
    assert (ran.code, ran.out) == (2, "")
    assert said in ran.err


def test_files_that_are_not_there_are_bad_input(capsys: Capture, tmp_path: Path) -> None:
    """Neither the pipeline nor the documents; an ending of no format too."""
    ran = penstock(capsys, "eval", "--pipeline", tmp_path / "a.yaml", "--input", tmp_path / "b.jsonl")
    assert ran.code == 2
    assert "a.yaml: cannot be read" in ran.err
    (tmp_path / "a.yaml").write_text("- $match: {}")
    ran = penstock(capsys, "eval", "--pipeline", tmp_path / "a.yaml", "--input", tmp_path / "b.jsonl")
    assert ran.code == 2
    assert "is no file" in ran.err
    ran = penstock(capsys, "eval", "--pipeline", tmp_path / "a.txt", "--input", tmp_path / "b.jsonl")
    assert ran.code == 2
    assert "has the ending .txt" in ran.err


def test_a_long_file_is_read_in_slices(capsys: Capture, tmp_path: Path) -> None:
    """More lines than are held at once keep their order and numbers."""
    lines = [f'{{"n": {number}}}' for number in range(1201)]
    ran = evaluate(capsys, tmp_path, "[{$match: {n: {$gte: 0}}}]", lines)
    assert [json.loads(line)["n"] for line in ran.out.splitlines()] == list(range(1201))
    assert ran.err.endswith("1201 documents: 1201 results, 0 dropped, 0 refused\n")


def test_stages_over_the_whole_list_see_every_line(capsys: Capture, tmp_path: Path) -> None:
    """$group and $sort see more than a slice; results come in the order of the stages, not of the lines."""
    pipeline = '[{"$group": {"_id": {"$mod": ["$n", 2]}, "count": {"$sum": 1}}}, {"$sort": {"_id": -1}}]'
    ran = evaluate(capsys, tmp_path, pipeline, [f'{{"n": {n}}}' for n in range(1001)] + ['{"n": "x"}'])
    assert ran.out.splitlines() == ['{"_id":1,"count":500}', '{"_id":0,"count":501}']
    assert "line 1002: refused at pipeline[0].$group._id.$mod" in ran.err
    assert "3 documents: 2 results, 0 dropped, 1 refused" in ran.err


def test_a_sorted_document_keeps_its_line(capsys: Capture, tmp_path: Path) -> None:
    """What a stage over the list did not change is still that of its line."""
    lines = ['{"n": 1}', '{"n": 3}', '{"n": 2}']
    ran = evaluate(capsys, tmp_path, '[{"$sort": {"n": -1}}, {"$limit": 2}]', lines, "--json")
    assert [one["line"] for one in json.loads(ran.out)["outcomes"]] == [2, 3]


def test_refusals_are_summed_up_at_the_end(capsys: Capture, tmp_path: Path) -> None:
    """By place and reason, the most frequent first, each with its first line; in JSON, too."""
    lines = ["x", '{"n": "a"}', '{"n": true}', '{"n": "b"}', '{"n": 1}']
    pipeline = "[{$set: {m: {$abs: '$n'}}}]"
    said = evaluate(capsys, tmp_path, pipeline, lines).err.splitlines()
    start = said.index("refusals by place and reason:")
    assert said[start + 1].split() == ["count", "first", "line", "path", "reason"]
    assert said[start + 2].split()[:3] == ["2", "2", "pipeline[0].$set.m.$abs"]
    assert len(said[start + 2 :]) == 4, "three kinds and the counts"
    data = evaluate(capsys, tmp_path, pipeline, lines, "--json").data
    assert [(one["count"], one["firstLine"]) for one in data["refusals"]] == [(2, 2), (1, 1), (1, 3)]
    assert evaluate(capsys, tmp_path, pipeline, lines[-1:]).err.startswith("1 documents")


def test_many_kinds_of_refusals_are_cut(capsys: Capture, tmp_path: Path) -> None:
    """Reasons that name values cannot grow without bound: past a number of kinds the place alone counts."""
    refusals = Refusals()
    for number in range(MAX_KINDS + 5):
        refusals.count(Outcome(number, "refused", reason=f"r{number}", path="p"))
    assert len(refusals.as_data()) == MAX_KINDS + 1
    assert refusals.as_data()[0] == {
        "path": "p", "reason": "(other reasons)", "count": 5, "firstLine": MAX_KINDS,
    }  # fmt: skip
    assert refusals.as_table()[-1] == f"  and {MAX_KINDS + 1 - 20} more kinds; --json has them all"


def test_a_pipeline_is_explained_and_not_run(capsys: Capture, tmp_path: Path) -> None:
    """Segments and their code; no documents are needed."""
    (tmp_path / "a.yaml").write_text("- $match: {n: 1}\n- $set: {m: 2}\n")
    ran = penstock(capsys, "eval", "--pipeline", tmp_path / "a.yaml", "--explain")
    assert (ran.code, ran.err) == (0, "")
    assert "segment 0: $match, $set" in ran.out
    assert "  def segment(docs, metas):" in ran.out


def test_stages_are_measured_one_by_one(capsys: Capture, tmp_path: Path) -> None:
    """How many documents came in and went out of each, and what one cost; calls and ends have no time."""
    lines = [f'{{"status": "{"paid" if n % 2 else "open"}", "n": {n}}}' for n in range(40)]
    answers = tmp_path / "answers.yaml"
    answers.write_text("score: {points: 21}")
    ran = evaluate(capsys, tmp_path, CALLS, lines, "--answers", answers, "--profile", "--json")
    rows = {row["place"]: row for row in ran.data["profile"]}
    match = next(row for place, row in rows.items() if place.endswith("$match"))
    assert (match["documents_in"], match["documents_out"]) == (40, 20)
    assert match["us"] > 0
    assert next(row for place, row in rows.items() if "$externalFunction" in place)["us"] is None
    assert rows["encode"]["documents_in"] == 20
    plain = evaluate(capsys, tmp_path, "[{$sort: {n: -1}}, {$limit: 3}]", lines, "--profile")
    assert [json.loads(line)["n"] for line in plain.out.splitlines()] == [39, 38, 37]
    table = [line.split() for line in plain.err.splitlines()]
    assert ["pipeline[1].$limit", "40", "3"] in [row[:3] for row in table]
    assert any(row[:3] == ["all", "stages", "together"] for row in table)


def test_a_throttle_holds_nothing_back(capsys: Capture, tmp_path: Path) -> None:
    """Documents pass it at once, and that is said; explain and profile show where it stands."""
    stages = "[{$throttle: {messagesPerSec: 1, bytesPerSec: 2000}}, {$set: {m: 1}}]"
    lines = [json.dumps({"n": number}) for number in range(20)]
    ran = evaluate(capsys, tmp_path, stages, lines)
    assert ran.out.splitlines() == [f'{{"n":{number},"m":1}}' for number in range(20)]
    assert "note: $throttle holds nothing back in eval" in ran.err
    explained = evaluate(capsys, tmp_path, stages, lines, "--explain")
    assert "throttle 0: 1 documents/s, 2,000 bytes/s (pipeline[0].$throttle)" in explained.out
    rows = evaluate(capsys, tmp_path, stages, lines, "--profile", "--json").data["profile"]
    assert (rows[0]["place"], rows[0]["documents_out"], rows[0]["us"]) == ("pipeline[0].$throttle", 20, None)


def test_stages_after_a_call_read_what_it_was(capsys: Capture, tmp_path: Path) -> None:
    """Answers are those of the first version, at the first attempt."""
    call = "{$externalFunction: {connectionName: 'aws', functionName: 'score', as: 'points'}}"
    read = "{$set: {tries: {$meta: 'stream.externalFunction.attempts'}}}"
    (tmp_path / "answers.yaml").write_text("score: 7")
    ran = evaluate(capsys, tmp_path, f"[{call}, {read}]", ["{}"], "--answers", tmp_path / "answers.yaml")
    assert json.loads(ran.out) == {"points": 7, "tries": 1}
