"""Secrets in files that the program wrote on the host, and that only root and their container read."""

from __future__ import annotations

from hostctl.core.errors import Refusal


def read(path: str) -> str:
    """The secret without white space around it; raises Refusal."""
    try:
        with open(path, encoding="utf-8") as file:
            return file.read().strip()
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or "not plain text"
        raise Refusal(f"{path} cannot be read ({reason}): `make up` writes it") from None
