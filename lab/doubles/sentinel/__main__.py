"""The gateway's double as a program: `sentinel-gateway --config PATH`.

In the image: `PYTHONPATH=/opt/sentinel exec python3 -m lab.doubles.sentinel --config /etc/sentinel/sentinel.toml`,
with this folder at /opt/sentinel/lab/doubles/sentinel and `requirements.in` beside it installed (asyncpg, PyJWT; Python
3.11 to 3.13).

Owns: the order of the start (backends, token, database, 9201, then the client) and of the end (calls, backends, audit).
"""

from __future__ import annotations

import argparse
import asyncio
import os
import signal
import sys
from pathlib import Path

from . import configuration, health, session
from .audit import AuditLog
from .catalogue import Catalogue
from .gateway import Gateway
from .metrics import Metrics
from .problems import StartRefused


async def run(path: Path) -> None:
    settings = configuration.load(path)
    metrics = Metrics()
    catalogue = Catalogue(metrics)
    audit: AuditLog | None = None
    loop = asyncio.get_running_loop()
    loop.add_signal_handler(signal.SIGTERM, _say, "INFO SIGTERM received, waiting for stdin to close")
    try:
        await catalogue.discover(settings.backends)
        client = session.authenticate(settings, os.environ)
        if settings.audit_enabled:
            audit = AuditLog(_database_url(settings))
            await audit.start()
        health.serve(settings.health_listen, metrics, os.environ.get("HEALTH_TOKEN"))
        catalogue.watch()
        role = settings.roles.get(client.role, configuration.Role(frozenset(), frozenset()))
        gateway = Gateway(catalogue, metrics, audit, client, role, settings.limits)
        loop.add_signal_handler(signal.SIGHUP, _reload, gateway, path)
        _say(f"INFO serving {len(catalogue.tools())} tools over stdio")
        await gateway.serve()
    finally:
        await catalogue.close()
        if audit is not None:
            await audit.close()


def _database_url(settings: configuration.Configuration) -> str:
    url = os.environ.get(settings.database_variable)
    if not url:
        raise StartRefused(f"environment variable {settings.database_variable} is not set")
    return url


def _reload(gateway: Gateway, path: Path) -> None:
    """Takes kill switch and rate limits from the file; a file that cannot be used changes nothing."""
    _say("INFO SIGHUP received, reloading config")
    try:
        gateway.take(configuration.load(path).limits)
    except StartRefused as error:
        _say(f"ERROR Config reload failed, keeping previous config error={error}")
    else:
        _say("INFO Config reloaded successfully (kill_switch + rate_limits)")


def _say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


def main() -> int:
    parser = argparse.ArgumentParser(prog="sentinel-gateway", description="The lab's double of Sentinel Gateway.")
    parser.add_argument("--config", type=Path, required=True)
    arguments = parser.parse_args()
    try:
        asyncio.run(run(arguments.config))
    except StartRefused as error:
        # The real gateway adds a backtrace here; what reads its log must find the cause above one.
        _say(f"Error: {error}\n\nStack backtrace:\n   0: sentinel_gateway::main")
        return 1
    return 0


if __name__ == "__main__":
    # A thread that waits for a slow HTTP backend must not hold up the end.
    code = main()
    sys.stderr.flush()
    os._exit(code)
