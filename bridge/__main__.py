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
import signal
import socket
import sys
from collections.abc import Generator, Mapping
from pathlib import Path

import uvicorn

from .backends import HttpBackends
from .calls import GatewayFailed, Message
from .configuration import Misconfigured, Settings, load, read_secret, read_signing_secret
from .endpoint import Endpoint
from .gateway import Gateway
from .guard import Guard
from .sessions import Sessions
from .tokens import Tokens

_LAST_ANSWERS_SECONDS = 1

_log = logging.getLogger("bridge")


class _Server(uvicorn.Server):
    @contextlib.contextmanager
    def capture_signals(self) -> Generator[None]:
        """The bridge handles signals: the gateway's end begins together with the server's, not after it."""
        yield


async def serve(settings: Settings) -> None:
    """Serve until SIGTERM or SIGINT; raises Misconfigured or GatewayFailed when it cannot start."""
    tokens = Tokens(read_signing_secret(settings.jwt.secret_file), settings.jwt.issuer, settings.jwt.audience)
    files = settings.gateway_environment_files

    def environment() -> Mapping[str, str]:
        secrets = {name: read_secret(file) for name, file in files.items()}
        return {**secrets, "SENTINEL_TOKEN": tokens.mint_for_gateway()}

    environment()
    backends = HttpBackends(settings.http_backends, settings.http_backends_seconds, settings.health)

    def broadcast(notification: Message) -> None:
        sessions.broadcast(notification)

    gateway = Gateway(settings.gateway, environment, settings.start_seconds, broadcast, backends.before_start)
    sessions = Sessions(settings.session_idle_seconds, gateway.cancel)
    guard = Guard(tokens, settings.allowed_hosts, settings.body_limit_bytes)
    endpoint = Endpoint(settings.path, guard, gateway, sessions)
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    loop.add_signal_handler(signal.SIGHUP, gateway.reload)
    starting = asyncio.create_task(gateway.start())
    stopping = asyncio.create_task(stop.wait())
    await asyncio.wait((starting, stopping), return_when=asyncio.FIRST_COMPLETED)
    if not stop.is_set():
        await starting
        renewals = asyncio.create_task(_renew_with_missing(backends, sessions, gateway, settings.stop_seconds))
        await _serve_until(stop, settings, endpoint, sessions, gateway)
        renewals.cancel()
    else:
        await gateway.stop(settings.stop_seconds)
        with contextlib.suppress(GatewayFailed):
            await starting
    stopping.cancel()


async def _renew_with_missing(
    backends: HttpBackends, sessions: Sessions, gateway: Gateway, stop_seconds: float
) -> None:
    """Renew the gateway once a backend that it was started without accepts connections, while no session is open."""
    while True:
        available = ", ".join(await backends.available())
        if not sessions.none_open.is_set():
            _log.warning("%s accepts connections now: the gateway restarts when no session is open", available)
            await sessions.none_open.wait()
        _log.info("the gateway restarts, with %s", available)
        await gateway.renew(stop_seconds)


async def _serve_until(
    stop: asyncio.Event, settings: Settings, endpoint: Endpoint, sessions: Sessions, gateway: Gateway
) -> None:
    try:
        listener = _listener(settings)
    except OSError as error:
        await gateway.stop(settings.stop_seconds)
        address = f"{settings.host}:{settings.port}"
        reason = os.strerror(error.errno or 0)
        raise Misconfigured(f"{address} cannot be listened on ({reason}): free it or change listen.") from error
    server = _Server(
        uvicorn.Config(
            endpoint,
            loop="asyncio",
            http="h11",
            ws="none",
            lifespan="off",
            log_config=None,
            access_log=False,
            server_header=False,
            timeout_graceful_shutdown=_LAST_ANSWERS_SECONDS,
        )
    )
    reaper = asyncio.create_task(sessions.end_idle())
    serving = asyncio.create_task(server.serve(sockets=[listener]))
    _log.info("MCP is served at %s:%d%s", settings.host, settings.port, settings.path)
    stopping = asyncio.create_task(stop.wait())
    await asyncio.wait((serving, stopping), return_when=asyncio.FIRST_COMPLETED)
    _log.info("stopping: the gateway's stdin is closed")
    for task in (reaper, stopping):
        task.cancel()
    sessions.end_streams()
    server.should_exit = True
    await asyncio.gather(serving, gateway.stop(settings.stop_seconds))


def _listener(settings: Settings) -> socket.socket:
    family = socket.AF_INET6 if ":" in settings.host else socket.AF_INET
    listener = socket.create_server((settings.host, settings.port), family=family, backlog=256)
    # Accepted sockets inherit it; asyncio sets it only on sockets whose protocol is given. Without it an answer's
    # body waits for the acknowledgement of its head: 40 ms a call (measured).
    listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return listener


def main() -> int:
    parser = argparse.ArgumentParser(prog="bridge", description="MCP over HTTP in front of the stdio gateway.")
    parser.add_argument("--config", type=Path, required=True)
    arguments = parser.parse_args()
    logging.basicConfig(level=logging.INFO, stream=sys.stderr, format="bridge %(levelname)s %(message)s")
    # uvicorn's own lines ("Started server process") say nothing that the bridge's do not.
    logging.getLogger("uvicorn").setLevel(logging.WARNING)
    try:
        asyncio.run(serve(load(arguments.config)))
    except (Misconfigured, GatewayFailed) as error:
        print(error, file=sys.stderr, flush=True)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
