"""Read-only verbs without a host: listeners, containers as declared, secrets out of a log, the baseline."""

from __future__ import annotations

import socket
from pathlib import Path
from typing import Any

import pytest

from hostctl import baseline
from hostctl.baseline import KeepRequest
from hostctl.core.errors import Refusal
from hostctl.docker import redacted_logs
from hostctl.host import loopback_only
from hostctl.verification import expected
from hostctl.verification.expected import ExpectedRequest

INSPECT: dict[str, Any] = {
    "Image": "sha256:1",
    "State": {"Running": True, "Paused": False},
    "Config": {
        "User": "10001:10001",
        "Env": ["HOME=/tmp", "OWN=of nobody", "PATH=/bin"],
        "Healthcheck": {
            "Test": ["CMD", "curl", "x"],
            "Interval": 2_000_000_000,
            "Timeout": 1_000_000_000,
            "Retries": 3,
            "StartPeriod": 180_000_000_000,
        },
    },
    "HostConfig": {
        "Memory": 64,
        "MemorySwap": 64,
        "ReadonlyRootfs": True,
        "CapDrop": ["ALL"],
        "CapAdd": ["CAP_CHOWN"],
        "SecurityOpt": ["no-new-privileges:true"],
        "RestartPolicy": {"Name": "unless-stopped"},
        "Init": True,
        "LogConfig": {"Type": "json-file", "Config": {"max-size": "10m", "max-file": "3"}},
        "Tmpfs": {"/tmp": "mode=1777"},
        "PortBindings": {"9200/tcp": [{"HostIp": "127.0.0.1", "HostPort": "9200"}]},
    },
    "Mounts": [
        {"Type": "bind", "Source": "/f/sentinel.toml", "Destination": "/etc/sentinel.toml", "RW": False},
        {"Type": "volume", "Name": "data", "Source": "/var/lib/docker/x", "Destination": "/data", "RW": True},
        {"Type": "tmpfs", "Destination": "/tmp", "RW": True},
    ],
    "NetworkSettings": {
        "Networks": {"sentinel-edge": {}, "sentinel": {}},
        "Ports": {"9200/tcp": [{"HostIp": "127.0.0.1", "HostPort": "9200"}], "9201/tcp": None},
    },
}
IMAGE = {"Config": {"Env": ["PATH=/bin", "HOME=/root"]}}
DECLARED: dict[str, Any] = {
    "name": "gateway",
    "image": "sha256:1",
    "running": True,
    "user": "10001:10001",
    "memory": 64,
    "memory_and_swap": 64,
    "read_only_root": True,
    "privileged": False,
    "capabilities_dropped": ["ALL"],
    "capabilities_added": ["CHOWN"],
    "security": ["no-new-privileges:true"],
    "restart": "unless-stopped",
    "init": True,
    "log": {"driver": "json-file", "max-size": "10m", "max-file": "3"},
    "variables": ["HOME", "OWN"],
    "tmpfs": {"/tmp": "mode=1777"},
    "health": {"command": ["curl", "x"], "interval": 2.0, "timeout": 1.0, "start_period": 180.0, "retries": 3},
    "mounts": ["/data <- data (read and write)", "/etc/sentinel.toml <- /f/sentinel.toml (read only)"],
    "declared_ports": ["127.0.0.1:9200:9200"],
    "published_ports": ["127.0.0.1:9200:9200"],
    "networks": ["sentinel", "sentinel-edge"],
}


class Engine:
    """A stand-in: it holds one inspect document, as `docker inspect` gives it, and that of its image."""

    def __init__(self, found: Any, image: Any = IMAGE) -> None:
        self._found = found
        self._image = image

    def find(self, path: str) -> Any:
        if path == "/images/sha256%3A1/json":
            return self._image
        assert path == "/containers/gateway/json"
        return self._found

    def get(self, path: str) -> list[Any]:
        assert path == "/containers/json?all=1"
        return []


def test_a_container_as_declared_differs_in_no_fact() -> None:
    assert set(DECLARED) == {"name", *expected.FACTS}
    assert expected.differences(Engine(INSPECT), DECLARED) == []  # type: ignore[arg-type]


@pytest.mark.parametrize("fact", [fact for fact in DECLARED if fact != "name"])
def test_each_different_fact_is_reported_with_both_values(fact: str) -> None:
    differences = expected.differences(Engine(INSPECT), {**DECLARED, fact: "other"})  # type: ignore[arg-type]
    assert len(differences) == 1
    assert differences[0].startswith(f"gateway: {fact} is ") and differences[0].endswith(", expected other")


def test_an_undeclared_variable_is_reported_by_its_name_alone() -> None:
    found = {**INSPECT, "Config": {**INSPECT["Config"], "Env": ["HOME=/", "OWN=1", "PATH=/", "TOKEN=a-secret-value"]}}
    differences = expected.differences(Engine(found), DECLARED)  # type: ignore[arg-type]
    assert differences == ['gateway: variables is ["HOME", "OWN", "TOKEN"], expected ["HOME", "OWN"]']


def test_an_image_that_is_gone_is_no_difference() -> None:
    assert expected.differences(Engine(INSPECT, None), DECLARED) == []  # type: ignore[arg-type]


def test_a_missing_container_is_reported() -> None:
    assert expected.differences(Engine(None), DECLARED) == ["gateway does not exist"]  # type: ignore[arg-type]


def test_declared_containers_are_kept_and_forgotten(tmp_path: Path) -> None:
    request = ExpectedRequest(str(tmp_path), (DECLARED,))
    assert expected.keep(request)["containers"] == ["gateway"]
    found = expected.check(Engine(INSPECT), str(tmp_path))  # type: ignore[arg-type]
    assert found == {"ok": True, "containers": ["gateway"], "differences": []}
    assert [expected.forget(request)["removed"] for _ in range(2)] == [True, False]
    assert expected.check(Engine(None), str(tmp_path))["ok"] is True  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("kernel", "address"),
    [
        ("0100007F", "127.0.0.1"),
        ("00000000", "0.0.0.0"),
        ("00000000000000000000000001000000", "::1"),
        ("0000000000000000FFFF00000100007F", "::ffff:127.0.0.1"),
    ],
)
def test_the_kernels_spelling_of_an_address_is_read(kernel: str, address: str) -> None:
    import ipaddress

    assert ipaddress.ip_address(loopback_only.address_of(kernel)) == ipaddress.ip_address(address)


@pytest.mark.parametrize(("address", "ok"), [("127.0.0.1", True), ("0.0.0.0", False)])
def test_a_listener_off_loopback_is_seen_by_the_sockets_and_by_connecting(address: str, ok: bool) -> None:
    with socket.create_server((address, 0)) as server:
        port = server.getsockname()[1]
        found = loopback_only.check([port])
    assert found["ok"] is ok
    others = [one for one, _ in loopback_only.other_addresses() if ":" not in one]
    assert found["listening"] == ([] if ok else [f"0.0.0.0 port {port}"])
    assert found["reachable"] == ([] if ok else [f"{one} port {port}" for one in others])


@pytest.mark.parametrize(
    ("line", "seen"),
    [
        ("token eyJhbGciOiJI.eyJzdWIi.c2ln end", "token [hidden] end"),
        ("Authorization: Bearer abcdefgh12345", "Authorization: Bearer [hidden]"),
        ("connecting to postgres://sentinel:pa55word@postgres:5432/x", "connecting to postgres://sentinel:[hidden]@postgres:5432/x"),
        ("key fc-0123456789 refused", "key [hidden] refused"),
        ("nothing to hide", "nothing to hide"),
    ],
)  # fmt: skip
def test_a_log_is_shown_without_its_secrets(line: str, seen: str) -> None:
    assert redacted_logs.masked(line, ["fc-0123456789", "to"]) == seen


def test_a_baseline_is_kept_whole_and_leaves_nothing_when_it_is_forgotten(tmp_path: Path) -> None:
    folder = tmp_path / "baseline"
    request = KeepRequest(str(folder), {"tools": [], "entry": "contextforge"})
    assert baseline.kept(str(folder)) is None
    assert [baseline.keep(request)["changed"] for _ in range(2)] == [True, False]
    assert baseline.kept(str(folder)) == {"tools": [], "entry": "contextforge"}
    assert [baseline.forget(request)["removed"] for _ in range(2)] == [True, False]
    assert not folder.exists()


def test_a_broken_baseline_is_refused_by_name(tmp_path: Path) -> None:
    (tmp_path / "baseline.json").write_text("{")
    with pytest.raises(Refusal, match=r"baseline.json is not JSON: remove it, and run again while ContextForge serves"):
        baseline.kept(str(tmp_path))
