"""The bridge as a program: `python -m bridge --config /etc/sentinel/bridge.json`.

In the image (bridge/Dockerfile): this folder at /opt/sentinel/sources/bridge, and what `requirements.in` names in
/opt/sentinel/packages (PyJWT, starlette, uvicorn; Python 3.11 to 3.13).

Owns: start, signals and end of the whole. It is a relay of our own over starlette and uvicorn, not the `mcp` SDK's
server: with Python 3.13 the SDK's server takes 71 MB after its imports and the real gateway 31 MB, more than the 100 MB
for both; starlette, uvicorn and PyJWT (without cryptography) take 32 MB. And a relay that does not model messages also
passes on unknown ones.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import logging
import os
import secrets
import signal
import socket
import sys
from collections.abc import AsyncGenerator, Mapping
from pathlib import Path

from .backend_health import BackendHealth
from .backends import KEY_VARIABLE, HttpBackends
from .calls import GatewayFailed
from .client_probe import ClientProbe
from .configuration import Misconfigured, Settings, load, read_secret, read_signing_secret
from .drain import Drain
from .endpoint import Endpoint
from .gateway import Common, Gateway
from .gateways import Gateways
from .guard import Guard
from .health import Health
from .measures import Measures
from .predecessor import Predecessor
from .serving import Server, listener, served
from .sessions import Sessions
from .stdio_backends import StdioBackends
from .tokens import Tokens
from .tool_names import LastMatch, ToolNames

_GATEWAYS_VARIABLES = ("PATH", "HOME", "LANG", "TZ")
"""The variables that a gateway gets beside its secrets: it would obey a proxy, and an empty HEALTH_TOKEN."""

_log = logging.getLogger("bridge")


async def serve(settings: Settings, supervisor: int | None = None) -> None:
    """Serve until SIGTERM or SIGINT; raises Misconfigured or GatewayFailed when it cannot start.

    `supervisor` is the descriptor of the supervisor's channel, without which there are no stdio servers.
    """
    if Path(".env").exists():
        raise Misconfigured(f"{Path.cwd()} has a .env, which the gateway would read: start in a folder without one.")
    stdio = StdioBackends(settings, socket.socket(fileno=supervisor)) if supervisor is not None else None
    if stdio is None and settings.stdio_servers:
        raise Misconfigured("stdio_servers need the supervisor: start `python -m bridge.supervisor` instead.")
    if stdio is not None:
        stdio.listen()
    try:
        await _serve(settings, stdio)
    finally:
        if stdio is not None:
            await stdio.stop()


async def _serve(settings: Settings, stdio: StdioBackends | None) -> None:
    tokens = Tokens(read_signing_secret(settings.jwt.secret_file), settings.jwt.issuer, settings.jwt.audience)
    files = settings.gateway_environment_files
    random_key = secrets.token_urlsafe(32)

    def environment() -> Mapping[str, str]:
        given = {name: read_secret(file) for name, file in files.items()}
        own = {name: os.environ[name] for name in _GATEWAYS_VARIABLES if name in os.environ}
        token = tokens.mint_for_gateway()
        adapter = {KEY_VARIABLE: random_key} if settings.http_backends else {}
        return {**own, "NO_COLOR": "1", **adapter, **given, "SENTINEL_TOKEN": token}

    key = environment().get(KEY_VARIABLE, random_key)
    limits = settings.http_backends_seconds, settings.answer_limit_bytes
    backends = HttpBackends(settings.http_backends, key, key == random_key, limits)
    sessions = Sessions(settings.session_idle_seconds)
    common = Common(
        environment,
        settings.start_seconds,
        settings.call_seconds,
        settings.queue_length,
        sessions.broadcast,
        backends.before_start,
        backends.cancel_calls,
        Measures(),
    )
    processes = [Gateway(one, common) for one in settings.gateways.values()]

    def backends_of(tool: str) -> list[str]:
        return [*backends.backends_of(tool), *(stdio.backends_of(tool) if stdio is not None else ())]

    predecessor = Predecessor(settings.predecessor_folder)

    reported: set[str] = set()
    match = LastMatch()

    def names() -> ToolNames:
        stdio_tools = {name: state.tools for name, state in stdio.states.items()} if stdio is not None else {}
        found = match.matched(predecessor.names, {**backends.tools, **stdio_tools})
        for name in found.shared.keys() - reported:
            _log.warning("%s could be any of %s and is offered for none", name, ", ".join(found.shared[name]))
        reported.update(found.shared)
        return found

    gateways = Gateways(processes, backends_of, names)
    guard = Guard(tokens, predecessor, settings.allowed_hosts, settings.body_limit_bytes, settings.body_seconds)
    drain = Drain(settings.drained_by, sessions)
    endpoint = Endpoint(settings.path, guard, gateways, sessions, predecessor, drain)
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    loop.add_signal_handler(signal.SIGHUP, gateways.reload)
    verdicts = BackendHealth([backends, *([stdio] if stdio is not None else [])], settings.probe_seconds)
    probe = ClientProbe(settings.host, settings.port, settings.path, tokens.mint_for_gateway)
    health = Health(processes, backends.awaited, verdicts, probe, lambda: common.measures.text() + predecessor.text())
    async with _adapter(settings, backends), _health(settings, health):
        starting = asyncio.create_task(gateways.start())
        stopping = asyncio.create_task(stop.wait())
        await asyncio.wait((starting, stopping), return_when=asyncio.FIRST_COMPLETED)
        if not stop.is_set():
            await starting
            renewals = asyncio.create_task(_renew_with_changed(settings, backends, sessions, gateways))
            verdicts.watch()
            server = Server(endpoint)
            drain.connections = server.server_state.connections
            await _serve_until(stop, settings, server, sessions, gateways, probe)
            verdicts.stop()
            renewals.cancel()
        else:
            await gateways.stop(settings.stop_seconds)
            with contextlib.suppress(GatewayFailed):
                await starting
        stopping.cancel()


@contextlib.asynccontextmanager
async def _adapter(settings: Settings, backends: HttpBackends) -> AsyncGenerator[None]:
    """The HTTP backends' endpoints for the gateways, on loopback."""
    if not settings.http_backends:
        yield
        return
    async with served(backends, settings.http_backends_listen):
        backends.watch()
        try:
            yield
        finally:
            backends.stop()


@contextlib.asynccontextmanager
async def _health(settings: Settings, health: Health) -> AsyncGenerator[None]:
    """The health address, from the first moment on."""
    if settings.health is None:
        yield
        return
    async with served(health, settings.health):
        yield
    health.close()


async def _renew_with_changed(
    settings: Settings, backends: HttpBackends, sessions: Sessions, gateways: Gateways
) -> None:
    """Renew the gateway once a backend has other tools than it was started with, when nobody has called for a while."""
    while True:
        changed = await backends.changed()
        names = ", ".join(changed)
        if sessions.quiet_seconds() < settings.quiet_seconds:
            _log.warning(
                "new tools of %s: after %g s without a call the gateway restarts", names, settings.quiet_seconds
            )
            while (left := settings.quiet_seconds - sessions.quiet_seconds()) > 0:
                await asyncio.sleep(min(left, 1))
        _log.info("the gateway restarts, with %s", names)
        await gateways.renew(changed, settings.stop_seconds)


async def _serve_until(
    stop: asyncio.Event,
    settings: Settings,
    server: Server,
    sessions: Sessions,
    gateways: Gateways,
    probe: ClientProbe,
) -> None:
    try:
        taken = listener((settings.host, settings.port))
    except Misconfigured:
        await gateways.stop(settings.stop_seconds)
        raise
    reaper = asyncio.create_task(sessions.end_idle())
    serving = asyncio.create_task(server.serve(sockets=[taken]))
    _log.info("MCP is served at %s:%d%s", settings.host, settings.port, settings.path)
    probing = asyncio.create_task(probe.watch())
    stopping = asyncio.create_task(stop.wait())
    await asyncio.wait((serving, stopping), return_when=asyncio.FIRST_COMPLETED)
    _log.info("stopping: the calls in work may end within %g s", settings.stop_seconds)
    for task in (reaper, probing, stopping):
        task.cancel()
    sessions.end_streams()
    # First the gateways, so that the calls in work are answered to their clients too.
    await gateways.stop(settings.stop_seconds)
    server.should_exit = True
    await serving


def main() -> int:
    parser = argparse.ArgumentParser(prog="bridge", description="MCP over HTTP in front of the stdio gateway.")
    parser.add_argument("--config", type=Path, required=True)
    parser.add_argument("--supervisor", type=int, help="descriptor that the supervisor passes")
    arguments = parser.parse_args()
    logging.basicConfig(level=logging.INFO, stream=sys.stderr, format="bridge %(levelname)s %(message)s")
    # uvicorn's own lines ("Started server process") say nothing that the bridge's do not.
    logging.getLogger("uvicorn").setLevel(logging.WARNING)
    try:
        asyncio.run(serve(load(arguments.config), arguments.supervisor))
    except (Misconfigured, GatewayFailed) as error:
        print(error, file=sys.stderr, flush=True)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
