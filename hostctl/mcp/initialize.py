"""The first good answer of a gateway: to an MCP `initialize` with a bearer token, or to a GET.

Attempts to connect are short: while Docker moves a port an attempt may hang instead of being refused (measured).
"""

from __future__ import annotations

import http.client
import time
from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass

from hostctl.core import http_json
from hostctl.core.http_json import LATE, NoAnswer, Response
from hostctl.mcp import client
from hostctl.mcp.client import REFUSED, token_in

CONNECT_SECONDS = 0.05
FIRST_ANSWER_SECONDS = 0.3
LONGEST_ANSWER_SECONDS = 5.0
PAUSE_SECONDS = 0.005
CHECK_SECONDS = 0.5


@dataclass(frozen=True)
class Target:
    """A gateway's address and its Host header; with a token file it gets an MCP initialize, else a GET."""

    address: str
    port: int
    path: str
    host: str
    token_file: str = ""

    @property
    def url(self) -> str:
        return f"http://{self.address}:{self.port}{self.path}"

    def headers(self, token: str) -> dict[str, str]:
        return {"Host": self.host, **(client.bearer(token) if token else {})}

    def session(self, identity: str) -> client.Session:
        """The session that an answer opened; raises Refusal without a token."""
        return client.Session(self.url, self.headers(token_in(self.token_file)), identity)


@dataclass(frozen=True)
class Answer:
    """One attempt's outcome; `final` where no further attempt can help."""

    good: bool
    reason: str = ""
    final: bool = False
    session: str = ""


def wait(
    target: Target, seconds: float, any_answer: bool = False, between: Callable[[], object] | None = None
) -> Answer:
    """Try until the answer is good, cannot become good, or `seconds` have passed; the last answer says why.

    An attempt without an answer makes the next one wait longer, so that a slow gateway can answer as well. With
    `any_answer` a refusal of the token is good enough: somebody serves. `between` runs twice a second, or after an
    attempt that took longer, and raises where there is nothing left to wait for.
    """
    token = token_in(target.token_file) if target.token_file else ""
    checked = time.monotonic()
    end = checked + seconds
    patience = FIRST_ANSWER_SECONDS
    while True:
        answer = once(target, token, min(patience, max(0.05, end - time.monotonic())), any_answer)
        now = time.monotonic()
        if answer.good or answer.final or now >= end:
            return answer
        if between is not None and now - checked >= CHECK_SECONDS:
            between()
            checked = now
        if answer.reason == LATE:
            patience = min(patience * 2, LONGEST_ANSWER_SECONDS)
        time.sleep(PAUSE_SECONDS)


def once(target: Target, token: str, seconds: float, any_answer: bool = False) -> Answer:
    """One attempt of at most CONNECT_SECONDS to connect and `seconds` to answer."""
    try:
        with _opened(target, token, seconds) as response:
            return _judged(response, bool(token), any_answer)
    except NoAnswer as error:
        return Answer(False, str(error))


def end_session(target: Target, answer: Answer) -> None:
    """Close the MCP session of a good answer; a server that keeps none, or does not answer, is not an error."""
    if answer.session:
        target.session(answer.session).close()


def _opened(target: Target, token: str, seconds: float) -> AbstractContextManager[Response]:
    headers = target.headers(token)
    if token:
        return client.opening(target.url, headers, seconds=seconds, connect_seconds=CONNECT_SECONDS)
    return http_json.opened("GET", target.url, None, headers, seconds=seconds, connect_seconds=CONNECT_SECONDS)


def _judged(response: Response, mcp: bool, any_answer: bool) -> Answer:
    status = response.status
    if any_answer and (status < http.client.BAD_REQUEST or status in REFUSED):
        return Answer(True)
    if status in REFUSED and mcp:
        return Answer(False, f"HTTP {status}, the token is refused", final=True)
    if status != http.client.OK:
        return Answer(False, f"HTTP {status}")
    if not mcp:
        return Answer(True)
    if client.result_in(response) is None:
        return Answer(False, "HTTP 200, but no MCP result")
    return Answer(True, session=client.session_in(response))
