"""For each alert: samples with which it fires, and samples near to them with which it does not.

Values are in promtool's notation, one a minute: `0+5x20` grows from 0 by 5 twenty times, `7x20` stays.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

ORDERS: Final = 'processor="orders"'
PRICE: Final = 'processor="orders",function="price"'


@dataclass(frozen=True, slots=True)
class Case:
    """`fires` and `quiet`: values by series. At minute `at` the alert fires with these labels, or does not;
    `not_before` is a minute in which it does not fire yet, because it has not lasted long enough."""

    alert: str
    at: int
    labels: Mapping[str, str]
    fires: Mapping[str, str]
    quiet: Mapping[str, str]
    not_before: int | None = None


def _calls(outcome: str) -> str:
    return f'penstock_calls_total{{{PRICE},outcome="{outcome}"}}'


def _settled(outcome: str) -> str:
    return f'penstock_records_total{{{ORDERS},outcome="{outcome}"}}'


def _lag(partition: int) -> str:
    return f'penstock_consumer_lag_records{{{ORDERS},topic="t",partition="{partition}"}}'


def _commits(ok: str, transactions: str) -> dict[str, str]:
    return {
        f'penstock_commits_total{{{ORDERS},result="ok"}}': ok,
        f'penstock_transactions_total{{{ORDERS},result="committed"}}': transactions,
    }


def _hold(state: str) -> str:
    return f'penstock_hold_state{{{PRICE},state="{state}"}}'


def _flow(name: str) -> str:
    return f'penstock_function_{name}{{connection="aws",function="price"}}'


def _hosted(outcome: str) -> str:
    return f'penstock_function_host_calls_total{{function="price",outcome="{outcome}"}}'


PROCESSOR: Final = {"processor": "orders"}
FUNCTION: Final = {"processor": "orders", "function": "price"}
POD: Final = {"pod": "w-0", "instance": "w-0:9464"}
ON_POD: Final = 'pod="w-0",instance="w-0:9464"'

CASES: Final = (
    Case(
        "PenstockProcessorFailed", 2, PROCESSOR,
        fires={f'penstock_processor_state{{{ORDERS},state="FAILED",pod="w-{n}"}}': f"{n}x9" for n in (0, 1)},
        quiet={f'penstock_processor_state{{{ORDERS},state="STARTED"}}': "1x9"},
    ),
    Case(
        "PenstockProcessorGone", 15, PROCESSOR, not_before=12,
        fires={f'penstock_processor_state{{{ORDERS},state="STARTED",pod="w-0"}}': "1x3"},
        # One of two pods is gone: somebody still runs it.
        quiet={
            f'penstock_processor_state{{{ORDERS},state="STARTED",pod="w-{n}"}}': f"1x{3 + n * 20}"
            for n in (0, 1)
        },
    ),
    Case(
        "PenstockLagGrowing", 30, PROCESSOR, not_before=15,
        fires={_lag(0): "0+90x40", _lag(1): "0+0x40"},
        # Large and falling: somebody catches up.
        quiet={_lag(0): "9000-90x40", _lag(1): "0+10x40"},
    ),
    Case(
        "PenstockFrontierStuck", 8, PROCESSOR, not_before=5,
        fires={f"penstock_oldest_open_seconds{{{ORDERS}}}": "0+60x20"},
        quiet={f"penstock_oldest_open_seconds{{{ORDERS}}}": "0 60 120 0 60 120 180 240 0 10 20"},
    ),
    Case(
        "PenstockNoCommits", 25, PROCESSOR, not_before=12,
        fires={_lag(0): "50x40", **_commits("0+1x5 5x35", "0x40")},
        # The transactions of exactly-once move offsets too.
        quiet={_lag(0): "50x40", **_commits("0x40", "0+1x40")},
    ),
    Case(
        "PenstockDeadLetterRate", 12, PROCESSOR, not_before=5,
        fires={_settled("emitted"): "0+980x20", _settled("dead_lettered"): "0+20x20"},
        quiet={_settled("emitted"): "0+1000x20", _settled("dead_lettered"): "0+9x20"},
    ),
    Case(
        "PenstockRecordsLost", 4, PROCESSOR,
        fires={f"penstock_records_lost_total{{{ORDERS}}}": "0 0 7 7 7 7"},
        quiet={f"penstock_records_lost_total{{{ORDERS}}}": "7 7 7 7 7 7"},
    ),
    Case(
        "PenstockProcessorRestarts", 9, PROCESSOR,
        fires={
            f"penstock_processor_restarts_total{{{ORDERS}}}": "0+0.5x20",
            f"penstock_consumers_replaced_total{{{ORDERS}}}": "0x20",
        },
        quiet={
            f"penstock_processor_restarts_total{{{ORDERS}}}": "0 1 1 1 1 1 1 1 1 1",
            f"penstock_consumers_replaced_total{{{ORDERS}}}": "0 0 0 1 1 1 1 1 1 1",
        },
    ),
    Case(
        "PenstockTransactionsFenced", 9, PROCESSOR,
        fires={f"penstock_transactions_fenced_total{{{ORDERS}}}": "0+1x20"},
        quiet={f"penstock_transactions_fenced_total{{{ORDERS}}}": "0 1 1 1 1 1 1 1 1 1"},
    ),
    Case(
        "PenstockHold", 4, FUNCTION, not_before=1,
        fires={
            _hold("held"): "0 1 1 0 1 0 1", _hold("probing"): "0 0 0 1 0 1 0", _hold("open"): "1 0 0 0 0 0 0",
        },
        quiet={_hold("held"): "0 1 0 0 0 0 0", _hold("probing"): "0x6", _hold("open"): "1 0 1 1 1 1 1"},
    ),
    Case(
        "PenstockHoldSpent", 3, FUNCTION,
        fires={_hold("held"): "1 1 0 0 0", _hold("spent"): "0 0 1 1 1"},
        quiet={_hold("held"): "1 1 1 1 1", _hold("spent"): "0 0 0 0 0"},
    ),
    Case(
        "PenstockFunctionErrors", 12, FUNCTION, not_before=5,
        fires={_calls("ok"): "0+90x20", _calls("timed_out"): "0+6x20", _calls("abandoned"): "0x20"},
        # Calls that a rebalance gave up say nothing about the function.
        quiet={_calls("ok"): "0+96x20", _calls("function_error"): "0+4x20", _calls("abandoned"): "0+50x20"},
    ),
    Case(
        "PenstockLimiterSaturated", 18, {"connection": "aws", "function": "price"}, not_before=14,
        # Some wait for the limit, or, where one call site alone makes it, for room under `parallelism`.
        fires={
            _flow("in_flight"): "64x20", _flow("limit"): "64x20", _flow("waiting"): "9x9 0x11",
            f"penstock_calls_waiting{{{PRICE}}}": "0x9 9x11",
        },
        # Full to the brim and nobody waits.
        quiet={
            _flow("in_flight"): "64x20", _flow("limit"): "64x20", _flow("waiting"): "0x20",
            f"penstock_calls_waiting{{{PRICE}}}": "0x20",
        },
    ),
    Case(
        "PenstockFunctionHostDown", 12, {},
        fires={"penstock_function_host_processes_limit": "64x3"},
        quiet={"penstock_function_host_processes_limit": "64x20"},
    ),
    Case(
        "PenstockFunctionHostRefuses", 12, {"function": "price"}, not_before=5,
        fires={_hosted("ok"): "0+98x20", _hosted("refused"): "0+2x20"},
        quiet={_hosted("ok"): "0+998x20", _hosted("refused"): "0+2x20"},
    ),
    Case(
        "PenstockFunctionDoesNotLoad", 3, {"function": "price"},
        fires={'penstock_function_host_load_failures_total{function="price"}': "0 0 1 1 1"},
        quiet={'penstock_function_host_load_failures_total{function="price"}': "1 1 1 1 1"},
    ),
    Case(
        "PenstockWorkerNotReady", 7, POD, not_before=4,
        fires={
            f'penstock_supervisor_engines{{{ON_POD},state="not_ready"}}': "0 1 1 1 0 0 0 0 0",
            f'penstock_supervisor_engines{{{ON_POD},state="waiting"}}': "0 0 0 0 1 1 1 1 1",
        },
        quiet={
            f'penstock_supervisor_engines{{{ON_POD},state="ready"}}': "2x9",
            f'penstock_supervisor_engines{{{ON_POD},state="not_ready"}}': "0 1 1 1 0 1 1 1 0",
        },
    ),
    Case(
        "PenstockEngineRestarts", 8, POD,
        fires={f"penstock_supervisor_engine_restarts_total{{{ON_POD}}}": "0 1 1 2 2 3 3 4 4"},
        quiet={f"penstock_supervisor_engine_restarts_total{{{ON_POD}}}": "5 5 6 6 6 6 6 6 6"},
    ),
    Case(
        "PenstockEngineSilent", 3, POD,
        fires={f'penstock_supervisor_engine_silence_seconds{{{ON_POD},engine="1"}}': "1 1 40 100 160"},
        quiet={f'penstock_supervisor_engine_silence_seconds{{{ON_POD},engine="1"}}': "1 1 4 12 2"},
    ),
)  # fmt: skip
