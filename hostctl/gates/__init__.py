"""`gates inspect | migrations | health | metrics | upstream`: checks of the standby container that need the host.

Owns: one fact for each verb, or a refusal that names the expectation. Deliberately does not: touch the gateway that
serves, or judge a gate (`verify` does). The container of `upstream` is removed whatever happens.
"""

from __future__ import annotations

import http.client
import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from hostctl.core import http_json
from hostctl.core.errors import Refusal
from hostctl.core.http_json import Answer, NoAnswer
from hostctl.docker import containers, one_shot, redacted_logs
from hostctl.docker.engine import Engine
from hostctl.docker.one_shot import ALL_LINES, OneShot
from hostctl.host import port_holder
from hostctl.mcp.client import bearer, token_in

LOG_LINES = 20
TABLES = ("audit_log", "_sqlx_migrations")
_HEALTHY = re.compile(r'^sentinel_backend_healthy\{[^}]*\bbackend="([^"]+)"[^}]*\} ([0-9.]+)', re.MULTILINE)


@dataclass(frozen=True)
class InspectRequest:
    """The standby container, its internal network, the port at stake, and the predecessor's `gateway`."""

    container: str
    internal: str
    port: int
    gateway: str = ""
    docker_socket: str = ""


@dataclass(frozen=True)
class MigrationsRequest:
    """The database's container, and the owner and name of its database."""

    postgres: str
    user: str
    database: str
    seconds: float
    docker_socket: str = ""


@dataclass(frozen=True)
class EndpointRequest:
    """The health port of the standby container, at its address on the internal network."""

    container: str
    internal: str
    health_port: int
    seconds: float
    health_token_file: str = ""
    docker_socket: str = ""


@dataclass(frozen=True)
class UpstreamRequest:
    """The hosts that the standby container's image must reach, as `user`, from the `edge` network."""

    container: str
    edge: str
    user: str
    seconds: float
    hosts: tuple[str, ...] = ()
    docker_socket: str = ""


def inspect(request: InspectRequest) -> dict[str, Any]:
    """The standby container's address, the port's holder, and the container's last lines, masked."""
    engine, port = Engine(request.docker_socket), request.port
    holder = port_holder.find(containers.everything(engine), port, request.gateway)
    container = containers.find(engine, request.container, containers.internal_networks(engine))
    if container is None:
        gone: dict[str, Any] = {
            "name": request.container[:12],
            "running": False,
            "address": "",
            "serves": False,
        }
        gone |= {"inside_port": port, "active": holder.kind, "holder": holder.name}
        return {**gone, "log": "(the container is gone)"}
    return {
        "name": container.name,
        "running": container.running,
        "address": container.address_on(request.internal),
        "inside_port": container.inside_port(port) or port,
        "serves": container.publishes(port),
        "active": holder.kind,
        "holder": holder.name,
        "log": redacted_logs.log_tail(engine, container.id, LOG_LINES),
    }


def migrations(request: MigrationsRequest) -> dict[str, Any]:
    """Query the gateway's tables, by psql inside the database's own container; raises Refusal without them."""
    engine, name = Engine(request.docker_socket), request.postgres
    container = containers.find(engine, name, {})
    if container is None or not container.running:
        raise Refusal(f"the database's container {name} does not run: start it ('docker start {name}'), then run again")
    if container.paused:
        raise Refusal(f"the database's container {name} is paused: 'docker unpause {name}', then run again")
    present = " || ' ' || ".join(f"(to_regclass('public.{table}') is not null)" for table in TABLES)
    psql = ["psql", "-qtAX", "-h", "/var/run/postgresql", "-U", request.user, "-d", request.database]
    code, output = engine.inside(container.id, [*psql, "-c", f"select {present}"], request.seconds)
    if code:
        raise Refusal(f"the database in {name} does not answer: {redacted_logs.masked(_line(output))}")
    missing = [table for table, exists in zip(TABLES, output.split()) if exists != "true"]
    if missing:
        raise Refusal(f"the database {request.database} has no table {' and no table '.join(missing)}")
    return {"tables": list(TABLES)}


def health(request: EndpointRequest) -> dict[str, Any]:
    """Require a 200 from /health on the standby container; raises Refusal."""
    answer = _get(request, "/health", "")
    if answer.status != http.client.OK:
        raise Refusal(f"/health answers {answer.status}")
    return {"status": answer.status}


def metrics(request: EndpointRequest) -> dict[str, Any]:
    """{"backends": {name: healthy}} from /metrics; empty where the gateway has none."""
    answer = _get(request, "/metrics", token_in(request.health_token_file) if request.health_token_file else "")
    if answer.status == http.client.NOT_FOUND:
        return {"backends": {}}
    if answer.status != http.client.OK:
        raise Refusal(f"/metrics answers {answer.status}")
    return {"backends": {name: float(value) == 1 for name, value in _HEALTHY.findall(answer.text)}}


def upstream(request: UpstreamRequest) -> dict[str, Any]:
    """{"unreachable": {host: reason}}: a TCP connection to each host, from a one-shot container on the edge network."""
    if not request.hosts:
        return {"unreachable": {}}
    engine = Engine(request.docker_socket)
    container = containers.find(engine, request.container, {})
    if container is None:
        raise Refusal(f"the container {request.container[:12]} does not exist: create it, then run again")
    addresses = {_address(host): host for host in request.hosts}
    argv = ("curl", *_curl(list(addresses), request.seconds))
    client = OneShot(container.image, argv, request.user, network=request.edge, memory_mb=64)
    _, output = one_shot.run(engine, client, request.seconds + 30, ALL_LINES)
    fields = [line.split() for line in output.splitlines() if len(line.split()) > 1]
    connected = {first.rstrip("/") for first, *others in fields if _opened(others)}
    reasons = {first.rstrip("/"): " ".join(others[1:]) for first, *others in fields}
    return {
        "unreachable": {
            host: reasons.get(address, "") or _line(output) or "no connection"
            for address, host in addresses.items()
            if address not in connected
        }
    }


def _curl(addresses: Sequence[str], limit: float) -> list[str]:
    """One connection each, side by side; an established one is enough, whatever the other end answers."""
    targets = [argument for address in addresses for argument in ("-o", "/dev/null", f"{address}/")]
    line = "%{url_effective} %{time_connect} %{errormsg}\\n"
    limits = ["--connect-timeout", f"{limit:.0f}", "-m", f"{limit + 2:.0f}"]
    return ["-sZ", "--noproxy", "*", *limits, "-w", line, *targets]


def _address(host: str) -> str:
    """`host`, `host:port` or a bare IPv6 address, as curl takes it; port 443 where none is given."""
    if host.count(":") > 1:
        return f"http://[{host}]:443"
    return f"http://{host}" if ":" in host else f"http://{host}:443"


def _opened(fields: Sequence[str]) -> bool:
    return bool(fields) and fields[0].replace(".", "", 1).isdigit() and float(fields[0]) > 0


def _get(request: EndpointRequest, path: str, token: str) -> Answer:
    engine = Engine(request.docker_socket)
    container = containers.find(engine, request.container, containers.internal_networks(engine))
    if container is None:
        raise Refusal(f"the container {request.container[:12]} does not exist: create it, then run again")
    address = container.address_on(request.internal)
    if not address:
        raise Refusal(f"{container.name} is not on the network {request.internal}, where the host reaches it")
    try:
        url = f"http://{address}:{request.health_port}{path}"
        return http_json.exchange("GET", url, None, bearer(token) if token else {}, seconds=request.seconds)
    except NoAnswer as error:
        raise Refusal(f"{path} gives no answer ({error.reason})") from None


def _line(text: str) -> str:
    return " ".join(text.split())[:300]
