"""The probe of the clients' port, against servers that answer each method with the status of a table."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping

import pytest
from starlette.requests import Request
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from bridge.client_probe import HEALTHY, ClientProbe
from bridge.serving import listener, served

GOOD = {"without token": 401, "initialize": 200, "ping": 200}


class Answers:
    """An application that notes the methods of its requests."""

    def __init__(self, statuses: Mapping[str, int]) -> None:
        self._statuses = statuses
        self.ended: list[str] = []

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        request = Request(scope, receive, send)
        if request.method == "DELETE":
            self.ended.append(request.headers["mcp-session-id"])
            await Response(status_code=200)(scope, receive, send)
            return
        method = str((await request.json())["method"]) if "authorization" in request.headers else "without token"
        await Response(b"{}", self._statuses[method], {"Mcp-Session-Id": "one"})(scope, receive, send)


def probed(statuses: Mapping[str, int]) -> tuple[ClientProbe, Answers]:
    application = Answers(statuses)
    with listener(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    probe = ClientProbe("0.0.0.0", port, "/mcp", lambda: "token")

    async def run() -> None:
        async with served(application, ("127.0.0.1", port)):
            watch = asyncio.create_task(probe.watch())
            for _ in range(200):
                await asyncio.sleep(0.01)
                if probe.reason or application.ended:
                    break
            watch.cancel()

    asyncio.run(run())
    return probe, application


def test_a_served_client_is_a_healthy_port_and_its_session_is_ended() -> None:
    probe, application = probed(GOOD)
    assert (probe.reason, application.ended) == ("", ["one"])
    assert probe.text().endswith(f"{HEALTHY} 1\n")


@pytest.mark.parametrize(
    ("changed", "reason"),
    [
        ({"without token": 200}, "initialize without a token has HTTP status 200 instead of 401"),
        ({"initialize": 503}, "initialize has HTTP status 503"),
        ({"ping": 404}, "ping has HTTP status 404"),
    ],
)
def test_a_client_that_is_not_served_as_it_should_be_is_the_reason(changed: Mapping[str, int], reason: str) -> None:
    probe, _ = probed({**GOOD, **changed})
    assert probe.reason == reason
    assert probe.text().endswith(f"{HEALTHY} 0\n")
