"""What the queries of the dashboards have in common."""

from __future__ import annotations

from typing import Final

from tests.chart.dashboard_parts import Panel, Variable

NAMESPACE: Final = Variable("namespace", "Namespace", "Where the workers run.", "penstock_build_info{}")
POOL: Final = Variable("pool", "Pool", "The pool of workers.", 'penstock_build_info{namespace=~"$namespace"}')
ANY_PROCESSOR: Final = Variable(
    "processor", "Processor", "Processors to show.", 'penstock_processor_state{namespace=~"$namespace"}'
)
ONE_PROCESSOR: Final = Variable(
    "processor", "Processor", "The processor to show.",
    'penstock_processor_state{namespace=~"$namespace",pool=~"$pool"}', multi=False,
)  # fmt: skip
FUNCTION: Final = Variable(
    "function", "Function", "Functions to show.", 'penstock_function_limit{namespace=~"$namespace"}'
)

# What each query of a page selects by.
IN: Final = 'namespace=~"$namespace",pool=~"$pool"'
ANY: Final = f'{IN},processor=~"$processor"'
ONE: Final = f'{IN},processor="$processor"'
CALLED: Final = 'namespace=~"$namespace",function=~"$function"'


def rate(metric: str, chosen: str, by: str = "processor") -> str:
    """A counter a second."""
    return f"sum by ({by}) (rate({metric}{{{chosen}}}[$__rate_interval]))"


def increase(metric: str, chosen: str, by: str = "processor") -> str:
    """What a counter grew by."""
    return f"sum by ({by}) (increase({metric}{{{chosen}}}[$__rate_interval]))"


def total(metric: str, chosen: str, by: str = "processor") -> str:
    """A gauge, added up."""
    return f"sum by ({by}) ({metric}{{{chosen}}})"


def most(metric: str, chosen: str, by: str = "processor") -> str:
    """The largest of a gauge."""
    return f"max by ({by}) ({metric}{{{chosen}}})"


def quantile(part: float, metric: str, chosen: str, by: str) -> str:
    """A quantile of a histogram."""
    buckets = f"sum by (le, {by}) (rate({metric}_bucket{{{chosen}}}[$__rate_interval]))"
    return f"histogram_quantile({part}, {buckets})"


def quantiles(metric: str, chosen: str, by: str, legend: str) -> tuple[tuple[str, str], ...]:
    """50, 95 and 99% of a histogram, as queries."""
    return tuple(
        (quantile(part, metric, chosen, by), f"{legend} {int(part * 100)}%".strip())
        for part in (0.5, 0.95, 0.99)
    )


def stat(title: str, description: str, unit: str, query: str, red_from: float | None = None) -> Panel:
    """One number."""
    return Panel(title, description, unit, ((query, ""),), "stat", width=4, red_from=red_from)


def line(title: str, description: str, unit: str, query: str, legend: str, *, stacked: bool = False) -> Panel:
    return Panel(title, description, unit, ((query, legend),), stacked=stacked)
