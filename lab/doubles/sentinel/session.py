"""The token of the one stdio session: who the client is.

Owns: the check of SENTINEL_TOKEN (HS256 over the secret's raw bytes, 60 s leeway; `nbf` and `iat` are ignored).
Deliberately does not: refuse an empty secret; the real gateway then serves everybody as admin.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass

import jwt

from .configuration import Configuration
from .log import Log
from .problems import StartRefused

LEEWAY_SECONDS = 60
_ALGORITHMS = [
    "HS256",
    "HS384",
    "HS512",
    "ES256",
    "ES384",
    "RS256",
    "RS384",
    "RS512",
    "PS256",
    "PS384",
    "PS512",
    "EdDSA",
]
_SAID: dict[type[Exception], str] = {
    jwt.InvalidIssuerError: "invalid token: InvalidIssuer",
    jwt.InvalidAudienceError: "invalid token: InvalidAudience",
    jwt.InvalidSignatureError: "invalid token: InvalidSignature",
    jwt.ExpiredSignatureError: "token expired",
}


@dataclass(frozen=True)
class Client:
    subject: str
    role: str


def authenticate(configuration: Configuration, environment: Mapping[str, str]) -> Client:
    """The session's client; raises StartRefused when the token is missing or wrong."""
    secret = environment.get(configuration.secret_variable)
    if not secret:
        Log().warn("JWT secret not set, auth disabled (dev mode)", env_var=configuration.secret_variable)
        return Client("admin", "admin")
    token = environment.get("SENTINEL_TOKEN")
    if token is None:
        raise StartRefused("SENTINEL_TOKEN env var required when JWT auth is enabled")
    try:
        client = _client(configuration, secret, token)
    except ValueError as error:
        raise StartRefused(f"Authentication failed: {error}") from error
    Log().info("Session authenticated", subject=client.subject, role=client.role)
    return client


def _client(configuration: Configuration, secret: str, token: str) -> Client:
    signature = token.rpartition(".")[2]
    if odd := re.search(r"[^A-Za-z0-9_-]", signature):
        raise ValueError(f"invalid token: Base64 error: Invalid symbol {ord(odd[0])}, offset {odd.start()}.")
    try:
        claims = jwt.decode(
            token,
            secret.encode(),
            algorithms=["HS256"],
            audience=configuration.audience,
            issuer=configuration.issuer,
            leeway=LEEWAY_SECONDS,
            options={"require": ["exp", "iss", "aud", "sub"], "verify_nbf": False, "verify_iat": False},
        )
    except jwt.MissingRequiredClaimError as error:
        said = f"invalid token: JSON error: missing field `{error.claim}` at line 1 column 1"
        raise ValueError(said) from error
    except jwt.InvalidAlgorithmError as error:
        name = jwt.get_unverified_header(token)["alg"]
        known = ", ".join(f"`{each}`" for each in _ALGORITHMS)
        unknown = f"JSON error: unknown variant `{name}`, expected one of {known} at line 1 column 1"
        raise ValueError(f"invalid token: {'InvalidAlgorithm' if name in _ALGORITHMS else unknown}") from error
    except jwt.PyJWTError as error:
        raise ValueError(_SAID.get(type(error), "invalid token: InvalidToken")) from error
    if isinstance(claims["aud"], list):
        raise ValueError("invalid token: JSON error: invalid type: sequence, expected a string at line 1 column 1")
    if "role" not in claims:
        raise ValueError("invalid token: JSON error: missing field `role` at line 1 column 1")
    if not claims["role"]:
        raise ValueError("invalid claims: missing role")
    return Client(subject=str(claims["sub"]), role=str(claims["role"]))
