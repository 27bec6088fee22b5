"""One session of Claude Code stays open over every change of the gateway, and nobody types anything into it.

It begins on ContextForge, with ContextForge's token and names, and calls a tool every second: cutover, upgrade,
rotation, rollback, cutover. A second one begins on Sentinel.
"""

from __future__ import annotations

import contextlib
import threading
import time
from collections.abc import Callable, Generator
from dataclasses import dataclass, field

import pytest

from tests.lab.claude.conftest import Client
from tests.lab.claude.session import Called, Session
from tests.lab.cutover.conftest import Lab

pytestmark = [pytest.mark.lab, pytest.mark.timeout(1800)]

EVERY_SECONDS = 1.0
LIST_TABLES = "list.tables$"


@dataclass
class Row:
    """One call of the transcript, and who had the port when it began."""

    number: int
    during: str
    called: Called

    def line(self) -> str:
        result = f"FAILED {self.called.text[:90]}" if self.called.failed else "ok"
        return f"{self.number:4} {self.during:22} {self.called.seconds:5.2f} s {self.called.tool:42} {result}"


@dataclass
class Caller:
    """Calls a session's tool every second, beside the test."""

    session: Session
    during: str = "ContextForge"
    rows: list[Row] = field(default_factory=list[Row])

    def __post_init__(self) -> None:
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._run)

    @contextlib.contextmanager
    def calling(self) -> Generator[None]:
        self._thread.start()
        try:
            yield
        finally:
            self._over.set()
            self._thread.join(120)
            print("\n".join(row.line() for row in self.rows))

    def meanwhile(self, name: str, act: Callable[[], object]) -> None:
        """Do it while the calls go on, and then wait for some more of them."""
        self.during = name
        act()
        self.during = f"after {name}"
        self.more(5)

    def more(self, calls: int) -> None:
        enough, end = len(self.rows) + calls, time.monotonic() + 120
        while len(self.rows) < enough:
            assert self._thread.is_alive() and time.monotonic() < end, self.session.output[-5:]
            time.sleep(0.1)

    def failed(self) -> list[str]:
        return [row.line() for row in self.rows if row.called.failed]

    def _run(self) -> None:
        while not self._over.is_set():
            during, called = self.during, self.session.call(LIST_TABLES)
            self.rows.append(Row(len(self.rows) + 1, during, called))
            self._over.wait(max(0.0, EVERY_SECONDS - called.seconds))


def upgrade(lab: Lab) -> None:
    """Another container of Sentinel's."""
    lab.set("sentinel.health_interval_seconds", "3")
    lab.up()


def rotate(lab: Lab) -> None:
    assert lab.make("rotate", "--secret", "jwt_secret").returncode == 0


def test_a_session_that_began_on_contextforge_calls_on_through_every_change(lab: Lab, client: Client) -> None:
    lab.serve("contextforge")
    with client.session() as session:
        session.await_tool("mcp__contextforge__sqlite-list-tables")
        caller = Caller(session)
        with caller.calling():
            caller.more(5)
            caller.meanwhile("cutover", lambda: lab.serve("sentinel"))
            caller.meanwhile("upgrade", lambda: upgrade(lab))
            caller.meanwhile("rotation", lambda: rotate(lab))
            caller.meanwhile("rollback", lambda: lab.ops("rollback"))
            caller.meanwhile("second cutover", lambda: lab.serve("sentinel"))
    assert caller.failed() == []
    assert {row.called.tool for row in caller.rows} == {"mcp__contextforge__sqlite-list-tables"}
    used = lab.ops("status")["grace"]
    assert (used["open"], used["calls"] > 0) == (True, True)


def test_the_end_of_the_grace_period_says_what_to_do(lab: Lab, client: Client) -> None:
    lab.serve("contextforge")
    with client.session() as session:
        assert not session.call(LIST_TABLES).failed
        lab.serve("sentinel")
        assert not session.call(LIST_TABLES).failed
        assert lab.ops("end-grace")["ended"] is True
        refused = session.call(LIST_TABLES)
        assert refused.failed and "/mcp" in refused.text
    verified = lab.verified()
    assert verified["ok"], verified
    assert verified["tokens"]["refused"] == ["wrong", "the predecessor's", "another of the predecessor's"]
