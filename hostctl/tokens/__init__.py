"""`token write`, `forget`, `remove`, `show` and `life`: the client's JSON Web Token, made and renewed on the host.

Owns: the token file, and the request that made it (`request_file`), by which `token renew` works without the program.
Deliberately does not: let the secret leave the host, or verify any other algorithm than HS256. `token show` is for
`verify` alone, which keeps the token in memory; it is never an action of the program.
Source of the claims: Sentinel Gateway's own check (sub, role, iss, aud, iat, exp; HS256 over the secret's bytes);
RFC 7515 and 7519.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import os
import stat
import time
from dataclasses import dataclass
from typing import Any

from hostctl.core import atomic_file, folders, json_file, requests
from hostctl.core.documents import parsed, table
from hostctl.core.errors import Refusal
from hostctl.core.timestamps import whole
from hostctl.mcp.client import token_in

DAY_SECONDS = 86400
SHORTEST_SECRET_BYTES = 32
CLAUDE = "claude"
"""The name of the kept request for Claude's token."""
_HEADER = {"alg": "HS256", "typ": "JWT"}
_MODE = 0o600


@dataclass(frozen=True)
class TokenRequest:
    """The token file, its claims, and the file of the secret that signs it; with `request_file` the request is kept."""

    path: str
    issuer: str
    audience: str
    subject: str
    role: str
    days: int
    secret_file: str
    renew_share: float = 0.3
    request_file: str = ""

    def __post_init__(self) -> None:
        if self.days < 1 or not 0 <= self.renew_share < 1:
            raise Refusal("'days' must be at least 1 and 'renew_share' from 0 to below 1")

    @property
    def claims(self) -> dict[str, str]:
        return {"sub": self.subject, "role": self.role, "iss": self.issuer, "aud": self.audience}


@dataclass(frozen=True)
class FileRequest:
    """The token file, whoever wrote it, and the kept request that made it, if any."""

    path: str
    request_file: str = ""


def write(request: TokenRequest) -> dict[str, Any]:
    """Keep the token in the file while it verifies and has enough life left; else write a new one in one step."""
    secret, now = _secret(request), int(time.time())
    kept = _claims_of(_read(request.path), secret)
    if kept is not None and _still_good(kept, request, now):
        if stat.S_IMODE(os.stat(request.path).st_mode) != _MODE:
            os.chmod(folders.followed(request.path), _MODE)
        _keep(request)
        return {"path": request.path, "expires_at": whole(int(kept["exp"])), "kept": True}
    expires = now + request.days * DAY_SECONDS
    token = signed({**request.claims, "iat": now, "exp": expires}, secret)
    try:
        atomic_file.write(request.path, token.encode() + b"\n", _MODE)
    except OSError as error:
        raise Refusal(
            f"the token file {request.path} cannot be written ({error.strerror}): fix that, then run again"
        ) from None
    _keep(request)
    return {"path": request.path, "expires_at": whole(expires), "kept": False}


def show(request: FileRequest) -> dict[str, Any]:
    """The token in the file; a secret. Raises Refusal when there is none."""
    return {"token": token_in(request.path)}


def forget(request: FileRequest) -> dict[str, Any]:
    """End the renewal; the token file stays as it is. A request that is gone already is not an error."""
    folder, name = os.path.split(request.request_file)
    return {"path": request.path, "forgotten": bool(json_file.remove(folder, name))}


def remove(request: FileRequest) -> dict[str, Any]:
    """Remove the token file and the kept request; one that is gone already is not an error."""
    path = request.path
    forget(request)
    try:
        os.unlink(path)
    except FileNotFoundError:
        return {"path": path, "removed": False}
    except OSError as error:
        raise Refusal(f"the token file {path} cannot be removed ({error.strerror}): fix that, then run again") from None
    return {"path": path, "removed": True}


def life(request: FileRequest) -> dict[str, Any]:
    """{"expires_at", "days_left"} by the token's own claim, whoever made it and whether or not it verifies."""
    claims = claims_unproven(_read(request.path))
    expires = claims.get("exp")
    if not isinstance(expires, int):
        return {"expires_at": None, "days_left": None}
    return {"expires_at": whole(expires), "days_left": round((expires - time.time()) / DAY_SECONDS, 1)}


def is_ours(request: TokenRequest) -> bool:
    """True for a token that was signed with this secret for this subject and issuer, expired or not."""
    claims = _claims_of(_read(request.path), _secret(request))
    return claims is not None and (claims.get("sub"), claims.get("iss")) == (request.subject, request.issuer)


def signed(claims: dict[str, Any], secret: bytes) -> str:
    """A JSON Web Token with these claims, HS256."""
    body = ".".join(_encoded(json.dumps(part, separators=(",", ":")).encode()) for part in (_HEADER, claims))
    return f"{body}.{_encoded(hmac.new(secret, body.encode(), hashlib.sha256).digest())}"


def _claims_of(token: str, secret: bytes) -> dict[str, Any] | None:
    try:
        header, claims, signature = token.split(".")
        expected = hmac.new(secret, f"{header}.{claims}".encode(), hashlib.sha256).digest()
        if table(parsed(_decoded(header))).get("alg") != "HS256" or not hmac.compare_digest(
            expected, _decoded(signature)
        ):
            return None
        return parsed(_decoded(claims))
    except ValueError:
        return None


def claims_unproven(token: str) -> dict[str, Any]:
    """The claims of a token, whoever made it; empty where it is none."""
    try:
        return parsed(_decoded(token.split(".")[1])) or {}
    except (ValueError, IndexError):
        return {}


def _still_good(claims: dict[str, Any], request: TokenRequest, now: int) -> bool:
    expires, issued, life_seconds = claims.get("exp"), claims.get("iat"), request.days * DAY_SECONDS
    if any(claims.get(key) != value for key, value in request.claims.items()):
        return False
    if not isinstance(expires, int) or not isinstance(issued, int) or expires - issued != life_seconds:
        return False
    return expires - now > request.renew_share * life_seconds


def _keep(request: TokenRequest) -> None:
    path = request.request_file
    if not path:
        return
    values = requests.write(request)
    if json_file.read(path) != values:
        json_file.write(path, values)


def _secret(request: TokenRequest) -> bytes:
    path = request.secret_file
    try:
        with open(path, "rb") as file:
            # An editor's line end is no part of the secret.
            secret = file.read().rstrip(b"\r\n")
    except OSError as error:
        raise Refusal(f"the secret file {path} cannot be read ({error.strerror}): fix that, then run again") from None
    if len(secret) < SHORTEST_SECRET_BYTES:
        raise Refusal(f"the JWT secret is shorter than {SHORTEST_SECRET_BYTES} bytes: make one with 'make secrets'")
    return secret


def _read(path: str) -> str:
    try:
        with open(path, encoding="ascii") as file:
            return file.read().strip()
    except (OSError, ValueError):
        return ""


def _encoded(content: bytes) -> str:
    return base64.urlsafe_b64encode(content).rstrip(b"=").decode()


def _decoded(text: str) -> bytes:
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))
