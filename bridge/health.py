"""The health address: `/health`, `/ready` and `/metrics` of all gateway processes as those of one.

Each process has the same three on a loopback address of its own. A process that gives no answer makes the whole
unhealthy and each of its backends too, and hides nothing of the others. So does a client's port that serves no client.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from starlette.requests import Request
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from .backend_health import BackendHealth
from .client_probe import ClientProbe
from .gateway import Gateway
from .http_client import HttpClient, HttpFailed
from .metrics import merged

PATHS = ("/health", "/ready", "/metrics")
_ANSWER_SECONDS = 2.0
"""Below the 3 s of Docker's own check."""
_PASSED_ON = ("content-type", "www-authenticate")


@dataclass(frozen=True)
class _Answer:
    status: int
    headers: Mapping[str, str]
    body: bytes


class Health:
    """An ASGI application; `awaited` names the backends that a gateway's first start waits for.

    `own` is the text of the bridge's own metrics.
    """

    def __init__(
        self,
        gateways: Sequence[Gateway],
        awaited: Callable[[], Sequence[str]],
        backends: BackendHealth,
        port: ClientProbe,
        own: Callable[[], str],
    ) -> None:
        self._awaited = awaited
        self._backends = backends
        self._port = port
        self._own = own
        self._gateways = gateways
        self._clients = {
            gateway.name: HttpClient(f"http://{gateway.health[0]}:{gateway.health[1]}")
            for gateway in gateways
            if gateway.health is not None
        }

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        response = await self._handle(Request(scope, receive, send))
        await response(scope, receive, send)

    def close(self) -> None:
        for client in self._clients.values():
            client.close()

    async def _handle(self, request: Request) -> Response:
        path = request.scope["path"]
        if path not in PATHS:
            return Response(status_code=404)
        if request.method not in ("GET", "HEAD"):
            return Response(status_code=405, headers={"Allow": "GET, HEAD"})
        if path != "/metrics" and (awaited := self._awaited()):
            return _json(503, {"status": "waiting", "backends": list(awaited)})
        headers = {name: request.headers[name] for name in ("authorization",) if name in request.headers}
        given = await asyncio.gather(*(self._answer(gateway, path, headers) for gateway in self._gateways))
        answers = {gateway.name: answer for gateway, answer in zip(self._gateways, given, strict=True)}
        if path == "/metrics":
            return self._metrics(answers)
        silent = [name for name, answer in answers.items() if answer is None]
        if silent:
            return _json(503, {"status": "not_ready" if path == "/ready" else "unavailable", "processes": silent})
        if self._port.reason:
            return _json(503, {"status": "unavailable", "port": self._port.reason})
        # As one gateway with all backends: it is ready while one of them is healthy.
        best = min((answer for answer in answers.values() if answer), key=lambda answer: answer.status)
        return _response(best)

    def _metrics(self, answers: Mapping[str, _Answer | None]) -> Response:
        known = [answer for answer in answers.values() if answer is not None]
        if refused := next((answer for answer in known if answer.status != 200), None):
            return _response(refused)
        if not known:
            return _json(503, {"status": "unavailable"})
        lost = [name for gateway in self._gateways if answers[gateway.name] is None for name in gateway.backends]
        verdicts = {**self._backends.verdicts, **dict.fromkeys(lost, False)}
        text = merged([*(answer.body.decode() for answer in known), self._port.text(), self._own()], verdicts)
        return Response(text, headers={"Content-Type": known[0].headers.get("content-type", "text/plain")})

    async def _answer(self, gateway: Gateway, path: str, headers: Mapping[str, str]) -> _Answer | None:
        """One process's answer; None when it serves no calls, or gives none in time."""
        if not gateway.serves or gateway.name not in self._clients:
            return None
        try:
            async with (
                asyncio.timeout(_ANSWER_SECONDS),
                self._clients[gateway.name].get(path, headers) as response,
            ):
                body = b"".join([chunk async for chunk in response.body])
        except (HttpFailed, TimeoutError):
            return None
        kept = {name: response.headers[name] for name in _PASSED_ON if name in response.headers}
        return _Answer(response.status, kept, body)


def _response(answer: _Answer) -> Response:
    return Response(answer.body, answer.status, dict(answer.headers))


def _json(status: int, document: Mapping[str, object]) -> Response:
    return Response(json.dumps(document), status, media_type="application/json")
