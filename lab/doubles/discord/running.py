"""The double of Discord as a process of the lab's outside.

Owns: its folder, the webhook's address, starting it where it does not run; by TLS too, with a certificate of its own,
for a client that will have nothing else. Deliberately does not: end it; it is in the lab's cgroup and goes with the
lab.
"""

from __future__ import annotations

import json
import os
import secrets
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from lab.box import network, processes
from lab.box.place import Place
from lab.doubles.discord import certificates
from lab.doubles.upstreams.hosts import DISCORD

READY_WITHIN_SECONDS = 20.0
TLS_PORT = 443


def folder(place: Place) -> Path:
    return place.folder / "discord"


def webhook(place: Place) -> str:
    """The webhook's address for the lab's stack, made once, in Discord's own form."""
    file = folder(place) / "webhook"
    return file.read_text().split()[0] if file.exists() else another_webhook(place)


def another_webhook(place: Place) -> str:
    """One more in the same channel, known from now on beside those that are there."""
    file = folder(place) / "webhook"
    file.parent.mkdir(parents=True, exist_ok=True)
    identity = 10**17 + secrets.randbelow(9 * 10**17)
    address = f"https://discord.com/api/webhooks/{identity}/{secrets.token_urlsafe(51)}"
    there = file.read_text() if file.exists() else ""
    beside = file.with_name("webhook.new")
    beside.touch(mode=0o600)
    beside.write_text(f"{there}{address}\n")
    beside.replace(file)
    return address


def messages(place: Place) -> list[dict[str, Any]]:
    """The messages posted so far, oldest first; `at` is the time in seconds since 1970."""
    file = folder(place) / "messages.jsonl"
    return [json.loads(line) for line in file.read_text().splitlines()] if file.exists() else []


def ensure(place: Place) -> None:
    """Start it unless it answers; raises OSError when it does not within 20 s."""
    webhook(place)
    _ensure(place, DISCORD.port, [])


def ensure_tls(place: Place) -> Path:
    """The same on port 443; the certificate that a client must trust, without its key. Errors as `ensure`."""
    certificate, with_key = folder(place) / "certificate.pem", folder(place) / "certificate-with-key.pem"
    if not with_key.exists():
        made, key = certificates.made(DISCORD.host)
        certificate.write_bytes(made)
        with_key.touch(mode=0o600)
        with_key.write_bytes(made + key)
    _ensure(place, TLS_PORT, [str(with_key)])
    return certificate


def _ensure(place: Place, port: int, more: Sequence[str]) -> None:
    if _answers(place, port):
        return
    command = [sys.executable, "-m", "lab.doubles.discord", DISCORD.address, str(folder(place)), *more]
    log = place.logs / "discord.log"
    started = processes.start(
        place, "discord", network.inside(place.wan, command), log, {"PYTHONPATH": str(place.root)}
    )
    deadline = time.monotonic() + READY_WITHIN_SECONDS
    while not _answers(place, port):
        if not processes.alive(started) or time.monotonic() > deadline:
            raise OSError(f"the lab's Discord does not answer, see {log}")
        time.sleep(0.1)


def _answers(place: Place, port: int) -> bool:
    probe = f"import socket; socket.create_connection(({DISCORD.address!r}, {port}), 2)"
    done = subprocess.run(
        network.inside(place.wan, [sys.executable, "-S", "-c", probe]),
        capture_output=True,
        check=False,
        env=os.environ,
    )
    return done.returncode == 0
