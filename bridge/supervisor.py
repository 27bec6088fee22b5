"""The container's first process: `python -m bridge.supervisor --config /etc/sentinel/bridge.json`.

It starts the bridge as a user of its own and, at the bridge's request, each stdio server as another, so that no server
can read the secrets, the memory or the environment of another one, of the bridge or of the gateway. It is root with
SETUID, SETGID and KILL and no other capability; it reads its configuration and the bridge's requests, and not one byte
of a server.

Protocol, one JSON object a message over a socket pair that the bridge inherits:
{"start": NAME} with stdin, stdout and stderr as descriptors -> {"started": NAME, "pid": N} | {"refused": NAME, "why"};
{"signal": NAME, "number": N} -> nothing; at a server's end {"ended": NAME, "code": N}, as `subprocess` counts codes.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import selectors
import signal
import socket
import subprocess
import sys
from collections.abc import Generator, Sequence
from pathlib import Path
from types import FrameType
from typing import Any

from .configuration import Misconfigured, Settings, StdioServer, load, read_secret

PASSED_ON = (
    "PATH", "LANG", "TZ", "NODE_PATH",
    "HTTP_PROXY", "HTTPS_PROXY", "NO_PROXY", "http_proxy", "https_proxy", "no_proxy",
    "SSL_CERT_FILE", "SSL_CERT_DIR", "NODE_EXTRA_CA_CERTS",
)  # fmt: skip
"""Variables of the container that a server gets where they are set, beside its own."""
MESSAGE_BYTES = 65536
_END_SECONDS = 3.0


class Supervisor:
    """The bridge, and the servers that it had started, by name."""

    def __init__(self, settings: Settings, bridge: Sequence[str]) -> None:
        self._settings = settings
        self._servers: dict[str, subprocess.Popen[Any]] = {}
        self._channel, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        for server in settings.stdio_servers.values():
            _make_home(home(settings, server), server.user)
        with theirs:
            self._bridge = subprocess.Popen(
                [*bridge, "--supervisor", str(theirs.fileno())],
                stdin=subprocess.DEVNULL,
                pass_fds=(theirs.fileno(),),
                **_identity(settings.user),
            )

    def run(self) -> int:
        """Serve the bridge until it ends; its exit code."""
        waking, wakened = socket.socketpair()
        wakened.setblocking(False)
        signal.set_wakeup_fd(wakened.fileno(), warn_on_full_buffer=False)
        signal.signal(signal.SIGCHLD, lambda number, frame: None)
        for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
            signal.signal(number, self._pass_on)
        with selectors.DefaultSelector() as selector:
            selector.register(waking, selectors.EVENT_READ)
            selector.register(self._channel, selectors.EVENT_READ)
            # A child may have ended before its signal had a handler.
            while (code := self._bridge.poll()) is None:
                self._report_ended()
                for key, _ in selector.select():
                    if key.fileobj is waking:
                        waking.recv(MESSAGE_BYTES)
                    elif not self._answer():
                        selector.unregister(self._channel)
        for name in list(self._servers):
            self._end(name)
        return code if code >= 0 else 128 - code

    def _pass_on(self, number: int, frame: FrameType | None) -> None:
        self._bridge.send_signal(number)

    def _answer(self) -> bool:
        """Carry out one request; False when the bridge has closed its end."""
        content, descriptors, _, _ = socket.recv_fds(self._channel, MESSAGE_BYTES, 3)
        try:
            if not content:
                return False
            request: dict[str, Any] = json.loads(content)
            if name := request.get("start"):
                self._send(self._start(name, descriptors))
            elif server := self._servers.get(request["signal"]):
                _signal_group(server, request["number"])
        finally:
            for descriptor in descriptors:
                os.close(descriptor)
        return True

    def _start(self, name: str, descriptors: Sequence[int]) -> dict[str, Any]:
        server = self._settings.stdio_servers[name]
        if name in self._servers:
            return {"refused": name, "why": "it still runs"}
        stdin, stdout, stderr = descriptors
        folder = home(self._settings, server)
        try:
            process: subprocess.Popen[Any] = subprocess.Popen(
                [server.command, *server.arguments],
                stdin=stdin,
                stdout=stdout,
                stderr=stderr,
                env=environment(server, folder),
                cwd=folder,
                # A group of its own, so that what it starts ends with it.
                start_new_session=True,
                umask=0o077,
                **_identity(server.user),
            )
        except (OSError, Misconfigured) as error:
            reason = f"{server.command} cannot be started: {error.strerror}" if isinstance(error, OSError) else error
            return {"refused": name, "why": str(reason).rstrip(".")}
        self._servers[name] = process
        return {"started": name, "pid": process.pid}

    def _report_ended(self) -> None:
        for name, server in list(self._servers.items()):
            if (code := server.poll()) is not None:
                self._end(name)
                self._send({"ended": name, "code": code})

    def _end(self, name: str) -> None:
        """End what is left of a server: its group, and every process of its user."""
        server = self._servers.pop(name)
        _signal_group(server, signal.SIGKILL)
        _end_all_of(self._settings.stdio_servers[name].user)
        with contextlib.suppress(subprocess.TimeoutExpired):
            server.wait(_END_SECONDS)

    def _send(self, message: dict[str, Any]) -> None:
        with contextlib.suppress(OSError):
            self._channel.send(json.dumps(message).encode())


def home(settings: Settings, server: StdioServer) -> Path:
    """A server's own folder, its HOME and TMPDIR: no other server may enter it."""
    return settings.servers_folder / f"home-{server.name}"


def environment(server: StdioServer, folder: Path) -> dict[str, str]:
    """A server's whole environment, its secrets read as its own user; raises Misconfigured."""
    passed = {name: os.environ[name] for name in PASSED_ON if os.environ.get(name)}
    with _as_user(server.user):
        secrets = {name: read_secret(file) for name, file in server.secret_files.items()}
    return {**passed, "HOME": str(folder), "TMPDIR": str(folder), **server.environment, **secrets}


def _identity(user: int) -> dict[str, Any]:
    """`Popen`'s arguments for a user with a group of its own and no other."""
    return {} if user == os.getuid() else {"user": user, "group": user, "extra_groups": ()}


@contextlib.contextmanager
def _as_user(user: int, with_group: bool = True) -> Generator[None]:
    """Files are read and made as this user: root without DAC_OVERRIDE may not, and need not."""
    if user == os.getuid():
        yield
        return
    group = os.getegid()
    if with_group:
        os.setegid(user)
    os.seteuid(user)
    try:
        yield
    finally:
        os.seteuid(os.getuid())
        os.setegid(group)


def _make_home(folder: Path, user: int) -> None:
    # The folder's group is the supervisor's, which has to enter it before it becomes the server's user.
    with _as_user(user, with_group=False):
        try:
            folder.mkdir(mode=0o710, exist_ok=True)
        except OSError as error:
            raise Misconfigured(f"{folder} cannot be made ({error.strerror}): mount a tmpfs there.") from error
        if folder.stat().st_uid != user:
            raise Misconfigured(f"{folder} belongs to another user: make servers_folder empty.")


def _signal_group(server: subprocess.Popen[Any], number: int) -> None:
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(server.pid, number)


def _end_all_of(user: int) -> None:
    """SIGKILL to every process of a server's user, as that user: a browser's group is not its server's."""
    if user == os.getuid():
        return
    if (child := os.fork()) == 0:
        try:
            os.setgroups([])
            os.setgid(user)
            os.setuid(user)
            os.kill(-1, signal.SIGKILL)
        finally:
            os._exit(0)
    os.waitpid(child, 0)


def main() -> int:
    parser = argparse.ArgumentParser(prog="bridge.supervisor", description="Bridge and servers, each as its own user.")
    parser.add_argument("--config", type=Path, required=True)
    file: Path = parser.parse_args().config
    try:
        supervisor = Supervisor(load(file), [sys.executable, "-m", "bridge", "--config", str(file)])
    except (Misconfigured, OSError) as error:
        print(error, file=sys.stderr, flush=True)
        return 1
    return supervisor.run()


if __name__ == "__main__":
    sys.exit(main())
