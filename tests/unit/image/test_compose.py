"""compose.yaml: what can be said of it without Docker. Files, commands, addresses and times fit together."""

from __future__ import annotations

import ast
import importlib
import re
from typing import Any

import pytest
import typer
from click import Context
from ruamel.yaml import YAML

from tests.arch.sources import ROOT
from workers.cli.application import app
from workers.local.kafka_settings import KafkaSettings, Ports, broker_properties
from workers.settings import EngineSettings

COMPOSE: dict[str, Any] = YAML(typ="safe").load(ROOT / "compose.yaml")
SERVICES: dict[str, dict[str, Any]] = COMPOSE["services"]
OURS = {name: service for name, service in SERVICES.items() if "build" in service}


def loaded(name: str) -> Any:
    """One of the files that services are given."""
    return YAML(typ="safe").load(ROOT / "compose" / name)


def options_of(command: list[str]) -> set[str]:
    """The options that this command of `penstock` knows."""
    found: Any = typer.main.get_command(app)
    rest = command
    while hasattr(found, "resolve_command"):
        _, found, rest = found.resolve_command(Context(found), rest)
    return {option for parameter in found.params for option in parameter.opts}


def value_of(command: list[str], option: str) -> str:
    """What follows an option."""
    return command[command.index(option) + 1]


@pytest.mark.parametrize("name", [name for name in OURS if name != "orders"])
def test_a_service_runs_a_command_that_there_is(name: str) -> None:
    """With options that it has."""
    command = OURS[name]["command"]
    assert {word for word in command if word.startswith("--")} - options_of(command) == set()


def test_the_sample_service_runs_what_there_is() -> None:
    """Its line of Python compiles, and what it imports is there."""
    (code,) = OURS["orders"]["command"]
    imports = [node for node in ast.walk(ast.parse(code)) if isinstance(node, ast.ImportFrom)]
    named = [(node.module, alias.name) for node in imports for alias in node.names]
    assert named != []
    assert [pair for pair in named if not hasattr(importlib.import_module(str(pair[0])), pair[1])] == []


@pytest.mark.parametrize("name", SERVICES)
def test_what_is_mounted_is_there(name: str) -> None:
    """Docker would make an empty folder of a path that is wrong."""
    mounted = [volume.split(":")[0] for volume in SERVICES[name].get("volumes", ())]
    files = [path for path in mounted if path.startswith("./")]
    assert [path for path in files if not (ROOT / path).exists()] == []
    assert set(mounted) - set(files) <= set(COMPOSE["volumes"])


@pytest.mark.parametrize("name", OURS)
def test_ours_run_as_in_the_chart(name: str) -> None:
    """Read-only, without capabilities; time to drain before they are killed."""
    service = OURS[name]
    assert (service["read_only"], service["cap_drop"]) == (True, ["ALL"])
    assert service["security_opt"] == ["no-new-privileges:true"]
    if service["command"][0] in ("worker", "functions"):
        assert (
            float(service["stop_grace_period"].removesuffix("s"))
            >= EngineSettings().drain_timeout_seconds + 5
        )


def test_variables_of_the_app_folder_are_set() -> None:
    """Every ${NAME} of the example's connections, for who loads them."""
    text = (ROOT / "examples" / "orders" / "connections.yaml").read_text(encoding="utf-8")
    wanted = set(re.findall(r"\$\{([A-Z_]+)", re.sub(r"(?m)^#.*", "", text)))
    for name in ("worker", "topics"):
        assert wanted - set(OURS[name]["environment"]) == set()
    accounts = (ROOT / "compose" / "authentication.yaml").read_text(encoding="utf-8")
    assert set(re.findall(r"\$\{([A-Z_]+)", accounts)) == set(OURS["functions"]["environment"])
    keys = loaded("authentication.yaml")["accessKeys"]
    assert list(keys) == [OURS["worker"]["environment"]["FUNCTIONS_ACCESS_KEY_ID"]]


def test_addresses_lead_to_services() -> None:
    """Host and port of each are another service's; a broker tells its clients the same address."""
    variables = OURS["worker"]["environment"]
    host, port = variables["FUNCTIONS_ENDPOINT"].removeprefix("http://").split(":")
    assert value_of(OURS[host]["command"], "--port") == port
    kafka = SERVICES["kafka"]["environment"]
    assert f"INSIDE://{variables['KAFKA_BOOTSTRAP']}" in kafka["KAFKA_ADVERTISED_LISTENERS"]
    assert variables["KAFKA_BOOTSTRAP"] in OURS["orders"]["command"][0]


def test_probes_and_prometheus_ask_where_metrics_are() -> None:
    """One port each for workers and host."""
    jobs = {job["job_name"]: job["dns_sd_configs"][0] for job in loaded("prometheus.yaml")["scrape_configs"]}
    for job, service in (("penstock", "worker"), ("penstock-functions", "functions")):
        port = value_of(OURS[service]["command"], "--metrics-port")
        assert (jobs[job]["names"], str(jobs[job]["port"])) == ([service], port)
        assert f":{port}/" in OURS[service]["healthcheck"]["test"][-1]


def test_grafana_finds_the_charts_dashboards() -> None:
    """Where its provider looks they are mounted, and its home page is one of them."""
    mounted = dict(volume.split(":")[:2][::-1] for volume in SERVICES["grafana"]["volumes"])
    (provider,) = loaded("grafana-dashboards.yaml")["providers"]
    folder = ROOT / mounted[provider["options"]["path"]]
    home = SERVICES["grafana"]["environment"]["GF_DASHBOARDS_DEFAULT_HOME_DASHBOARD_PATH"]
    assert (folder / home.rpartition("/")[2]).is_file()
    (source,) = loaded("grafana-datasource.yaml")["datasources"]
    assert source["url"].removeprefix("http://").split(":")[0] in SERVICES


def test_prometheus_reads_the_charts_alerts() -> None:
    """The file that it is told to read is mounted there."""
    mounted = [volume.split(":") for volume in SERVICES["prometheus"]["volumes"]]
    assert [
        "./helm/penstock/files/alerts.yaml", loaded("prometheus.yaml")["rule_files"][0], "ro"
    ] in mounted  # fmt: skip


def test_kafka_is_set_as_the_embedded_one() -> None:
    """What compose.yaml says of it: sizes and the groups' times."""
    properties = broker_properties(KafkaSettings(), Ports(1, 2), ROOT, None)
    kafka = SERVICES["kafka"]["environment"]
    for name in (
        "group.consumer.session.timeout.ms", "group.consumer.heartbeat.interval.ms", "message.max.bytes",
        "group.initial.rebalance.delay.ms",
    ):  # fmt: skip
        assert kafka["KAFKA_" + name.upper().replace(".", "_")] == properties[name]
