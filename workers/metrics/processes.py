"""Metrics of processors, engine processes and their supervisor."""

from __future__ import annotations

from typing import Final

from workers.metrics.metric import STATES, Metric

PROCESSOR_STATE: Final = Metric(
    "gauge",
    "penstock_processor_state",
    ("processor", "state"),
    "1 for the state that the processor is in, 0 for the others.",
    values={"state": STATES},
)
PROCESSOR_RESTARTS: Final = Metric(
    "counter",
    "penstock_processor_restarts_total",
    ("processor",),
    "Starts of a processor that had failed of something that may be mended, each after a back-off.",
)
CONSUMERS_REPLACED: Final = Metric(
    "counter",
    "penstock_consumers_replaced_total",
    ("processor",),
    "Consumers replaced after an error that a client cannot survive, each after a back-off.",
)
SEGMENT_SECONDS: Final = Metric(
    "counter",
    "penstock_segment_seconds_total",
    ("processor",),
    "Time spent in the compiled segments.",
)
LOOP_SLICE_SECONDS: Final = Metric(
    "histogram",
    "penstock_loop_slice_seconds",
    (),
    "How long one slice of work held the event loop; answers of calls wait that long.",
    buckets=(0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 1.0),
)
BUILD_INFO: Final = Metric(
    "gauge", "penstock_build_info", ("version", "python"), "Always 1; the labels say what is running."
)
ENGINES_RUNNING: Final = Metric(
    "gauge", "penstock_supervisor_engines", ("state",), "Engine processes by state.",
    values={"state": ("ready", "not_ready", "waiting")},
)  # fmt: skip
ENGINE_RESTARTS: Final = Metric(
    "counter",
    "penstock_supervisor_engine_restarts_total",
    (),
    "Engine processes started again after they had ended.",
)
ENGINE_SILENCE: Final = Metric(
    "gauge",
    "penstock_supervisor_engine_silence_seconds",
    ("engine",),
    "Time since an engine process last reported. Its samples here are that old.",
)
LINES_REFUSED: Final = Metric(
    "counter",
    "penstock_supervisor_lines_refused_total",
    ("reason",),
    "Lines of engine processes that were no status, and samples in them that were no samples.",
    values={"reason": ("too_long", "not_a_status", "not_a_sample")},
)
