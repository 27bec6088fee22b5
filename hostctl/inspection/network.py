"""n8n's address as the settings give it."""

from __future__ import annotations

from collections.abc import Iterator

from hostctl.core import http_json
from hostctl.core.documents import rows, table
from hostctl.docker.engine import Engine
from hostctl.inspection.finding import Finding
from hostctl.inspection.request import InspectRequest

ANSWER_SECONDS = 5.0
PORT = 5678


def n8n(request: InspectRequest, engine: Engine) -> Iterator[Finding]:
    """Something answers HTTP at n8n's address; the health watch is one of several, so silence is a note.

    The address of a container that publishes n8n's own port is part of the fix.
    """
    if not request.n8n:
        return
    try:
        http_json.exchange("GET", request.n8n, None, {}, seconds=ANSWER_SECONDS)
    except http_json.NoAnswer as error:
        published = _published(engine)
        fix = f"set health_watch.url to {published[0]}" if published else "correct health_watch.url, or start n8n"
        found = ", ".join(["", *(f"and a container publishes n8n's port at {address}" for address in published)])
        yield Finding("n8n", "note", f"{request.n8n} gives no answer ({error}){found}", fix)
    else:
        yield Finding("n8n", "ok", f"answers at {request.n8n}")


def _published(engine: Engine) -> list[str]:
    """The addresses at which running containers publish the port on which n8n listens by default."""
    ports = [table(port) for row in rows(engine.get("/containers/json")) for port in rows(table(row).get("Ports"))]
    own = [port for port in ports if port.get("PrivatePort") == PORT and port.get("PublicPort")]
    hosts = {f"http://{_reached(str(port.get('IP') or ''))}:{port['PublicPort']}" for port in own}
    return sorted(hosts)


def _reached(address: str) -> str:
    """The address at which the host itself reaches a port that is published there."""
    if address in ("", "0.0.0.0", "::"):
        return "127.0.0.1"
    return f"[{address}]" if ":" in address else address
