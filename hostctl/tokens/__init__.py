"""`token write`, `forget`, `remove`, `show` and `life`: the client's JSON Web Token, made and renewed on the host.

Owns: the token file, and what it was asked to be ("asked_file"), by which `token renew` goes on without the program.
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
from typing import Any

from hostctl.core import atomic_file
from hostctl.core.documents import Document, parsed, table
from hostctl.core.errors import Refusal
from hostctl.mcp import initialize

DAY_SECONDS = 86400
SHORTEST_SECRET_BYTES = 32
_HEADER = {"alg": "HS256", "typ": "JWT"}


def write(document: Document) -> dict[str, Any]:
    """Keep the token in the file while it verifies and has life left; else write a new one, whole or not at all."""
    path, secret = document.text("path"), _secret(document)
    days, share = document.whole_number("days"), document.seconds("renew_share", 0.3)
    if days < 1 or not 0 <= share < 1:
        raise Refusal("'days' must be at least 1 and 'renew_share' from 0 to below 1")
    claims = {key: document.text(key) for key in ("issuer", "audience", "subject", "role")}
    mode, uid, gid = document.mode("mode", "0600"), document.whole_number("uid", -1), document.whole_number("gid", -1)
    wanted = {"sub": claims["subject"], "role": claims["role"], "iss": claims["issuer"], "aud": claims["audience"]}
    asked_file = _asked_file(document)
    now = int(time.time())
    kept = _claims_of(_read(path), secret)
    if kept is not None and _still_good(kept, wanted, days, share, now):
        _put_owner(path, mode, uid, gid)
        _keep_asked(asked_file, document)
        return {"path": path, "expires_at": _moment(int(kept["exp"])), "kept": True}
    expires = now + days * DAY_SECONDS
    token = signed({**wanted, "iat": now, "exp": expires}, secret)
    try:
        atomic_file.write(path, token.encode() + b"\n", mode, uid, gid)
    except OSError as error:
        raise Refusal(f"the token file {path} cannot be written ({error.strerror}): fix that, then run again") from None
    _keep_asked(asked_file, document)
    return {"path": path, "expires_at": _moment(expires), "kept": False}


def show(document: Document) -> dict[str, Any]:
    """The token in the file; a secret. Raises Refusal when there is none."""
    return {"token": initialize.token_in(document.text("path"))}


def forget(document: Document) -> dict[str, Any]:
    """Renew the token no more; the file stays as it is. What is gone already is no error."""
    path = document.text("asked_file")
    forgotten = os.path.lexists(path)
    if forgotten:
        os.unlink(path)
        if not os.listdir(os.path.dirname(path)):
            os.rmdir(os.path.dirname(path))
    return {"path": document.text("path"), "forgotten": forgotten}


def remove(document: Document) -> dict[str, Any]:
    """Remove the token file, and what it was asked to be; what is gone already is no error."""
    path = document.text("path")
    if document.text("asked_file", ""):
        forget(document)
    try:
        os.unlink(path)
    except FileNotFoundError:
        return {"path": path, "removed": False}
    except OSError as error:
        raise Refusal(f"the token file {path} cannot be removed ({error.strerror})") from None
    return {"path": path, "removed": True}


def life(document: Document) -> dict[str, Any]:
    """How long the token in the file still lives, as it says itself; whoever made it, and whether or not it is good."""
    claims = _claims_unproven(_read(document.text("path")))
    expires = claims.get("exp")
    if not isinstance(expires, int):
        return {"expires_at": None, "days_left": None}
    return {"expires_at": _moment(expires), "days_left": round((expires - time.time()) / DAY_SECONDS, 1)}


def is_ours(document: Document) -> bool:
    """Whether the file holds a token that was signed with this secret for this subject and issuer, ended or not."""
    found = _claims_of(_read(document.text("path")), _secret(document))
    wanted = {"sub": document.text("subject"), "iss": document.text("issuer")}
    return found is not None and all(found.get(key) == value for key, value in wanted.items())


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


def _claims_unproven(token: str) -> dict[str, Any]:
    try:
        return parsed(_decoded(token.split(".")[1])) or {}
    except (ValueError, IndexError):
        return {}


def _still_good(claims: dict[str, Any], wanted: dict[str, str], days: int, share: float, now: int) -> bool:
    expires, issued = claims.get("exp"), claims.get("iat")
    if any(claims.get(key) != value for key, value in wanted.items()):
        return False
    if not isinstance(expires, int) or not isinstance(issued, int) or expires - issued != days * DAY_SECONDS:
        return False
    return expires - now > share * days * DAY_SECONDS


def _asked_file(document: Document) -> str:
    """Where to keep what was asked, empty where it is not to be kept."""
    path = document.text("asked_file", "")
    if path and not document.text("secret_file", ""):
        raise Refusal("'asked_file' in the document on stdin needs 'secret_file': the secret itself is never kept")
    return path


def _keep_asked(path: str, document: Document) -> None:
    if not path:
        return
    os.makedirs(os.path.dirname(path), mode=0o755, exist_ok=True)
    content = json.dumps(document.values, indent=1, sort_keys=True)
    if _read(path) != content:
        atomic_file.write(path, content.encode() + b"\n", 0o600)


def _secret(document: Document) -> bytes:
    path = document.text("secret_file", "")
    if path:
        try:
            with open(path, "rb") as file:
                # An editor's line end is no part of the secret.
                secret = file.read().rstrip(b"\r\n")
        except OSError as error:
            raise Refusal(f"the secret file {path} cannot be read ({error.strerror})") from None
    else:
        secret = document.text("secret").encode()
    if len(secret) < SHORTEST_SECRET_BYTES:
        raise Refusal(f"the JWT secret is shorter than {SHORTEST_SECRET_BYTES} bytes: make one with 'make secrets'")
    return secret


def _read(path: str) -> str:
    try:
        with open(path, encoding="ascii") as file:
            return file.read().strip()
    except (OSError, ValueError):
        return ""


def _put_owner(path: str, mode: int, uid: int, gid: int) -> None:
    found = os.stat(path)
    if stat.S_IMODE(found.st_mode) != mode:
        os.chmod(path, mode)
    if uid not in (-1, found.st_uid) or gid not in (-1, found.st_gid):
        os.chown(path, uid, gid)


def _moment(seconds: int) -> str:
    return time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(seconds))


def _encoded(content: bytes) -> str:
    return base64.urlsafe_b64encode(content).rstrip(b"=").decode()


def _decoded(text: str) -> bytes:
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))
