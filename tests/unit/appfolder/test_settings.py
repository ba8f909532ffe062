"""Settings: bounds, what a processor may change, what the environment may say."""

from __future__ import annotations

from typing import Any

import pytest
from pydantic import ValidationError

from workers.errors import Invalid
from workers.settings import EngineSettings, ProcessorOptions, ServiceSettings, bytes_of, seconds_of


def options(**said: Any) -> ProcessorOptions:
    return ProcessorOptions.model_validate(said)


def test_what_a_processor_does_not_say_comes_from_the_engine() -> None:
    """No option, no change."""
    engine = EngineSettings()
    assert engine.with_options(options()) == engine


def test_a_processors_options_win() -> None:
    """Each of its bounds replaces the engine's."""
    changed = EngineSettings().with_options(
        options(maxBufferedRecords=100, maxBufferedBytes="2MiB", commitInterval="1s", drainTimeout=20,
                revokeDrain="2s", maxRecordBytes="1MiB")
    )  # fmt: skip
    assert (changed.max_buffered_records, changed.max_buffered_bytes) == (100, 2 * 1024 * 1024)
    assert (changed.commit_interval_seconds, changed.drain_timeout_seconds) == (1.0, 20.0)
    assert (changed.revoke_drain_seconds, changed.max_record_bytes) == (2.0, 1024 * 1024)
    assert changed.poll_batch_records == 12, "an eighth of the room"


def test_a_processor_says_how_long_it_starts_again() -> None:
    """Five minutes as in Atlas, not at all, or up to a day."""
    found = [options().restart_window, options(restartWindow=0).restart_window,
             options(restartWindow="24h").restart_window]  # fmt: skip
    assert found == [300.0, 0.0, 86_400.0]
    for wrong in (-1, "25h", "for ever"):
        with pytest.raises(ValidationError):
            options(restartWindow=wrong)


def test_bounds_that_depend_on_each_other_follow() -> None:
    """A revocation never takes longer than the whole drain."""
    assert EngineSettings().with_options(options(drainTimeout=1)).revoke_drain_seconds == 1.0


def test_fetching_ahead_is_shared_by_the_processors() -> None:
    """The process's bound is divided, down to one fetch each."""
    engine = EngineSettings()
    assert engine.fetch_ahead_each(1) == 65_536
    assert engine.fetch_ahead_each(4) == 16_384
    assert engine.fetch_ahead_each(1_000) == 1_024


@pytest.mark.parametrize(
    ("value", "seconds"),
    [(5, 5.0), (0.5, 0.5), ("25s", 25.0), ("500ms", 0.5), ("1.5 m", 90.0), ("2h", 7200.0), ("7", 7.0)],
)
def test_times_have_units(value: Any, seconds: float) -> None:
    """A bare number counts seconds."""
    assert seconds_of(value) == seconds


@pytest.mark.parametrize("value", ["", "s", "5 days", "-1s", True, None, [], "1e3"])
def test_what_is_no_time_is_refused(value: Any) -> None:
    """With what would be right."""
    with pytest.raises(ValueError, match="500ms, 25s or 5m"):
        seconds_of(value)


@pytest.mark.parametrize(
    ("value", "size"), [(1024, 1024), ("5", 5), ("512KiB", 524_288), ("16 MiB", 16_777_216)]
)
def test_sizes_have_units(value: Any, size: int) -> None:
    """A bare number counts bytes."""
    assert bytes_of(value) == size


@pytest.mark.parametrize("value", ["", "1MB", "1.5MiB", "-1", True, None, 1.5])
def test_what_is_no_size_is_refused(value: Any) -> None:
    """With what would be right."""
    with pytest.raises(ValueError, match="512KiB or 16MiB"):
        bytes_of(value)


def test_the_environment_sets_up_a_worker() -> None:
    """PENSTOCK_* and nothing else; names of others are left alone."""
    env = {"PENSTOCK_LOG_LEVEL": "DEBUG", "PENSTOCK_METRICS_HOST": "0.0.0.0", "PENSTOCK_METRICS_PORT": "9000",
           "PENSTOCK_PROCESSES": "4", "PENSTOCK_SERVICE_HOST": "10.0.0.1"}  # fmt: skip
    assert ServiceSettings.from_env(env) == ServiceSettings("debug", "0.0.0.0", 9000, 4)
    assert ServiceSettings.from_env({}) == ServiceSettings()


def test_everything_wrong_in_the_environment_is_one_report() -> None:
    """Each variable with what was found and what would be right."""
    env = {"PENSTOCK_LOG_LEVEL": "loud", "PENSTOCK_METRICS_HOST": "", "PENSTOCK_METRICS_PORT": "99999",
           "PENSTOCK_PROCESSES": "0"}  # fmt: skip
    with pytest.raises(Invalid) as caught:
        ServiceSettings.from_env(env)
    assert [problem.path for problem in caught.value.problems] == [
        "PENSTOCK_LOG_LEVEL", "PENSTOCK_METRICS_PORT", "PENSTOCK_PROCESSES", "PENSTOCK_METRICS_HOST",
    ]  # fmt: skip
    assert "from 1 to 64" in str(caught.value)


def test_release_and_slot_become_part_of_ids() -> None:
    """So they hold nothing that an id may not; an empty one is as good as none."""
    found = ServiceSettings.from_env({"PENSTOCK_RELEASE": "blue", "PENSTOCK_SLOT": "orders-0.a_b"})
    assert (found.release, found.slot) == ("blue", "orders-0.a_b")
    assert ServiceSettings.from_env({"PENSTOCK_RELEASE": "", "PENSTOCK_SLOT": ""}) == ServiceSettings()
    with pytest.raises(Invalid) as refused:
        ServiceSettings.from_env({"PENSTOCK_RELEASE": "a b", "PENSTOCK_SLOT": "x" * 129})
    assert [problem.path for problem in refused.value.problems] == ["PENSTOCK_RELEASE", "PENSTOCK_SLOT"]


def test_results_wait_less_for_a_transaction_than_offsets_for_a_commit() -> None:
    """200 ms under exactly-once, 500 ms otherwise, and what the processor says in both."""

    def interval(**options: str) -> float:
        return EngineSettings().with_options(ProcessorOptions.model_validate(options)).commit_interval_seconds

    assert (interval(), interval(delivery="exactly-once")) == (0.5, 0.2)
    assert interval(delivery="exactly-once", commitInterval="1s") == 1.0


def test_the_environment_bounds_the_drain() -> None:
    """A time of 1 s to 10 minutes; 25 s without it."""
    assert ServiceSettings.from_env({"PENSTOCK_DRAIN_TIMEOUT": "2m"}).drain_timeout_seconds == 120.0
    assert ServiceSettings.from_env({"PENSTOCK_DRAIN_TIMEOUT": ""}).drain_timeout_seconds == 25.0
    for wrong in ("0", "soon", "11m"):
        with pytest.raises(Invalid, match="from 1s to 600s"):
            ServiceSettings.from_env({"PENSTOCK_DRAIN_TIMEOUT": wrong})


def test_a_static_member_needs_a_slot() -> None:
    """Its id must be another one on every machine, and the same after a restart."""
    with pytest.raises(Invalid, match="PENSTOCK_SLOT is not set"):
        ServiceSettings.from_env({"PENSTOCK_STATIC_MEMBERSHIP": "true"})
    with pytest.raises(Invalid, match="true or false"):
        ServiceSettings.from_env({"PENSTOCK_STATIC_MEMBERSHIP": "yes"})
    found = ServiceSettings.from_env({"PENSTOCK_STATIC_MEMBERSHIP": "true", "PENSTOCK_SLOT": "orders-0"})
    assert found.is_static_member
