"""Threat: a request without a valid token, or with a token for another service.

Owns: the check of `Authorization: Bearer` (PyJWT, HS256 and nothing else) and the token of the gateway's own session.
Deliberately does not: cache a verdict; a token is checked on every request, so that an expired one ends at once.
"""

from __future__ import annotations

import time
from dataclasses import dataclass

import jwt

LEEWAY_SECONDS = 60
"""As in the gateway (`reference/sentinel.md`): two clocks of one host may differ by that."""

GATEWAY_TOKEN_SECONDS = 365 * 24 * 3600
"""The gateway checks its session's token at its start; no container runs for a year without a restart."""


class TokenRefused(Exception):
    """Its text is the reason, for the body of a 401; never holds the token."""


@dataclass(frozen=True)
class Caller:
    """The subject of a valid token; `predecessor` is true for the one that is honoured for a grace period."""

    subject: str
    predecessor: bool = False


_REASONS: tuple[tuple[type[jwt.PyJWTError], str], ...] = (
    (jwt.ExpiredSignatureError, "the token has expired"),
    (jwt.ImmatureSignatureError, "the token is not valid yet"),
    (jwt.InvalidIssuerError, "the token's issuer (iss) is not this gateway's"),
    (jwt.InvalidAudienceError, "the token's audience (aud) is not this gateway's"),
    (jwt.MissingRequiredClaimError, "the token lacks a claim: iss, aud, sub and exp are needed"),
    (jwt.InvalidAlgorithmError, "the token's algorithm (alg) is not HS256"),
    (jwt.InvalidSignatureError, "the token was signed with another key"),
)


def token_in(header: str | None) -> str:
    """The token of an Authorization header; raises TokenRefused."""
    if header is None:
        raise TokenRefused("no token: send the header 'Authorization: Bearer TOKEN'")
    scheme, _, token = header.partition(" ")
    if scheme.lower() != "bearer" or not token.strip():
        raise TokenRefused("the Authorization header is not of the form 'Bearer TOKEN'")
    return token.strip()


class Tokens:
    """Checks of the callers' tokens, and the gateway's own token, by the one signing secret."""

    def __init__(self, secret: bytes, issuer: str, audience: str) -> None:
        self._secret = secret
        self._issuer = issuer
        self._audience = audience

    def check(self, header: str | None) -> Caller:
        """The caller behind an Authorization header; raises TokenRefused."""
        try:
            claims = jwt.decode(
                token_in(header),
                self._secret,
                algorithms=["HS256"],
                issuer=self._issuer,
                audience=self._audience,
                leeway=LEEWAY_SECONDS,
                options={"require": ["iss", "aud", "sub", "exp"]},
            )
        except jwt.PyJWTError as error:
            reason = next((text for kind, text in _REASONS if isinstance(error, kind)), "the token is not a valid JWT")
            raise TokenRefused(reason) from error
        return Caller(str(claims["sub"]))

    def mint_for_gateway(self) -> str:
        """The token of the one session that the bridge has with the gateway."""
        moment = int(time.time())
        claims = {
            "sub": "sentinel-bridge",
            "role": "admin",
            "iss": self._issuer,
            "aud": self._audience,
            "iat": moment,
            "exp": moment + GATEWAY_TOKEN_SECONDS,
        }
        return jwt.encode(claims, self._secret, algorithm="HS256")
