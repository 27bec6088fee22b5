"""The clients' sessions: the caller of each, its calls and streams, and its last use.

A session that is not known began at another gateway, or before a restart. Nothing of it is needed here, so it goes on
under its id: a client that has to begin again may fail the call that it is making (seen with Claude Code). ContextForge
gives out no ids; its clients share one session for each caller.

Owns: session ids, the owner of each, requests in flight, streams for notifications, the end of idle sessions.
Deliberately does not: let a session go on that has ended here.
"""

from __future__ import annotations

import asyncio
import secrets
import time
from collections import deque
from collections.abc import Callable

from .calls import Call
from .messages import Message
from .tokens import Caller

MOST_SESSIONS = 1000
_MOST_ENDED = 10_000
_LONGEST_ID = 256
_SHARED = ""
_STREAM_LIMIT = 256


class Stream:
    """Notifications for one open GET; None ends it."""

    def __init__(self) -> None:
        self.messages: asyncio.Queue[Message | None] = asyncio.Queue()

    def offer(self, message: Message) -> None:
        # A client that does not read loses notifications, not the bridge its memory.
        if self.messages.qsize() < _STREAM_LIMIT:
            self.messages.put_nowait(message)


class Session:
    """One session of a caller: its calls without an answer, its open streams; `listed` once it has read the tools."""

    def __init__(self, session_id: str, caller: Caller, counted: Callable[[], None]) -> None:
        self.id = session_id
        self.caller = caller
        self.listed = False
        self.calls: dict[str, Call] = {}
        self.streams: set[Stream] = set()
        self._counted = counted
        self._last_used = self._last_call = time.monotonic()

    def add(self, key: str, call: Call) -> None:
        """Keep the call until it is answered, also when its client has gone: it can still be cancelled."""

        def forget() -> None:
            self.calls.pop(key, None)
            self.touch()
            self._last_call = time.monotonic()
            self._counted()

        self.calls[key] = call
        call.when_answered = forget
        self._counted()

    @property
    def is_shared(self) -> bool:
        """True for the session of several clients, whose request ids may be the same."""
        return self.id == _SHARED

    def touch(self) -> None:
        self._last_used = time.monotonic()

    def idle_seconds(self) -> float:
        """Seconds since the last request; 0 while one is in flight or a stream is open."""
        return 0.0 if self.streams or self.calls else time.monotonic() - self._last_used

    def quiet_seconds(self) -> float:
        """Seconds since the last call, or since the session's begin; 0 while a call is in flight."""
        return 0.0 if self.calls else time.monotonic() - self._last_call


class Sessions:
    """All open sessions."""

    def __init__(self, idle_limit_seconds: float) -> None:
        self._idle_limit_seconds = idle_limit_seconds
        self._sessions: dict[str, Session] = {}
        self._ended: deque[str] = deque(maxlen=_MOST_ENDED)
        self._idle = asyncio.Event()
        self._idle.set()

    def open(self, caller: Caller) -> Session | None:
        """A new session; None when there are too many."""
        return self._opened(secrets.token_urlsafe(24), caller)

    def find(self, session_id: str, caller: Caller) -> Session | None:
        """The caller's own session; None for one that has ended, and for another caller's."""
        session = self._sessions.get(session_id)
        if session is None and session_id not in self._ended and len(session_id) <= _LONGEST_ID:
            session = self._opened(session_id, caller)
        if session is None or session.caller != caller:
            return None
        session.touch()
        return session

    def shared(self, caller: Caller) -> Session | None:
        """The one session of the caller's clients that have no id."""
        return self.find(_SHARED, caller)

    def _opened(self, session_id: str, caller: Caller) -> Session | None:
        if len(self._sessions) >= MOST_SESSIONS:
            return None
        session = self._sessions[session_id] = Session(session_id, caller, self._count)
        return session

    def quiet_seconds(self) -> float:
        """Seconds since the last call of an open session; without one, infinity."""
        return min((session.quiet_seconds() for session in self._sessions.values()), default=float("inf"))

    def end(self, session: Session, reason: str) -> None:
        self._sessions.pop(session.id, None)
        if not session.is_shared:
            self._ended.append(session.id)
        for call in list(session.calls.values()):
            call.cancel(reason)
        for stream in session.streams:
            stream.messages.put_nowait(None)

    async def without_calls(self, seconds: float) -> bool:
        """Wait until no call is under way; false when one still is after so long."""
        try:
            await asyncio.wait_for(self._idle.wait(), seconds)
        except TimeoutError:
            return False
        return True

    def cut_off(self) -> int:
        """Answer every call that is under way with an error; their number."""
        calls = [call for session in self._sessions.values() for call in session.calls.values()]
        for call in calls:
            call.cut_off()
        return len(calls)

    def _count(self) -> None:
        if any(session.calls for session in self._sessions.values()):
            self._idle.clear()
        else:
            self._idle.set()

    def end_streams(self) -> None:
        """End all open streams, which would delay the bridge's end."""
        for session in self._sessions.values():
            for stream in session.streams:
                stream.messages.put_nowait(None)

    def broadcast(self, message: Message) -> None:
        for session in self._sessions.values():
            for stream in session.streams:
                stream.offer(message)

    async def end_idle(self) -> None:
        """End idle sessions, for as long as the bridge runs."""
        while True:
            await asyncio.sleep(min(self._idle_limit_seconds / 4, 30))
            for session in list(self._sessions.values()):
                if session.idle_seconds() > self._idle_limit_seconds:
                    self.end(session, "the session was idle")
