"""`gates look | migrations | health | metrics | upstream`: what only the host can try on the standby container.

Owns: one fact for each verb, found or refused with what was expected. Deliberately does not: touch the gateway that
serves, or decide what a gate means (`verify` does). The container of `upstream` is removed whatever happens.
"""

from __future__ import annotations

import http.client
import re
from collections.abc import Sequence
from typing import Any

from hostctl.core.documents import Document
from hostctl.core.errors import Refusal
from hostctl.docker import containers, redacted_logs
from hostctl.docker.engine import Engine
from hostctl.host import port_holder
from hostctl.mcp import initialize

LOG_LINES = 20
TABLES = ("audit_log", "_sqlx_migrations")
UPSTREAM_CONTAINER = "sentinel-cutover-upstream"
_HEALTHY = re.compile(r'^sentinel_backend_healthy\{[^}]*\bbackend="([^"]+)"[^}]*\} ([0-9.]+)', re.MULTILINE)


def inspect(document: Document) -> dict[str, Any]:
    """Where the standby container can be asked, who has the port, and the container's last lines, masked."""
    engine, port = Engine(document.text("docker_socket")), document.whole_number("port")
    holder = port_holder.find(containers.everything(engine), port, document.text("gateway", ""))
    container = containers.find(engine, document.text("container"), containers.internal_networks(engine))
    if container is None:
        gone: dict[str, Any] = {
            "name": document.text("container")[:12],
            "running": False,
            "address": "",
            "serves": False,
        }
        seen = {"inside_port": port, "active": holder.kind, "holder": holder.name, "log": "(the container is gone)"}
        return {**gone, **seen}
    return {
        "name": container.name,
        "running": container.running,
        "address": container.address_on(document.text("internal")),
        "inside_port": container.inside_port(port) or port,
        "serves": container.publishes(port),
        "active": holder.kind,
        "holder": holder.name,
        "log": redacted_logs.log_tail(engine, container.id, LOG_LINES),
    }


def migrations(document: Document) -> dict[str, Any]:
    """The gateway's tables are there, asked by psql inside the database's own container."""
    engine, name, limit = Engine(document.text("docker_socket")), document.text("postgres"), document.seconds("seconds")
    container = containers.find(engine, name, {})
    if container is None or not container.running:
        raise Refusal(f"the database's container {name} does not run: start it ('docker start {name}'), then run again")
    if container.paused:
        raise Refusal(f"the database's container {name} is paused: 'docker unpause {name}', then run again")
    asked = " || ' ' || ".join(f"(to_regclass('public.{table}') is not null)" for table in TABLES)
    words = ["psql", "-qtAX", "-h", "/var/run/postgresql", "-U", document.text("user"), "-d", document.text("database")]
    code, said = engine.inside(container.id, [*words, "-c", f"select {asked}"], limit)
    if code:
        raise Refusal(f"the database in {name} does not answer: {redacted_logs.masked(_line(said))}")
    missing = [table for table, there in zip(TABLES, said.split()) if there != "true"]
    if missing:
        raise Refusal(f"the database {document.text('database')} has no table {' and no table '.join(missing)}")
    return {"tables": list(TABLES)}


def health(document: Document) -> dict[str, Any]:
    """/health answers 200 on the standby container, asked from the host at its address on the internal network."""
    status, _ = _get(document, "/health", "")
    if status != http.client.OK:
        raise Refusal(f"/health answers {status}")
    return {"status": status}


def metrics(document: Document) -> dict[str, Any]:
    """{"backends": {name: healthy}} by /metrics; empty where the gateway has none."""
    file = document.text("health_token_file", "")
    status, text = _get(document, "/metrics", initialize.token_in(file) if file else "")
    if status == http.client.NOT_FOUND:
        return {"backends": {}}
    if status != http.client.OK:
        raise Refusal(f"/metrics answers {status}")
    return {"backends": {name: float(value) == 1 for name, value in _HEALTHY.findall(text)}}


def upstream(document: Document) -> dict[str, Any]:
    """{"unreachable": {host: reason}}: a TCP connection to each host, from a one-shot container on the edge network."""
    engine, limit = Engine(document.text("docker_socket")), document.seconds("seconds")
    hosts = document.texts("hosts")
    if not hosts:
        return {"unreachable": {}}
    container = containers.find(engine, document.text("container"), {})
    if container is None:
        raise Refusal(f"the container {document.text('container')[:12]} does not exist: create it, then run again")
    addresses = {_address(host): host for host in hosts}
    said = _once(engine, container.image, document, ["curl", *_curl(list(addresses), limit)], limit)
    connected = {line.split()[0].rstrip("/") for line in said.splitlines() if _opened(line)}
    reasons = {line.split()[0].rstrip("/"): " ".join(line.split()[2:]) for line in said.splitlines() if line.count(" ")}
    return {
        "unreachable": {
            host: reasons.get(address, "") or _line(said) or "no connection"
            for address, host in addresses.items()
            if address not in connected
        }
    }


def _curl(addresses: Sequence[str], limit: float) -> list[str]:
    """One connection each, side by side; what the other end answers does not matter, that it lets us in does."""
    ways = [word for address in addresses for word in ("-o", "/dev/null", f"{address}/")]
    told = "%{url_effective} %{time_connect} %{errormsg}\\n"
    return ["-sZ", "--noproxy", "*", "--connect-timeout", f"{limit:.0f}", "-m", f"{limit + 2:.0f}", "-w", told, *ways]


def _address(host: str) -> str:
    """`host`, `host:port` or a bare IPv6 address, as curl takes it; port 443 where none is given."""
    if host.count(":") > 1:
        return f"http://[{host}]:443"
    return f"http://{host}" if ":" in host else f"http://{host}:443"


def _opened(line: str) -> bool:
    words = line.split()
    return len(words) > 1 and words[1].replace(".", "", 1).isdigit() and float(words[1]) > 0


def _once(engine: Engine, image: str, document: Document, words: Sequence[str], limit: float) -> str:
    """What a container of its own says that runs these words and is gone afterwards."""
    engine.delete(f"/containers/{UPSTREAM_CONTAINER}?force=1")
    made = engine.post(
        f"/containers/create?name={UPSTREAM_CONTAINER}",
        {
            "Image": image,
            "Entrypoint": [words[0]],
            "Cmd": list(words[1:]),
            "User": document.text("user"),
            "Healthcheck": {"Test": ["NONE"]},
            "Labels": {"sentinel-cutover": "true", "sentinel-cutover.role": "upstream-gate"},
            "HostConfig": {
                "NetworkMode": document.text("edge"),
                "ReadonlyRootfs": True,
                "CapDrop": ["ALL"],
                "SecurityOpt": ["no-new-privileges:true"],
                "Memory": 64 * 1024 * 1024,
                "MemorySwap": 64 * 1024 * 1024,
            },
        },
    )["Id"]
    try:
        engine.post(f"/containers/{made}/start")
        engine.post(f"/containers/{made}/wait", seconds=limit + 30)
        return engine.log_tail(made, 200)
    finally:
        engine.delete(f"/containers/{made}?force=1")


def _standby(engine: Engine, document: Document) -> containers.Container:
    reference = document.text("container")
    container = containers.find(engine, reference, containers.internal_networks(engine))
    if container is None:
        raise Refusal(f"the container {reference[:12]} does not exist: create it, then run again")
    return container


def _get(document: Document, path: str, token: str) -> tuple[int, str]:
    address = _standby(Engine(document.text("docker_socket")), document).address_on(document.text("internal"))
    if not address:
        raise Refusal(f"it is not on the network {document.text('internal')}, where it could be asked")
    headers = {"Authorization": f"Bearer {token}"} if token else {}
    port, seconds = document.whole_number("health_port"), document.seconds("seconds")
    connection = http.client.HTTPConnection(address, port, timeout=seconds)
    try:
        connection.request("GET", path, headers=headers)
        answer = connection.getresponse()
        return answer.status, answer.read(1 << 22).decode("utf-8", "replace")
    except (OSError, http.client.HTTPException) as error:
        reason = getattr(error, "strerror", None) or type(error).__name__
        raise Refusal(f"{path} gives no answer ({reason})") from None
    finally:
        connection.close()


def _line(text: str) -> str:
    return " ".join(text.split())[:300]
