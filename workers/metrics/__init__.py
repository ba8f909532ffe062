"""The one catalogue of metrics: data only. `workers/counting.py` counts, docs/metrics.md is printed.

Every sample of an engine process carries a `process` label by the time it is scraped: the supervisor adds it.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from workers.metrics import calls, flow, functions, processes, progress, records, schemas
from workers.metrics.calls import *  # noqa: F403
from workers.metrics.flow import *  # noqa: F403
from workers.metrics.functions import *  # noqa: F403
from workers.metrics.metric import *  # noqa: F403
from workers.metrics.metric import OTHER, Metric
from workers.metrics.processes import *  # noqa: F403
from workers.metrics.processes import BUILD_INFO
from workers.metrics.progress import *  # noqa: F403
from workers.metrics.records import *  # noqa: F403
from workers.metrics.schemas import *  # noqa: F403

ALL: Final = tuple(
    value
    for part in (records, calls, flow, schemas, progress, processes, functions)
    for value in vars(part).values()
    if isinstance(value, Metric)
)
SUPERVISOR: Final = tuple(m for m in ALL if m.name.startswith("penstock_supervisor_") or m is BUILD_INFO)
FUNCTION_HOST: Final = tuple(
    m for m in ALL if m.name.startswith("penstock_function_host_") or m is BUILD_INFO
)
ENGINE: Final = tuple(
    m for m in ALL if not m.name.startswith(("penstock_supervisor_", "penstock_function_host_"))
)


def as_markdown(catalogue: Iterable[Metric] = ALL) -> str:
    """The page docs/metrics.md: one table of all metrics."""
    lines = [
        "# Metrics",
        "",
        "Printed from `workers/metrics` by `python -m workers.metrics`; a test keeps the two in step.",
        "",
        "Samples of engine processes carry one more label, `process`: the number of the process, or",
        "`supervisor`. Each also shows `process_cpu_seconds_total`, `process_resident_memory_bytes` and",
        "the other metrics of prometheus-client's process collector. Those that begin with",
        "`penstock_function_host_` come from the function host (`--metrics-port`, or `/metrics` beside its",
        "API), all others from workers. A label whose values are not listed is",
        f"bounded: past the number of series in the last column its values become `{OTHER}`.",
        "",
        "| metric | kind | labels | meaning | series at most |",
        "|---|---|---|---|---|",
    ]
    for metric in catalogue:
        labels = ", ".join(
            f"`{label}` ({' / '.join(metric.values[label])})" if label in metric.values else f"`{label}`"
            for label in metric.labels
        )
        open_labels = [label for label in metric.labels[1:] if label not in metric.values]
        bound = f"{metric.max_series:,}" if open_labels else ""
        lines.append(f"| `{metric.name}` | {metric.kind} | {labels} | {metric.meaning} | {bound} |")
    return "\n".join(lines) + "\n"
