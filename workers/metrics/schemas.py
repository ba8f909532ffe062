"""Metrics of schema registries."""

from __future__ import annotations

from typing import Final

from workers.metrics.metric import Metric

SCHEMA_REQUESTS: Final = Metric(
    "counter",
    "penstock_schema_requests_total",
    ("processor", "operation", "result"),
    "Questions to the schema registry. schema: which one an id names; subject: the id of a schema under its "
    "subject. answered: also with a no. away: no answer, asked again; denied: not let in, asked again.",
    values={"operation": ("schema", "subject"), "result": ("answered", "away", "denied")},
)
