"""Counting: children are bound once, label sets are bounded, what moved away is no longer shown."""

from __future__ import annotations

import platform
import threading

import pytest
from prometheus_client.parser import text_string_to_metric_families

from workers import metrics as m
from workers.counting import Metrics


def samples(text: str) -> dict[tuple[str, ...], float]:
    """{(sample name, label=value, ...): value} of a text exposition."""
    return {
        (sample.name, *(f"{key}={value}" for key, value in sorted(sample.labels.items()))): sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
    }


def test_a_child_adds_up_and_is_the_same_object_each_time() -> None:
    """The hot path may keep a child for ever."""
    counted = Metrics(with_process=False)
    child = counted.counter(m.RECORDS, "orders", "emitted")
    child.inc(500)
    child.inc(250)
    assert counted.counter(m.RECORDS, "orders", "emitted") is child
    assert samples(counted.text())[("penstock_records_total", "outcome=emitted", "processor=orders")] == 750


def test_two_registries_do_not_share_counts() -> None:
    """Nothing is process-wide: two engines in one process count apart."""
    one, two = Metrics(with_process=False), Metrics(with_process=False)
    one.counter(m.PROCESSOR_RESTARTS, "orders").inc()
    two.start_processor("orders")
    assert samples(two.text())[("penstock_processor_restarts_total", "processor=orders")] == 0


def test_a_histogram_has_the_buckets_of_the_catalogue_and_no_created_sample() -> None:
    """Buckets come from the catalogue; `_created` samples would double the series for nothing."""
    counted = Metrics(with_process=False)
    counted.histogram(m.CALL_SECONDS, "orders", "enrich").observe(0.003)
    text = counted.text()
    assert text.count("penstock_call_seconds_bucket{") == len(m.CALL_SECONDS.buckets) + 1
    assert "_created" not in text


def test_past_its_bound_a_metric_counts_under_other_and_keeps_the_processor() -> None:
    """A topic made by an expression, or an error class made by a function, cannot fill the memory."""
    small = m.Metric("counter", "penstock_x_total", ("processor", "class", "scope"), "X.", max_series=3,
                     values={"scope": ("record", "batch")})  # fmt: skip
    counted = Metrics([small], with_process=False)
    for number in range(10):
        counted.counter(small, "orders", f"Error{number}", "record").inc()
    found = samples(counted.text())
    assert found[("penstock_x_total", "class=other", "processor=orders", "scope=record")] == 7
    assert len(found) == 4


def test_a_value_outside_a_closed_label_is_our_bug() -> None:
    """A typo in an outcome fails at once instead of making a new series."""
    counted = Metrics(with_process=False)
    with pytest.raises(AssertionError, match="emited is no outcome"):
        counted.counter(m.RECORDS, "orders", "emited")


def test_the_wrong_kind_and_the_wrong_number_of_labels_are_our_bugs() -> None:
    """A gauge is not counted, and labels are never left out."""
    counted = Metrics(with_process=False)
    with pytest.raises(AssertionError, match="is a gauge"):
        counted.counter(m.BUFFERED_RECORDS, "orders")
    with pytest.raises(AssertionError, match="has the labels"):
        counted.gauge(m.CONSUMER_LAG, "orders", "topic")


def test_a_started_processor_shows_its_closed_series_at_zero() -> None:
    """rate() of the first failure is not lost, because the series was there before."""
    counted = Metrics(with_process=False)
    counted.start_processor("orders")
    found = samples(counted.text())
    for outcome in m.RECORD_OUTCOMES:
        assert found[("penstock_records_total", f"outcome={outcome}", "processor=orders")] == 0
    assert not [key for key in found if key[0] == m.CONSUMER_LAG.name]


def test_exactly_one_state_reads_one() -> None:
    """Setting a state clears the one before; an unknown state is our bug."""
    counted = Metrics(with_process=False)
    counted.set_state("orders", "STARTED")
    counted.set_state("orders", "FAILED")
    found = samples(counted.text())
    states = {
        state: found[("penstock_processor_state", "processor=orders", f"state={state}")] for state in m.STATES
    }
    assert states == {"CREATED": 0, "STARTED": 0, "STOPPED": 0, "FAILED": 1}
    with pytest.raises(AssertionError):
        counted.set_state("orders", "BROKEN")


def test_a_partition_that_moved_away_is_forgotten_and_the_others_stay() -> None:
    """A lag that nobody here measures any more must not be scraped; its place in the bound is free again."""
    counted = Metrics(with_process=False)
    for partition in ("0", "1"):
        counted.gauge(m.CONSUMER_LAG, "orders", "in", partition).set(5)
    counted.forget(processor="orders", topic="in", partition="0")
    lags = [key for key in samples(counted.text()) if key[0] == m.CONSUMER_LAG.name]
    assert lags == [(m.CONSUMER_LAG.name, "partition=1", "processor=orders", "topic=in")]
    counted.gauge(m.CONSUMER_LAG, "orders", "in", "0").set(7)
    assert samples(counted.text())[(m.CONSUMER_LAG.name, "partition=0", "processor=orders", "topic=in")] == 7


def test_a_dropped_processor_leaves_nothing_behind() -> None:
    """`forget(processor=...)` reaches every metric that has this label."""
    counted = Metrics(with_process=False)
    counted.start_processor("orders")
    counted.histogram(m.CALL_SECONDS, "orders", "enrich").observe(1)
    counted.forget(processor="orders")
    assert "orders" not in counted.text()


def test_the_process_itself_is_shown_when_asked() -> None:
    """CPU, memory and version of an engine process are scraped beside its own metrics."""
    text = Metrics().text()
    assert "process_cpu_seconds_total" in text
    assert f'penstock_build_info{{python="{platform.python_version()}",version="' in text
    assert "process_" not in Metrics(with_process=False).text()


def test_threads_that_ask_for_one_new_child_at_once_get_one() -> None:
    """The poll thread and the loop may meet a new topic at the same moment: no count is lost."""
    counted = Metrics(with_process=False)
    barrier = threading.Barrier(8)

    def count() -> None:
        barrier.wait()
        for number in range(200):
            counted.counter(m.RECORDS_CONSUMED, "orders", f"topic{number}").inc()

    threads = [threading.Thread(target=count) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(timeout=10)
    found = samples(counted.text())
    assert {value for key, value in found.items() if key[0] == m.RECORDS_CONSUMED.name} == {8.0}
