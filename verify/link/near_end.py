"""The process that holds the one connection: streams from any number of ssh clients into one session.

Owns: its ssh, its socket, and its own end once nobody has used it for a while.
Deliberately does not: connect again. A stream cannot be continued on another connection; the next command starts a new
process.
"""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import socket
import subprocess
import threading
import time
from collections.abc import Callable
from pathlib import Path

from hostctl.link import far_end, streams
from hostctl.link.streams import DATA, END, EXIT, FAILED, GONE, OPEN, OPENED, TAKEN, Receiver, Sender, Trunk, count_of
from verify.link.mux import Client, Wanted
from verify.link.target import Target

IDLE_SECONDS = 60.0
LAST_SECONDS = 5.0
"""For the clients of a connection that was lost, to read why."""
_BOOT = """
import json, os, sys, types
def given(length):
    found = b""
    while len(found) < length:
        part = os.read(0, length - len(found))
        if not part:
            sys.exit(1)
        found += part
    return found
for name, text in json.loads(given(int(given(8)))).items():
    module = sys.modules[name] = types.ModuleType(name)
    exec(compile(text, name, "exec"), module.__dict__)
module.main()
"""
_HOSTCTL = Path(far_end.__file__).parent.parent
_SOURCES = ("__init__", "link/__init__", "link/streams", "link/far_end")


class NotReached(Exception):
    """No connection: ssh's own sentence."""


class NearEnd:
    """One connection, and the streams on it."""

    def __init__(self, target: Target) -> None:
        self._target = target
        command = ["python3", "-I", "-S", "-c", _BOOT]
        self._ssh = subprocess.Popen(
            target.command_line(command, shared=False),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
        )
        assert self._ssh.stdin and self._ssh.stdout
        self._trunk = Trunk(self._ssh.stdout.fileno(), self._ssh.stdin.fileno())
        self._frames = self._trunk.frames()
        self._streams: dict[int, _Stream] = {}
        self._changed = threading.Condition()
        self._next = 1
        self._clients = 0
        self._used = time.monotonic()

    def connect(self) -> None:
        """Raises NotReached."""
        sources = json.dumps({_module(name): (_HOSTCTL / f"{name}.py").read_text("utf-8") for name in _SOURCES})
        assert self._ssh.stdin and self._ssh.stderr
        with contextlib.suppress(OSError):
            streams.write_all(self._ssh.stdin.fileno(), f"{len(sources.encode()):8d}{sources}".encode())
        first = next(self._frames, None)
        if first is None:
            said = self._ssh.stderr.read().decode("utf-8", "replace").strip()
            raise NotReached(said or f"ssh to {self._target.address} ended without a word")
        if first[1] != OPENED:
            raise NotReached(f"{self._target.user}'s shell on {self._target.address} prints something before a command")
        threading.Thread(target=_discard, args=(self._ssh.stderr.fileno(),), daemon=True).start()

    def serve(self, listener: socket.socket, lock: int) -> None:
        """Until the connection is lost, or was idle; `lock` is held by whoever starts a process like this one."""
        threading.Thread(target=self._receive, daemon=True).start()
        listener.settimeout(1.0)
        while self._ssh.poll() is None:
            try:
                connection, _ = listener.accept()
            except TimeoutError:
                if self._is_idle() and _locked(lock):
                    return
                continue
            connection.settimeout(None)
            with self._changed:
                self._clients += 1
            threading.Thread(target=self._client, args=(connection,), daemon=True).start()
        with self._changed:
            self._changed.wait_for(lambda: not self._clients, LAST_SECONDS)

    def close(self) -> None:
        assert self._ssh.stdin
        self._ssh.stdin.close()
        with contextlib.suppress(subprocess.TimeoutExpired):
            self._ssh.wait(5)
        self._ssh.kill()

    def _is_idle(self) -> bool:
        with self._changed:
            return not self._clients and time.monotonic() - self._used > IDLE_SECONDS

    def _client(self, connection: socket.socket) -> None:
        with contextlib.closing(connection):
            client = Client(connection)
            wanted = client.wanted()
            if wanted:
                with self._changed:
                    number, self._next = self._next, self._next + 1
                    stream = self._streams[number] = _Stream(self._trunk, number, client, wanted)
                if stream.open():
                    client.until_gone()
                    stream.gone()
                with self._changed:
                    del self._streams[number]
        with self._changed:
            self._clients -= 1
            self._used = time.monotonic()
            self._changed.notify_all()

    def _receive(self) -> None:
        for number, kind, payload in self._frames:
            with self._changed:
                stream = self._streams.get(number)
            if stream:
                stream.deliver(kind, payload)
        with self._changed:
            left = list(self._streams.values())
        lost = (
            f"The connection to {self._target.address} was lost while a command ran there, which may still be at work"
        )
        for stream in left:
            stream.lost(f"{lost}: run the same command again, which continues.")
        self._ssh.kill()


class _Stream:
    """One client's command or connection."""

    def __init__(self, trunk: Trunk, number: int, client: Client, wanted: Wanted) -> None:
        self._trunk, self._number, self._client, self._wanted = trunk, number, client, wanted
        self._is_command = "command" in wanted.document
        self._answered = threading.Event()
        self._refusal: str | None = None
        self._done = False
        self._sender: Sender | None = None
        self._receivers: dict[int, Receiver] = {}
        self._messages = os.dup(wanted.descriptors[2]) if self._is_command else None

    def open(self) -> bool:
        """Start it there; False where that failed, which the client then knows."""
        given, *taken = self._wanted.descriptors
        for channel, descriptor in enumerate(taken, 1):
            self._receivers[channel] = Receiver(self._trunk, self._number, channel, descriptor)
        try:
            self._trunk.send(self._number, OPEN, json.dumps(self._wanted.document).encode())
        except OSError:
            self._refusal = "the connection was lost"
        # A connection's bytes wait until it stands; a command's go with it, without a round trip.
        if not self._is_command and self._refusal is None:
            self._answered.wait()
        if self._refusal is not None:
            self._client.refuse(self._wanted.number, self._refusal)
            os.close(given)
            return False
        self._client.opened(self._wanted.number)
        self._sender = Sender(self._trunk, self._number, 0, given, lambda: None)
        return True

    def deliver(self, kind: int, payload: bytes) -> None:
        if kind == OPENED:
            self._answered.set()
        elif kind == FAILED:
            self.lost(payload.decode("utf-8", "replace"))
        elif kind == EXIT:
            threading.Thread(target=self._exit, args=(int(payload),), daemon=True).start()
        elif kind == TAKEN and self._sender:
            self._sender.taken(count_of(payload))
        elif DATA < kind < END:
            self._receivers[kind - DATA].put(payload)
        elif END < kind < TAKEN:
            self._receivers[kind - END].end()

    def lost(self, sentence: str) -> None:
        """The connection is gone, or was refused there."""
        waits = not self._is_command and not self._answered.is_set()
        self._refusal = sentence
        self._answered.set()
        if self._messages is not None and not self._done:
            with contextlib.suppress(OSError):
                streams.write_all(self._messages, f"{sentence}\n".encode())
        for receiver in self._receivers.values():
            receiver.end()
        # `open` waits, and refuses the client, who must not find the connection closed before that.
        if not waits:
            self._exit(255)

    def gone(self) -> None:
        """The client is gone; the command there goes on, and nobody receives what it writes."""
        if not self._done:
            with contextlib.suppress(OSError):
                self._trunk.send(self._number, GONE)
        self._done = True
        if self._sender:
            self._sender.stop()
        for receiver in self._receivers.values():
            receiver.end()
        if self._messages is not None:
            os.close(self._messages)

    def _exit(self, code: int) -> None:
        if self._done:
            return
        self._done = True
        for receiver in self._receivers.values():
            receiver.finish()
        if self._is_command:
            self._client.exit(code)
        self._client.close()


def run(target: Target, ready: Callable[[], None]) -> None:
    """Connect, call `ready` once clients can come, and serve. Raises NotReached."""
    path = target.socket()
    end = NearEnd(target)
    try:
        end.connect()
        with socket.socket(socket.AF_UNIX) as listener, lock_of(path).open("a") as lock:
            beside = path.with_suffix(f".{os.getpid()}")
            listener.bind(str(beside))
            listener.listen(64)
            os.replace(beside, path)
            try:
                ready()
                end.serve(listener, lock.fileno())
            finally:
                path.unlink(missing_ok=True)
    finally:
        end.close()


def lock_of(path: Path) -> Path:
    """The file that is locked by whoever starts a process for that socket, and by the process while it ends."""
    return path.with_suffix(".lock")


def _module(name: str) -> str:
    return f"hostctl/{name}".removesuffix("/__init__").replace("/", ".")


def _locked(lock: int) -> bool:
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        return False
    return True


def _discard(descriptor: int) -> None:
    while os.read(descriptor, 1 << 12):
        pass
