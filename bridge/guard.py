"""Threats: a web page that reaches loopback by DNS rebinding, another user of the host, a body that fills the memory.

Owns: the checks of every request before its body is parsed: Host, Origin, token, body size.
"""

from __future__ import annotations

import asyncio
from urllib.parse import urlsplit

from starlette.requests import ClientDisconnect, Request
from starlette.responses import JSONResponse, Response

from .predecessor import Predecessor
from .tokens import Caller, TokenRefused, Tokens, token_in

_DISCARDED = 16
"""A body that is larger than so many times the limit is not read to its end."""


class Refused(Exception):
    """The request ends here, with this response."""

    def __init__(self, response: Response) -> None:
        super().__init__()
        self.response = response


class Guard:
    """The checks, in the order in which a request meets them."""

    def __init__(
        self,
        tokens: Tokens,
        predecessor: Predecessor,
        allowed_hosts: frozenset[str],
        body_limit_bytes: int,
        body_seconds: float,
    ) -> None:
        self._tokens = tokens
        self._predecessor = predecessor
        self._allowed_hosts = allowed_hosts
        self._body_limit_bytes = body_limit_bytes
        self._body_seconds = body_seconds

    def caller(self, request: Request) -> Caller:
        """The caller behind the token; raises Refused with 421 (Host), 403 (Origin) or 401 (token)."""
        host, origin = request.headers.get("host", ""), request.headers.get("origin")
        if host.lower() not in self._allowed_hosts:
            raise refusal(421, "wrong_host", "this Host is not one of the bridge's own names")
        if origin is not None and _host_of(origin) not in self._allowed_hosts:
            raise refusal(403, "wrong_origin", "a page of another origin may not use the bridge")
        try:
            return self._of_a_token(request.headers.get("authorization"))
        except TokenRefused as error:
            challenge = f'Bearer error="invalid_token", error_description="{error}"'
            if "authorization" not in request.headers:
                challenge = "Bearer"
            raise refusal(401, "invalid_token", str(error), {"WWW-Authenticate": challenge}) from error

    def _of_a_token(self, header: str | None) -> Caller:
        try:
            return self._tokens.check(header)
        except TokenRefused:
            caller = self._predecessor.caller(token_in(header))
            if caller is None:
                raise
            return caller

    async def body(self, request: Request) -> bytes:
        """The whole body; raises Refused with 413 when it is too large, with 408 when it does not come."""
        received, size = bytearray(), 0
        try:
            async with asyncio.timeout(self._body_seconds):
                async for chunk in request.stream():
                    size += len(chunk)
                    # Read to its end, or the client would find its connection broken before it reads the refusal.
                    if size > _DISCARDED * self._body_limit_bytes:
                        break
                    if size <= self._body_limit_bytes:
                        received += chunk
        except ClientDisconnect:
            raise Refused(Response(status_code=400)) from None
        except TimeoutError:
            text = f"the body did not come within {self._body_seconds:g} s"
            raise refusal(408, "body_too_slow", text, {"Connection": "close"}) from None
        if size > self._body_limit_bytes:
            text = f"a body may have {self._body_limit_bytes} bytes"
            raise refusal(413, "body_too_large", text, {"Connection": "close"})
        return bytes(received)


def _host_of(origin: str) -> str:
    """Host and port of an Origin; empty for one that is no address."""
    try:
        return urlsplit(origin).netloc.lower()
    except ValueError:
        return ""


def refusal(status: int, error: str, description: str, headers: dict[str, str] | None = None) -> Refused:
    return Refused(JSONResponse({"error": error, "error_description": description}, status, headers))
