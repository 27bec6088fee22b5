"""The token of the one stdio session: who the client is.

Owns: the check of SENTINEL_TOKEN (HS256 over the secret's raw bytes, 60 s leeway).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import jwt

from .configuration import Configuration
from .problems import StartRefused

LEEWAY_SECONDS = 60


@dataclass(frozen=True)
class Client:
    subject: str
    role: str


def authenticate(configuration: Configuration, environment: Mapping[str, str]) -> Client:
    """The session's client; raises StartRefused when the token or its secret is missing or wrong."""
    secret = environment.get(configuration.secret_variable)
    if not secret:
        raise StartRefused(f"environment variable {configuration.secret_variable} is not set")
    token = environment.get("SENTINEL_TOKEN")
    if not token:
        raise StartRefused("SENTINEL_TOKEN environment variable is not set")
    try:
        claims = jwt.decode(
            token,
            secret.encode(),
            algorithms=["HS256"],
            audience=configuration.audience,
            issuer=configuration.issuer,
            leeway=LEEWAY_SECONDS,
            options={"require": ["sub", "exp", "iss", "aud"]},
        )
    except jwt.PyJWTError as error:
        raise StartRefused(f"JWT validation failed: {error}") from error
    return Client(subject=str(claims["sub"]), role=str(claims.get("role", "")))
