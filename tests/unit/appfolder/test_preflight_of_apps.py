"""From an app folder to what functions are asked for, and back to its call sites."""

from __future__ import annotations

from pathlib import Path

from tests.unit.appfolder.folders import write
from workers.appfolder import App, load_app
from workers.appfolder.preflight import functions_of, judged, lambda_connections, with_timeouts
from workers.calls.preflight import Configuration, Facts

PROCESSOR = """
pipeline:
  - $source: {connectionName: kafka, topic: orders}
  - $throttle: {messagesPerSec: 10}
  - $externalFunction: {connectionName: functions, functionName: score, as: a, parallelism: 8}
  - $externalFunction: {connectionName: functions, functionName: ship, as: b, timeout: 2s}
  - $externalFunction: {connectionName: quiet, functionName: log, execution: async}
  - $emit: {connectionName: kafka, topic: results}
"""
CONNECTIONS = """
kafka: {type: Kafka, bootstrapServers: "127.0.0.1:9092"}
functions: {type: AWSLambda, region: eu-central-1, endpointUrl: "http://127.0.0.1:9000", preflight: warn}
quiet: {type: AWSLambda, region: eu-central-1, endpointUrl: "http://127.0.0.1:9000", preflight: off}
unused: {type: AWSLambda, region: eu-central-1}
"""
KNOWN = Facts(configuration=Configuration(timeout_seconds=30, reserved=4))


def app_of(folder: Path) -> App:
    return load_app(write(folder, {"connections.yaml": CONNECTIONS, "processors/orders.yaml": PROCESSOR}), {})


def test_functions_are_asked_about_where_the_connection_says_so(tmp_path: Path) -> None:
    """`off` asks nothing, the command asks all; connections that nothing calls are left alone."""
    app = app_of(tmp_path)
    assert functions_of(app, app.processors) == {"functions": {"score", "ship"}}
    asked = functions_of(app, app.processors, all_of_them=True)
    assert asked == {"functions": {"score", "ship"}, "quiet": {"log"}}
    assert [one.name for one in lambda_connections(app, app.processors)] == ["functions", "quiet"]


def test_call_sites_last_as_long_as_their_functions(tmp_path: Path) -> None:
    """Without `timeout` the function's own and 5 s, or 900 s where it is not known; else as given; 60 s for
    an async call to be accepted."""
    (spec,) = app_of(tmp_path).processors
    assert [site.timeout_seconds for site in spec.program.calls] == [900.0, 2.0, 60.0]
    learnt = {("functions", "score"): KNOWN, ("functions", "ship"): KNOWN}
    timed = with_timeouts(spec, learnt)
    assert [site.timeout_seconds for site in timed.program.calls] == [35.0, 2.0, 60.0]
    assert len(timed.program.call_sites) == len(spec.program.call_sites)


def test_misfits_come_with_place_and_connection(tmp_path: Path) -> None:
    """One for each call site that does not fit; functions that were not asked about have none."""
    (spec,) = app_of(tmp_path).processors
    found = judged(spec, {("functions", "score"): KNOWN, ("functions", "ship"): Facts()})
    assert [(connection, str(misfit)) for connection, misfit in found] == [
        (
            "functions",
            "processors/orders.yaml: pipeline[2].$externalFunction: parallelism 8 for a reserved concurrency "
            "of 4; a lower parallelism: calls above it are throttled",
        )
    ]
