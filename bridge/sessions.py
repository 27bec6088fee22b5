"""The clients' sessions: the subject of each, its calls and streams, and its last use.

Owns: session ids, the owner of each, requests in flight, streams for notifications, the end of idle sessions.
Deliberately does not: keep a session over a restart of the bridge; a client that gets 404 opens a new one.
"""

from __future__ import annotations

import asyncio
import secrets
import time
from collections.abc import Callable

from .calls import Call, Message

MOST_SESSIONS = 1000
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
    """One session of a subject: its calls without an answer and its open streams."""

    def __init__(self, subject: str) -> None:
        self.id = secrets.token_urlsafe(24)
        self.subject = subject
        self.calls: dict[str, Call] = {}
        self.streams: set[Stream] = set()
        self._last_used = time.monotonic()

    def add(self, key: str, call: Call) -> None:
        """Keep the call until it is answered, also when its client has gone: it can still be cancelled."""

        def forget() -> None:
            self.calls.pop(key, None)
            self.touch()

        self.calls[key] = call
        call.when_answered = forget

    def touch(self) -> None:
        self._last_used = time.monotonic()

    def idle_seconds(self) -> float:
        """Seconds since the last request; 0 while one is in flight or a stream is open."""
        return 0.0 if self.calls or self.streams else time.monotonic() - self._last_used


class Sessions:
    """All open sessions; `none_open` is set while there is none."""

    def __init__(self, idle_limit_seconds: float, cancel: Callable[[Call, str], None]) -> None:
        self._idle_limit_seconds = idle_limit_seconds
        self._cancel = cancel
        self._sessions: dict[str, Session] = {}
        self.none_open = asyncio.Event()
        self.none_open.set()

    def open(self, subject: str) -> Session | None:
        """A new session; None when there are too many."""
        if len(self._sessions) >= MOST_SESSIONS:
            return None
        session = Session(subject)
        self._sessions[session.id] = session
        self.none_open.clear()
        return session

    def find(self, session_id: str, subject: str) -> Session | None:
        """The caller's own session; None for an unknown id and for another subject's."""
        session = self._sessions.get(session_id)
        if session is None or session.subject != subject:
            return None
        session.touch()
        return session

    def end(self, session: Session, reason: str) -> None:
        self._sessions.pop(session.id, None)
        if not self._sessions:
            self.none_open.set()
        for call in list(session.calls.values()):
            self._cancel(call, reason)
        for stream in session.streams:
            stream.messages.put_nowait(None)

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
