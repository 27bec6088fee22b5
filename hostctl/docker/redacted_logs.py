"""A container's log without its secrets: those in its secret files, and anything like a token or a password."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Any
from urllib.parse import quote

from hostctl.core.documents import rows
from hostctl.docker.engine import Engine

HIDDEN = "[hidden]"
SECRETS = "/run/secrets/"
SHORTEST = 8
_TOKEN = re.compile(r"eyJ[A-Za-z0-9_-]{8,}\.[A-Za-z0-9_-]+\.[A-Za-z0-9_-]*")
_BEARER = re.compile(r"(?i)(bearer\s+)[A-Za-z0-9._~+/=-]{8,}")
_PASSWORD = re.compile(r"(\b[a-z][a-z0-9+]*://[^\s:/@]+:)[^\s@]+(@)")


def masked(text: str, secrets: Iterable[str] = ()) -> str:
    """The text without these secrets, and without anything in the form of a token, or of a password in an address."""
    for secret in sorted({secret for secret in secrets if len(secret) >= SHORTEST}, key=len, reverse=True):
        text = text.replace(secret, HIDDEN)
    text = _TOKEN.sub(HIDDEN, text)
    text = _BEARER.sub(rf"\g<1>{HIDDEN}", text)
    return _PASSWORD.sub(rf"\g<1>{HIDDEN}\g<2>", text)


def log_tail(engine: Engine, container: str, lines: int) -> str:
    """The container's last lines, masked; "(nothing)" where it wrote none."""
    document = engine.find(f"/containers/{quote(container, safe='')}/json")
    if document is None:
        return "(the container is gone)"
    text = engine.log_tail(document["Id"], lines).strip()
    return masked(text, _secrets(document)) or "(nothing)"


def _secrets(document: dict[str, Any]) -> list[str]:
    """The contents of the files that are mounted as its secrets, whole and line by line."""
    known: list[str] = []
    for mount in rows(document.get("Mounts")):
        if not str(mount.get("Destination", "")).startswith(SECRETS):
            continue
        try:
            with open(mount["Source"], encoding="utf-8") as file:
                content = file.read()
        except (OSError, UnicodeDecodeError):
            continue
        known += [content.strip(), *content.split()]
    return known
