"""The gateway's double as a program: `sentinel-gateway --config PATH`.

In the image: `PYTHONPATH=/opt/sentinel exec python3 -m lab.doubles.sentinel --config /etc/sentinel/sentinel.toml`,
with this folder at /opt/sentinel/lab/doubles/sentinel and `requirements.in` beside it installed (Python 3.11 to 3.13).

Owns: the order of the start (backends, token, database, 9201, then the client) and of the end (call, backends, audit),
and the signals: until the backends are discovered they have their default action.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import signal
import sys
from pathlib import Path
from typing import NoReturn

from . import configuration, health, log, session
from .audit import AuditLog
from .catalogue import Catalogue
from .gateway import Gateway
from .log import Log
from .metrics import Metrics
from .pipes import Input, Output
from .problems import StartRefused

_LOG = Log()


async def run(path: str, settings: configuration.Configuration) -> None:
    _LOG.info("Sentinel Gateway starting", listen=settings.listen, backends=len(settings.backends))
    catalogue, metrics, stopped = Catalogue(), Metrics(), asyncio.Event()
    await catalogue.discover(settings.backends, os.environ.get("BACKEND_SHARED_SECRET"))
    client = session.authenticate(settings, os.environ)
    audit = await _audit(settings)
    states = health.Health(list(catalogue.backends), metrics)
    role = settings.roles.get(client.role, configuration.Role())
    gateway = Gateway(catalogue, metrics, audit, client, role, settings.limits)

    loop = asyncio.get_running_loop()
    loop.add_signal_handler(signal.SIGHUP, _reload, gateway, path)
    loop.add_signal_handler(signal.SIGQUIT, lambda: None)
    server = health.serve(settings.health_listen, metrics, states, os.environ.get("HEALTH_TOKEN"))
    checks = asyncio.create_task(states.watch(catalogue.http()))

    def stop() -> None:
        if stopped.is_set():
            return
        stopped.set()
        catalogue.stop()
        checks.cancel()
        if server is not None:
            # In a thread: it waits for the server's own, which the loop must not.
            loop.run_in_executor(None, health.close, server)

    def heard(name: signal.Signals) -> None:
        _LOG.info(f"Received {name.name}")
        stop()

    for name in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(name, heard, name)
    stdin, stdout = Input(), Output()
    await gateway.serve(stdin, stdout, stopped)
    stdin.close()
    stop()
    await catalogue.stopped()
    if audit is not None:
        await audit.close()
    await stdout.close()
    await stdin.closed()
    _LOG.info("Shutdown complete")


async def _audit(settings: configuration.Configuration) -> AuditLog | None:
    if not settings.audit_enabled:
        _LOG.info("Audit logging disabled")
        return None
    url = os.environ.get(settings.database_variable)
    if not url:
        _LOG.warn("Postgres URL not set, audit logging disabled", env_var=settings.database_variable)
        return None
    if settings.max_connections == 0:
        print("thread 'main' panicked: capacity must be non-zero", file=sys.stderr, flush=True)
        os.abort()
    audit = AuditLog(url)
    await audit.start()
    _LOG.info("Audit logging enabled (Postgres)")
    return audit


def _reload(gateway: Gateway, path: str) -> None:
    """Takes kill switch and rate limits from the file; a file that cannot be used changes nothing."""
    _LOG.info("SIGHUP received, reloading config")
    try:
        gateway.take(configuration.load(path).limits)
    except StartRefused as error:
        _LOG.error("Config reload failed, keeping previous config", error=str(error).partition("\n")[0])
    else:
        _LOG.info("Config reloaded successfully (kill_switch + rate_limits)")


def _read_dotenv() -> None:
    """Fills what is unset from the nearest `.env` in the working folder and above it."""
    files = (folder / ".env" for folder in (Path.cwd(), *Path.cwd().parents))
    file = next((each for each in files if each.is_file()), None)
    for line in file.read_text().splitlines() if file else ():
        name, equals, value = line.strip().removeprefix("export ").partition("=")
        if equals and not name.startswith("#"):
            os.environ.setdefault(name.strip(), value.strip().strip("'\""))


class _Parser(argparse.ArgumentParser):
    def error(self, message: str) -> NoReturn:
        found = message.removeprefix("unrecognized arguments: ").split()[0]
        print(f"error: unexpected argument '{found}' found\n", file=sys.stderr)
        print("Usage: sentinel-gateway [OPTIONS]\n\nFor more information, try '--help'.", file=sys.stderr)
        sys.exit(2)


def main() -> int:
    for name in (signal.SIGINT, signal.SIGHUP, signal.SIGTERM):
        signal.signal(name, signal.SIG_DFL)
    _read_dotenv()
    parser = _Parser(prog="sentinel-gateway", description="The lab's double of Sentinel Gateway.")
    parser.add_argument("--config", default=os.environ.get("SENTINEL_CONFIG", "sentinel.toml"))
    parser.add_argument("--log-level", default=os.environ.get("LOG_LEVEL"))
    arguments = parser.parse_args()
    try:
        settings = configuration.load(arguments.config)
        log.set_level(arguments.log_level or settings.log_level)
        asyncio.run(run(arguments.config, settings))
    except StartRefused as error:
        print(f"Error: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    # A thread that waits for a slow HTTP backend must not hold up the end.
    code = main()
    sys.stderr.flush()
    os._exit(code)
