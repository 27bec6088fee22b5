"""Threats: a web page that reaches loopback by DNS rebinding, another user of the host, a body that fills the memory.

Owns: the checks of every request before its body is parsed: Host, Origin, token, body size.
"""

from __future__ import annotations

from urllib.parse import urlsplit

from starlette.requests import ClientDisconnect, Request
from starlette.responses import JSONResponse, Response

from .tokens import Caller, TokenRefused, Tokens


class Refused(Exception):
    """The request ends here, with this response."""

    def __init__(self, response: Response) -> None:
        super().__init__()
        self.response = response


class Guard:
    """The checks, in the order in which a request meets them."""

    def __init__(self, tokens: Tokens, allowed_hosts: frozenset[str], body_limit_bytes: int) -> None:
        self._tokens = tokens
        self._allowed_hosts = allowed_hosts
        self._body_limit_bytes = body_limit_bytes

    def caller(self, request: Request) -> Caller:
        """The caller behind the token; raises Refused with 421 (Host), 403 (Origin) or 401 (token)."""
        host, origin = request.headers.get("host", ""), request.headers.get("origin")
        if host.lower() not in self._allowed_hosts:
            raise refusal(421, "wrong_host", "this Host is not one of the bridge's own names")
        if origin is not None and _host_of(origin) not in self._allowed_hosts:
            raise refusal(403, "wrong_origin", "a page of another origin may not use the bridge")
        try:
            return self._tokens.check(request.headers.get("authorization"))
        except TokenRefused as error:
            challenge = f'Bearer error="invalid_token", error_description="{error}"'
            if "authorization" not in request.headers:
                challenge = "Bearer"
            raise refusal(401, "invalid_token", str(error), {"WWW-Authenticate": challenge}) from error

    async def body(self, request: Request) -> bytes:
        """The whole body; raises Refused with 413 as soon as it is too large."""
        declared = request.headers.get("content-length", "0")
        received = bytearray()
        if declared.isdigit() and int(declared) <= self._body_limit_bytes:
            try:
                async for chunk in request.stream():
                    received += chunk
                    if len(received) > self._body_limit_bytes:
                        break
                else:
                    return bytes(received)
            except ClientDisconnect:
                raise Refused(Response(status_code=400)) from None
        text = f"a body may have {self._body_limit_bytes} bytes"
        raise refusal(413, "body_too_large", text, {"Connection": "close"})


def _host_of(origin: str) -> str:
    """Host and port of an Origin; empty for one that is no address."""
    try:
        return urlsplit(origin).netloc.lower()
    except ValueError:
        return ""


def refusal(status: int, error: str, description: str, headers: dict[str, str] | None = None) -> Refused:
    return Refused(JSONResponse({"error": error, "error_description": description}, status, headers))
