"""The settings' limits as the bridge reads them from its own file."""

from __future__ import annotations

import json
import tomllib
from pathlib import Path
from typing import Any

import pytest

from bridge import configuration as bridge
from components.sentinel.configuration import bridge_json, sentinel_tomls
from components.sentinel.stdio_servers import stdio_servers
from settings import load
from settings.model import SECRET_KEYS
from tests.unit.components.registration import register
from tests.unit.settings.cases import SQLITE, THINKING, configuration

AWAY: dict[str, Any] = {**SQLITE, "upstream_hosts": ["example.com"]}


def read_by_the_bridge(folder: Path, **changes: Any) -> bridge.Settings:
    settings = load(configuration(**changes), SECRET_KEYS)
    file = folder / "bridge.json"
    file.write_text(bridge_json(settings.sentinel, settings.backends, ["JWT_SECRET_KEY"], stdio_servers(settings)))
    return bridge.load(file)


SLOW: dict[str, Any] = {**THINKING, "name": "browser", "tool": "navigate", "timeout_seconds": 60}


def test_a_stop_waits_as_long_as_the_longest_call_may_take(tmp_path: Path) -> None:
    assert read_by_the_bridge(tmp_path).stop_seconds == 30 + 15
    repeated = {**SLOW, "idempotent": True}
    read = read_by_the_bridge(tmp_path, backends=[SQLITE, repeated])
    assert read.stop_seconds == read.gateways["slow"].backends["browser"] == 4 * 60 + 15
    container = register({"backends": json.dumps([SQLITE, repeated])}).named("sentinel-gateway").inputs
    assert container["stopTimeout"] == container["destroyGraceSeconds"] == 4 * 60 + 15 + 20


def test_each_backend_has_a_limit_and_a_process_of_its_own_or_by_its_description(tmp_path: Path) -> None:
    named: dict[str, Any] = {**SLOW, "name": "own", "process": "alone"}
    read = read_by_the_bridge(
        tmp_path, backends=[AWAY, SLOW, named, {**THINKING, "process": "slow"}, {**THINKING, "name": "x"}]
    )
    assert {name: dict(one.backends) for name, one in read.gateways.items()} == {
        "main": {"x": 45},
        "slow": {"sqlite": 45, "browser": 75, "sequential-thinking": 45},
        "alone": {"own": 75},
    }
    assert list(read.gateways) == ["main", "slow", "alone"]


def test_each_process_has_a_toml_with_its_backends_and_a_health_address_of_its_own(tmp_path: Path) -> None:
    settings = load(configuration(backends=[SQLITE, SLOW], sentinel__health_port="9203"), SECRET_KEYS)
    tomls = sentinel_tomls(settings.sentinel, settings.backends, stdio_servers(settings))
    read = read_by_the_bridge(tmp_path, backends=[SQLITE, SLOW], sentinel__health_port="9203")
    addresses: set[tuple[str, int]] = {read.http_backends_listen}
    for name, backend in (("main", "sqlite"), ("slow", "browser")):
        toml, gateway = tomllib.loads(tomls[f"sentinel-{name}.toml"]), read.gateways[name]
        assert gateway.command == ("sentinel-gateway", "--config", f"/etc/sentinel/sentinel-{name}.toml")
        assert [one["name"] for one in toml["backends"]] == [backend]
        assert gateway.health is not None
        assert toml["gateway"]["health_listen"] == f"{gateway.health[0]}:{gateway.health[1]}"
        addresses.add(gateway.health)
    assert read.health == ("0.0.0.0", 9203)
    assert addresses == {("127.0.0.1", port) for port in (9202, 9204, 9205)}


def test_without_the_bridge_one_process_has_every_backend() -> None:
    settings = load(configuration(sentinel__serve="native", backends=[SQLITE, SLOW]), SECRET_KEYS)
    (toml,) = sentinel_tomls(settings.sentinel, settings.backends, ()).items()
    assert toml[0] == "sentinel.toml"
    read = tomllib.loads(toml[1])
    assert len(read["backends"]) == 2 and read["gateway"]["health_listen"] == "0.0.0.0:9201"


def test_the_containers_memory_grows_with_each_process() -> None:
    memory = [
        register({"backends": json.dumps(backends)}).named("sentinel-gateway").inputs["memory"]
        for backends in ([SQLITE, THINKING], [SQLITE, SLOW])
    ]
    assert memory == [1024, 1024 + 31]


@pytest.mark.parametrize(
    ("backends", "given", "waits", "starts"),
    [
        ([SQLITE, THINKING], "180", "60", 120),
        ([SQLITE, THINKING], "240", "90", 150),
        ([SQLITE], "63", "60", 3),
        ([AWAY, THINKING], "180", "60", 180),
        ([THINKING], "45", "60", 45),
    ],
    ids=["defaults", "longer", "shortest", "nothing-it-waits-for", "stdio-alone"],
)
def test_waiting_for_backends_and_the_start_together_take_the_time_that_the_container_has(
    tmp_path: Path, backends: list[dict[str, Any]], given: str, waits: str, starts: float
) -> None:
    limits = {
        "sentinel__start_seconds": given,
        "sentinel__backends_seconds": waits,
        "sentinel__health_interval_seconds": "1",
    }
    read = read_by_the_bridge(tmp_path, backends=backends, **limits)
    assert read.start_seconds == starts
    waited_for = any(backend.waited_for for backend in read.http_backends.values())
    assert read.start_seconds + (read.http_backends_seconds if waited_for else 0) == float(given)


def test_a_stdio_backend_is_the_launcher_in_the_toml_and_its_program_in_the_bridges_file(tmp_path: Path) -> None:
    keyed: dict[str, Any] = {**THINKING, "environment": {"MODE": "x"}, "environment_secrets": {"KEY": "exa_api_key"}}
    second: dict[str, Any] = {**THINKING, "name": "second"}
    settings = load(configuration(backends=[keyed, second], exa_api_key="e" * 32), [*SECRET_KEYS])
    servers = stdio_servers(settings)
    toml = tomllib.loads(sentinel_tomls(settings.sentinel, settings.backends, servers)["sentinel-main.toml"])
    for backend in toml["backends"]:
        assert backend["command"] == "/usr/local/bin/sentinel-launcher"
        assert backend["args"][0] == backend["name"]
        assert "env" not in backend
    file = tmp_path / "bridge.json"
    file.write_text(bridge_json(settings.sentinel, settings.backends, ["JWT_SECRET_KEY"], servers))
    read = bridge.load(file)
    assert {str(read.launcher_socket)} == {backend["args"][1] for backend in toml["backends"]}
    first, other = read.stdio_servers.values()
    assert (first.command, first.environment) == (THINKING["command"], {"MODE": "x"})
    assert {name: str(path) for name, path in first.secret_files.items()} == {
        "KEY": f"/run/secrets/{THINKING['name']}.KEY"
    }
    assert other.secret_files == {}
    assert len({read.user, first.user, other.user, 0}) == 4
