"""A client's token, headers and bare HTTP requests to the bridge or the double."""

from __future__ import annotations

import json
import time
import urllib.error
import urllib.request
from dataclasses import dataclass
from typing import Any

import jwt

SECRET = "a-secret-of-the-tests-with-more-than-32-bytes"
ISSUER, AUDIENCE = "sentinel-gateway", "sentinel-api"
LIFE_SECONDS = 24 * 3600
"""Lifetime of a token: some are made when tests are collected, long before their test runs."""


def token(**changes: Any) -> str:
    """A good token, but for the changes; a claim given as None is left out."""
    moment = int(time.time())
    key, algorithm = changes.pop("key", SECRET), changes.pop("algorithm", "HS256")
    times = {"iat": moment, "exp": moment + LIFE_SECONDS}
    claims = {"sub": "tester", "role": "admin", "iss": ISSUER, "aud": AUDIENCE, **times}
    claims = {name: value for name, value in {**claims, **changes}.items() if value is not None}
    return jwt.encode(claims, key, algorithm=algorithm)


@dataclass(frozen=True)
class Answer:
    status: int
    headers: dict[str, str]
    body: bytes

    def json(self) -> Any:
        return json.loads(self.body)


def request(
    url: str, method: str = "POST", body: Any = None, headers: dict[str, str] | None = None, limit_seconds: float = 10
) -> Answer:
    """One bare HTTP request, also one that no well-behaved client would send."""
    data = body if isinstance(body, bytes) or body is None else json.dumps(body).encode()
    prepared = urllib.request.Request(url, data, headers or {}, method=method)
    try:
        with urllib.request.urlopen(prepared, timeout=limit_seconds) as got:
            return Answer(got.status, {key.lower(): value for key, value in got.headers.items()}, got.read())
    except urllib.error.HTTPError as error:
        with error:
            return Answer(error.code, {key.lower(): value for key, value in error.headers.items()}, error.read())


def headers(**changes: str) -> dict[str, str]:
    """The usual headers of a client, with changes; underscores in names stand for dashes."""
    usual = {
        "Authorization": f"Bearer {token()}",
        "Content-Type": "application/json",
        "Accept": "application/json, text/event-stream",
    }
    return {**usual, **{name.replace("_", "-"): value for name, value in changes.items()}}


def message(method: str, own_id: int | str | None = 1, **parameters: Any) -> dict[str, Any]:
    made: dict[str, Any] = {"jsonrpc": "2.0", "method": method, "params": parameters}
    return made if own_id is None else {**made, "id": own_id}


def initialize() -> dict[str, Any]:
    return message(
        "initialize", protocolVersion="2025-11-25", capabilities={}, clientInfo={"name": "tests", "version": "1"}
    )
