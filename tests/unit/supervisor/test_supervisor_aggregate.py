"""Many processes, one answer: families once, samples of all, counts added up."""

from __future__ import annotations

import pytest
from prometheus_client.parser import text_string_to_metric_families

from workers import metrics as m
from workers.counting import Metrics
from workers.supervisor.aggregate import by_processor, merge
from workers.supervisor.frames import ProcessorStatus


def counted(emitted: int) -> str:
    """The samples of an engine process that wrote so many records."""
    metrics = Metrics(with_process=False)
    metrics.start_processor("orders")
    metrics.counter(m.RECORDS, "orders", "emitted").inc(emitted)
    metrics.histogram(m.CALL_SECONDS, "orders", 'na"me\\with\nall').observe(0.02)
    return metrics.text()


def test_a_family_of_many_processes_has_one_help_and_one_type() -> None:
    """Prometheus refuses a scrape that describes a family twice or scatters its samples."""
    text, refused = merge([("0", counted(1)), ("1", counted(2)), ("2", counted(3))])
    assert refused == 0
    described = [line.split()[2] for line in text.splitlines() if line.startswith("# TYPE")]
    assert len(described) == len(set(described)) > 10
    names = [line.partition("{")[0] for line in text.splitlines() if not line.startswith("#")]
    runs = [name for number, name in enumerate(names) if number == 0 or names[number - 1] != name]
    counters = [name for name in runs if name.endswith("_total")]
    assert len(counters) == len(set(counters)), "the samples of a family stand together"


def test_every_sample_comes_out_with_its_process_and_is_otherwise_unchanged() -> None:
    """What prometheus-client reads back is the union of what the processes counted, label values included."""
    text, _ = merge([("0", counted(1)), ("1", counted(2))])
    found = {}
    for family in text_string_to_metric_families(text):
        for sample in family.samples:
            labels = dict(sample.labels)
            found[(labels.pop("process"), sample.name, frozenset(labels.items()))] = sample.value
    wanted = {
        (process, sample.name, frozenset(sample.labels.items())): sample.value
        for process, one in (("0", counted(1)), ("1", counted(2)))
        for family in text_string_to_metric_families(one)
        for sample in family.samples
    }
    assert found == wanted


def test_a_family_that_one_process_alone_has_is_kept() -> None:
    """Processes may run different processors; a family without any sample is left out."""
    empty = "# HELP a_total A.\n# TYPE a_total counter\n"
    assert merge([("0", empty), ("1", "# HELP b B.\n# TYPE b gauge\nb 1.0\n")]) == (
        '# HELP b B.\n# TYPE b gauge\nb{process="1"} 1.0\n',
        0,
    )


@pytest.mark.parametrize(
    "value", ["1", "1.5", "-0.5", "1e+06", "2.5E-3", "+Inf", "-Inf", "NaN", "7 1700000000000"]
)
def test_every_number_of_the_format_is_a_sample(value: str) -> None:
    """Also with a time behind it."""
    assert merge([("0", f"up {value}")]) == (f'up{{process="0"}} {value}\n', 0)


@pytest.mark.parametrize(
    "line",
    [
        "0bad 1",
        "up",
        "up one",
        'up{a="1} 1',
        "up{a=1} 1",
        'up{a="1"} 1 2 3',
        "<html>",
        'up{process="9"} 1',
        "up{} ",
    ],
)
def test_a_line_that_is_no_sample_is_left_out_and_counted(line: str) -> None:
    """One bad line would make Prometheus refuse the samples of all; a process cannot pose as another."""
    assert merge([("0", f"a 1\n{line}\nb 2\n")]) == ('a{process="0"} 1\nb{process="0"} 2\n', 1)


def test_nothing_in_nothing_out() -> None:
    """Before the first status there are no samples, and that is no error."""
    assert merge([]) == ("", 0)
    assert merge([("0", "")]) == ("", 0)


def test_a_processor_is_added_up_over_its_processes() -> None:
    """Counts are sums; two processors are two entries, by name."""
    one = [
        ProcessorStatus("orders", "STARTED", lag=5, emitted=10),
        ProcessorStatus("audit", "STARTED", lag=1),
    ]
    two = [ProcessorStatus("orders", "STARTED", lag=7, emitted=20)]
    audit, orders = by_processor([("0", one), ("1", two)])
    assert (audit["name"], audit["lag"], audit["processes"]) == ("audit", 1, ["0"])
    assert (orders["name"], orders["lag"], orders["emitted"], orders["processes"]) == (
        "orders",
        12,
        30,
        ["0", "1"],
    )


@pytest.mark.parametrize(
    ("states", "shown"),
    [(["STARTED", "FAILED"], "FAILED"), (["STOPPED", "STARTED"], "STARTED"),
     (["CREATED", "STARTED"], "STARTED"),
     (["STOPPED", "CREATED"], "CREATED"), (["STARTED", "NEW"], "NEW")],
)  # fmt: skip
def test_the_state_shown_is_the_worst(states: list[str], shown: str) -> None:
    """One failed process is what somebody has to look at, whatever the order; so is a state nobody knows."""
    for order in (states, states[::-1]):
        statuses = [(str(n), [ProcessorStatus("orders", state)]) for n, state in enumerate(order)]
        assert by_processor(statuses)[0]["state"] == shown


def test_the_same_error_of_many_processes_is_shown_once() -> None:
    """With the processes that have it."""
    statuses = [
        ("0", [ProcessorStatus("orders", "FAILED", error="no such topic")]),
        ("1", [ProcessorStatus("orders", "FAILED", error="no such topic")]),
        ("2", [ProcessorStatus("orders", "FAILED", error="no permission")]),
    ]
    assert by_processor(statuses)[0]["errors"] == [
        {"error": "no such topic", "processes": ["0", "1"]},
        {"error": "no permission", "processes": ["2"]},
    ]


def test_a_processor_is_ready_when_it_is_in_every_process() -> None:
    """And what troubles some of its processes is shown."""
    away = ProcessorStatus("orders", "STARTED", ready=False, trouble="broker away")
    (orders,) = by_processor([("0", [ProcessorStatus("orders", "STARTED")]), ("1", [away])])
    assert orders["ready"] is False
    assert orders["troubles"] == [{"trouble": "broker away", "processes": ["1"]}]
    assert orders["errors"] == []
