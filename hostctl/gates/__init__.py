"""`gates inspect | migrations | health | metrics | upstream`: checks of the standby container that need the host.

Deliberately does not: touch the gateway that serves, or judge a gate (`verify` does).
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
from hostctl.docker.containers import Container
from hostctl.docker.engine import Engine
from hostctl.docker.one_shot import ALL_LINES, OneShot
from hostctl.host import port_holder
from hostctl.mcp.client import bearer, token_in
from hostctl.postgres.psql import NO_DATABASE, Database, DatabaseRequest

LOG_LINES = 20
TABLES = ("audit_log", "_sqlx_migrations")
_HEALTHY = re.compile(r'^sentinel_backend_healthy\{[^}]*\bbackend="([^"]+)"[^}]*\} ([0-9.]+)', re.MULTILINE)


@dataclass(frozen=True)
class StandbyRequest:
    """The standby container on its internal network, the port at stake, and the predecessor's `gateway`.

    `handover_folder` has the handover's journal. `database` is for `migrations`, and `hosts`, which the container's
    image must reach as `user` from the network `edge`, for `upstream`.
    """

    container: str
    internal: str
    port: int
    health_port: int
    seconds: float
    gateway: str = ""
    handover_folder: str = ""
    health_token_file: str = ""
    database: DatabaseRequest = NO_DATABASE
    edge: str = ""
    user: str = ""
    hosts: tuple[str, ...] = ()
    docker_socket: str = ""


def inspect(request: StandbyRequest) -> dict[str, Any]:
    """The standby container's address, the port's holder, and the container's last lines, masked.

    "rolled_back" is true where the last handover gave the port from this container to the predecessor.
    """
    engine, port = Engine(request.docker_socket), request.port
    holder = port_holder.find(containers.everything(engine), port, request.gateway)
    container = containers.find(engine, request.container, containers.internal_networks(engine))
    gone = Container(id="", name=request.container[:12], running=False)
    found = container or gone
    return {
        "name": found.name,
        "running": found.running,
        "address": found.address_on(request.internal),
        "inside_port": found.inside_port(port) or port,
        "serves": found.publishes(port),
        "active": holder.kind,
        "holder": holder.name,
        "rolled_back": _rolled_back(request.handover_folder, found.name),
        "log": redacted_logs.log_tail(engine, found.id, LOG_LINES) if container else "(the container is gone)",
    }


def _rolled_back(folder: str, name: str) -> bool:
    # Here, since the package of the handover doubles the start of each of the other verbs.
    from hostctl.handover.journal import Journal

    last = Journal(folder).state() if folder else {}
    return last.get("active") == port_holder.CONTEXTFORGE and last.get("from") == name


def migrations(request: StandbyRequest) -> dict[str, Any]:
    """Query the gateway's tables, by psql inside the database's own container; raises Refusal without them."""
    present = " || ' ' || ".join(f"(to_regclass('public.{table}') is not null)" for table in TABLES)
    database = Database.connect(request.docker_socket, request.database)
    output = database.run([f"select {present};"], "reading the gateway's tables", request.seconds)
    missing = [table for table, exists in zip(TABLES, output.split()) if exists != "true"]
    if missing:
        raise Refusal(f"the database {request.database.name} has no table {' and no table '.join(missing)}")
    return {"tables": list(TABLES)}


def health(request: StandbyRequest) -> dict[str, Any]:
    """Require a 200 from /health on the standby container; raises Refusal."""
    answer = _get(request, "/health", "")
    if answer.status != http.client.OK:
        raise Refusal(f"/health answers {answer.status}")
    return {"status": answer.status}


def metrics(request: StandbyRequest) -> dict[str, Any]:
    """{"backends": {name: healthy}} from /metrics; empty where the gateway has none."""
    answer = _get(request, "/metrics", token_in(request.health_token_file) if request.health_token_file else "")
    if answer.status == http.client.NOT_FOUND:
        return {"backends": {}}
    if answer.status != http.client.OK:
        raise Refusal(f"/metrics answers {answer.status}")
    return {"backends": {name: float(value) == 1 for name, value in _HEALTHY.findall(answer.text)}}


def upstream(request: StandbyRequest) -> dict[str, Any]:
    """{"unreachable": {host: reason}}: a TCP connection to each host, from a one-shot container on the edge network."""
    if not request.hosts:
        return {"unreachable": {}}
    engine = Engine(request.docker_socket)
    container = containers.require(engine, request.container)
    addresses = {_address(host): host for host in request.hosts}
    argv = ("curl", *_curl(list(addresses), request.seconds))
    client = OneShot(container.image, argv, request.user, network=request.edge, memory_mb=64)
    _, output = one_shot.run(engine, client, request.seconds + 30, ALL_LINES)
    fields = [line.split() for line in output.splitlines() if len(line.split()) > 1]
    connected = {first.rstrip("/") for first, *others in fields if _opened(others)}
    reasons = {first.rstrip("/"): " ".join(others[1:]) for first, *others in fields}
    return {
        "unreachable": {
            host: reasons.get(address, "") or " ".join(output.split())[:300] or "no connection"
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


def _get(request: StandbyRequest, path: str, token: str) -> Answer:
    engine = Engine(request.docker_socket)
    container = containers.require(engine, request.container)
    address = container.address_on(request.internal)
    if not address:
        raise Refusal(f"{container.name} is not on the network {request.internal}, where the host reaches it")
    try:
        url = f"http://{address}:{request.health_port}{path}"
        return http_json.exchange("GET", url, None, bearer(token) if token else {}, seconds=request.seconds)
    except NoAnswer as error:
        raise Refusal(f"{path} gives no answer ({error.reason})") from None
