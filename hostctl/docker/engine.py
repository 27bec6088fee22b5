"""The Docker Engine API over its unix socket, without Docker's command line (which costs 30-60 ms a call).

Owns: requests, the negotiated API version, errors by status code.
Source of paths and fields: the Engine API's reference, versions 1.41 (Docker 20.10) to 1.51.
"""

from __future__ import annotations

import errno
import http.client
import json
import os
import socket
import time
from collections.abc import Iterator, Sequence
from typing import Any
from urllib.parse import quote

from hostctl.core.errors import Refusal

# Nothing newer is used; an engine that no longer speaks it says so in MinAPIVersion.
NEWEST_VERSION = (1, 51)
REQUEST_SECONDS = 30.0


class DockerError(Refusal):
    """The engine refused a request; `status` is the HTTP status, 0 when there was no answer."""

    def __init__(self, sentence: str, status: int) -> None:
        super().__init__(sentence)
        self.status = status


class TooLate(DockerError):
    """The engine took the request and did not answer in time."""


class Engine:
    """One engine, one kept connection."""

    def __init__(self, socket_path: str) -> None:
        self.path = socket_path.removeprefix("unix://")
        self._connection: _UnixConnection | None = None
        self._version = ""

    @property
    def version(self) -> str:
        """The negotiated API version as the prefix of a path, such as /v1.41. Raises DockerError."""
        if not self._version:
            self.get("/version")
        return self._version

    @property
    def speaks(self) -> tuple[int, int]:
        """The negotiated API version's numbers. Raises DockerError."""
        return _numbers(self.version.removeprefix("/v"))

    def get(self, path: str) -> Any:
        """The JSON answer of a GET; raises DockerError."""
        return self._request("GET", path, None, REQUEST_SECONDS)

    def find(self, path: str) -> Any:
        """The JSON answer of a GET, None when the object does not exist; raises DockerError."""
        try:
            return self.get(path)
        except DockerError as error:
            if error.status == http.client.NOT_FOUND:
                return None
            raise

    def post(self, path: str, body: dict[str, Any] | None = None, seconds: float = REQUEST_SECONDS) -> Any:
        """The JSON answer of a POST, None when it is empty; "already so" (304) is not an error. Raises DockerError."""
        return self._request("POST", path, body, seconds)

    def delete(self, path: str) -> None:
        """Send a DELETE; an object that is gone already is not an error. Raises DockerError."""
        try:
            self._raw("DELETE", path, None, REQUEST_SECONDS)
        except DockerError as error:
            if error.status != http.client.NOT_FOUND:
                raise

    def inside(self, container: str, command: Sequence[str], seconds: float) -> tuple[int, str]:
        """Run a command in a running container: its exit code and its output. Raises DockerError."""
        body = {"Cmd": list(command), "AttachStdout": True, "AttachStderr": True}
        started: str = self.post(f"/containers/{quote(container)}/exec", body)["Id"]
        try:
            output = self._raw("POST", f"/exec/{started}/start", {"Detach": False, "Tty": False}, seconds)[1]
        except TooLate:
            sentence = f"{command[0]} in {container} did not end within {seconds:g} s: see 'docker top {container}'"
            raise TooLate(sentence, 0) from None
        code: int | None = self.get(f"/exec/{started}/json")["ExitCode"]
        if code is None:
            raise DockerError(
                f"Docker did not begin {command[0]} in {container}: check that it runs and is not paused", 0
            )
        return code, _without_frames(output)

    def text(self, method: str, path: str, seconds: float) -> str:
        """The answer's text, for answers of more than one JSON document. Raises DockerError."""
        return self._raw(method, path, None, seconds)[1].decode("utf-8", "replace")

    def send(self, path: str, archive: bytes, seconds: float) -> Iterator[bytes]:
        """POST a tar, and yield the lines of the answer as they come, each within `seconds` of the one before.

        On a connection of its own: the work ends when the reader stops. Raises DockerError.
        """
        self.get("/version")
        connection = _UnixConnection(self.path)
        connection.patience(seconds)
        try:
            connection.request("POST", self._version + path, archive, {"Content-Type": "application/x-tar"})
            answer = connection.getresponse()
            if answer.status >= http.client.BAD_REQUEST:
                reason = _message(answer.read())
                raise DockerError(f"Docker refused POST {path.split('?')[0]}: {reason}", answer.status)
            yield from answer
        except (OSError, http.client.HTTPException) as error:
            reason = getattr(error, "strerror", None) or str(error) or type(error).__name__
            raise DockerError(f"the Docker engine at {self.path} broke off ({reason}): run again", 0) from None
        finally:
            connection.close()

    def log_tail(self, container: str, lines: int) -> str:
        """The last lines that a container wrote to stdout and stderr."""
        path = f"/containers/{quote(container)}/logs?stdout=1&stderr=1&tail={lines}"
        return _without_frames(self._raw("GET", path, None, REQUEST_SECONDS)[1])

    def log_since(self, container: str, moment: float) -> str:
        """A container's output on stdout and stderr since `moment`, in seconds since 1970 by the host's clock."""
        path = f"/containers/{quote(container)}/logs?stdout=1&stderr=1&since={moment:.6f}"
        return _without_frames(self._raw("GET", path, None, REQUEST_SECONDS)[1])

    def wait_until_up(self, seconds: float) -> None:
        """Wait for an engine that is restarting; raises DockerError after `seconds`."""
        end = time.monotonic() + seconds
        while True:
            try:
                self.get("/version")
                return
            except DockerError:
                if time.monotonic() >= end:
                    raise
                time.sleep(0.2)

    def _request(self, method: str, path: str, body: dict[str, Any] | None, seconds: float) -> Any:
        content = self._raw(method, path, body, seconds)[1]
        return json.loads(content) if content.strip() else None

    def _raw(self, method: str, path: str, body: dict[str, Any] | None, seconds: float) -> tuple[int, bytes]:
        if not self._version:
            self._version = "/v" + _agreed_version(self._exchange("GET", "/version", None, REQUEST_SECONDS)[1])
        status, content = self._exchange(method, self._version + path, body, seconds)
        if status >= http.client.BAD_REQUEST:
            raise DockerError(f"Docker refused {method} {path.split('?')[0]}: {_message(content)}", status)
        return status, content

    def _exchange(self, method: str, path: str, body: dict[str, Any] | None, seconds: float) -> tuple[int, bytes]:
        kept = self._connection is not None
        try:
            return self._once(method, path, body, seconds)
        except (OSError, http.client.HTTPException) as error:
            self._drop()
            failure = error
        # In Python 3.9 it is not a TimeoutError yet.
        if isinstance(failure, socket.timeout):
            raise TooLate(
                f"Docker did not answer {method} {path.split('?')[0]} within {seconds:g} s: where 'docker ps' answers, "
                "it hangs on one container, see docs/runbook.md#docker-hangs-on-a-container",
                0,
            )
        # A kept connection may have been closed since; a POST may have been carried out, so only a GET is repeated.
        if kept and method == "GET":
            return self._exchange(method, path, body, seconds)
        reason = getattr(failure, "strerror", None) or type(failure).__name__
        raise DockerError(
            f"the Docker engine at {self.path} did not answer ({reason}): check that it runs, then run again", 0
        )

    def _once(self, method: str, path: str, body: dict[str, Any] | None, seconds: float) -> tuple[int, bytes]:
        if self._connection is None:
            self._connection = _UnixConnection(self.path)
        self._connection.patience(seconds)
        content = None if body is None else json.dumps(body).encode()
        headers = {"Content-Type": "application/json"} if content is not None else {}
        self._connection.request(method, path, content, headers)
        answer = self._connection.getresponse()
        return answer.status, answer.read()

    def _drop(self) -> None:
        if self._connection is not None:
            self._connection.close()
            self._connection = None


class _UnixConnection(http.client.HTTPConnection):
    def __init__(self, path: str) -> None:
        super().__init__("docker", timeout=REQUEST_SECONDS)
        self._path = path

    def connect(self) -> None:
        self.sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.sock.settimeout(self.timeout)
        try:
            self.sock.connect(self._path)
        except UnicodeEncodeError:
            # JSON may hold text that no path can be.
            raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT), self._path) from None

    def patience(self, seconds: float) -> None:
        self.timeout = seconds
        if self.sock is not None:
            self.sock.settimeout(seconds)


def _agreed_version(content: bytes) -> str:
    about = json.loads(content)
    newest = _numbers(about.get("ApiVersion", "1.41"))
    oldest = _numbers(about.get("MinAPIVersion") or "1.12")
    agreed = min(newest, max(NEWEST_VERSION, oldest))
    return f"{agreed[0]}.{agreed[1]}"


def _numbers(version: str) -> tuple[int, int]:
    major, _, minor = version.partition(".")
    return int(major), int(minor or 0)


def _message(content: bytes) -> str:
    try:
        return str(json.loads(content)["message"]).strip().splitlines()[0]
    except (ValueError, KeyError, TypeError, IndexError):
        return "no reason given"


def _without_frames(content: bytes) -> str:
    # Each piece of a log has a header of 8 bytes: stream, three zeros, length (big endian); a terminal's log has none.
    text = b""
    while len(content) >= 8 and content[0] in (0, 1, 2) and content[1:4] == b"\0\0\0":
        size = int.from_bytes(content[4:8], "big")
        text += content[8 : 8 + size]
        content = content[8 + size :]
    return (text + content).decode("utf-8", "replace")
