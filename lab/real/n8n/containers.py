"""n8n in a container of the lab's dockerd, with a Postgres and a network of its own: as the operator runs it.

    n8n_default:  n8n (127.0.0.1:5678)  ->  n8n-postgres         n8n  ->  discord.com:443, outside, by TLS

Its program is bound into the container from `.work/n8n`, so that no image of a gigabyte is made. Data lives in the
containers: `docker restart` keeps it, and `stop` leaves nothing.

Owns: both containers, the network, and the certificate by which the lab's Discord is believed. Deliberately does not:
make an account or a workflow in it (account.py).
"""

from __future__ import annotations

import secrets
import time
from pathlib import Path
from typing import Any, cast

import docker
from docker.errors import NotFound

from console.errors import UserError
from lab.box import Box, Place
from lab.doubles.discord import running as discord
from lab.real.contextforge.containers import client
from lab.real.contextforge.http_call import call

NAME, DATABASE, NETWORK = "n8n", "n8n-postgres", "n8n_default"
PORT = 5678
READY_WITHIN_SECONDS = 300.0
"""Its first start makes its tables, over two hundred steps."""
_POLL_SECONDS = 0.5
_PROGRAMS = "/opt/n8n/node_modules/.bin"
_CERTIFICATE = "/etc/lab-discord.pem"


def start(box: Box, place: Place, modules: Path) -> None:
    """Both containers, new; returns when n8n is ready. Raises UserError with n8n's last log lines when it is not."""
    certificate = discord.ensure_tls(place)
    with client(box.docker_host) as daemon:
        _remove(daemon)
        daemon.networks.create(NETWORK, driver="bridge")
        password = secrets.token_urlsafe(24)
        _run(
            daemon,
            box.images["postgres"],
            DATABASE,
            {"POSTGRES_USER": "n8n", "POSTGRES_PASSWORD": password, "POSTGRES_DB": "n8n"},
        )
        _run(
            daemon,
            box.images["backends"],
            NAME,
            {
                "PATH": f"{_PROGRAMS}:/usr/local/bin:/usr/bin:/bin",
                "N8N_ENCRYPTION_KEY": secrets.token_urlsafe(24),
                "DB_TYPE": "postgresdb",
                "DB_POSTGRESDB_HOST": DATABASE,
                "DB_POSTGRESDB_USER": "n8n",
                "DB_POSTGRESDB_DATABASE": "n8n",
                "DB_POSTGRESDB_PASSWORD": password,
                "GENERIC_TIMEZONE": "UTC",
                "NODE_EXTRA_CA_CERTS": _CERTIFICATE,
                "N8N_SECURE_COOKIE": "false",
                **dict.fromkeys(
                    (
                        "N8N_DIAGNOSTICS_ENABLED",
                        "N8N_VERSION_NOTIFICATIONS_ENABLED",
                        "N8N_TEMPLATES_ENABLED",
                        "N8N_PERSONALIZATION_ENABLED",
                    ),
                    "false",
                ),
            },
            # Postgres may be slower: n8n ends when it finds none, and Docker starts it again.
            restart_policy={"Name": "unless-stopped"},
            entrypoint=["n8n", "start"],
            ports={f"{PORT}/tcp": ("127.0.0.1", PORT)},
            volumes={
                str(modules): {"bind": "/opt/n8n", "mode": "ro"},
                str(certificate): {"bind": _CERTIFICATE, "mode": "ro"},
            },
        )
        _wait(daemon, box)


def stop(box: Box) -> None:
    """Nothing of it is left; what is gone already is no error."""
    with client(box.docker_host) as daemon:
        _remove(daemon)


def _run(daemon: docker.DockerClient, image: str, name: str, environment: dict[str, str], **options: Any) -> None:
    daemon.containers.run(image, name=name, environment=environment, network=NETWORK, detach=True, **options)


def _wait(daemon: docker.DockerClient, box: Box) -> None:
    deadline = time.monotonic() + READY_WITHIN_SECONDS
    while not _ready(box):
        if time.monotonic() > deadline:
            log = daemon.containers.get(NAME).logs(tail=20).decode(errors="replace")
            raise UserError(
                f"The lab's n8n is not ready after {READY_WITHIN_SECONDS:.0f} s; its last log lines:\n{log}"
            )
        time.sleep(_POLL_SECONDS)


def _ready(box: Box) -> bool:
    """Its own readiness comes with its database; until its paths are there it says 200 and a sentence to everything."""
    try:
        return isinstance(call(box, "GET", "/rest/settings", port=PORT).body, dict)
    except UserError:
        return False


def _remove(daemon: docker.DockerClient) -> None:
    for name in (NAME, DATABASE):
        try:
            daemon.containers.get(name).remove(force=True, v=True)
        except NotFound:
            continue
    try:
        network = daemon.networks.get(NETWORK)
    except NotFound:
        return
    for attached in cast("dict[str, object]", network.attrs.get("Containers") or {}):
        network.disconnect(attached, force=True)
    network.remove()
