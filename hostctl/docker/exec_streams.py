"""A command in a running container with its streams: stdin from a file, stdout into one, as the data comes.

Owns: the connection that Docker turns into a stream (`Upgrade: tcp`), and its frames. Unlike `Engine.inside` it holds
nothing in memory but stderr.
Source: the Engine API's reference, "Attach to a container" and "Start an exec instance".
"""

from __future__ import annotations

import json
import shutil
import socket
from collections.abc import Sequence
from typing import Any, BinaryIO
from urllib.parse import quote

from hostctl.docker.engine import DockerError, Engine, TooLate

PIECE_BYTES = 1 << 20
_HEAD_BYTES = 8
_STDERR = 2


def streamed(
    engine: Engine,
    container: str,
    command: Sequence[str],
    seconds: float,
    feed: BinaryIO | None = None,
    out: BinaryIO | None = None,
) -> tuple[int, str]:
    """Run the command; its exit code (-1 where Docker knows none) and its stderr.

    Each piece must come within `seconds`. stdout goes to `out`, whose own errors are passed on, else it is returned
    with stderr. Raises DockerError; TooLate where the command read and wrote nothing for that long.
    """
    try:
        return _streamed(engine, container, command, seconds, feed, out)
    # In Python 3.9 it is not a TimeoutError yet.
    except socket.timeout:
        sentence = f"{command[0]} in {container} read and wrote nothing for {seconds:g} s: see 'docker top {container}'"
        raise TooLate(sentence, 0) from None


def _streamed(
    engine: Engine, container: str, command: Sequence[str], seconds: float, feed: BinaryIO | None, out: BinaryIO | None
) -> tuple[int, str]:
    body = {"Cmd": list(command), "AttachStdin": feed is not None, "AttachStdout": True, "AttachStderr": True}
    started: str = engine.post(f"/containers/{quote(container)}/exec", body)["Id"]
    version = engine.version
    errors: list[bytes] = []
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as stream:
        answer = _begun(engine, stream, f"{version}/exec/{started}/start", seconds)
        if feed is not None:
            _send(stream, feed)
        while True:
            head = _whole(engine, answer, _HEAD_BYTES)
            if not head:
                break
            left = int.from_bytes(head[4:], "big")
            while left:
                piece = _whole(engine, answer, min(left, PIECE_BYTES))
                if not piece:
                    raise _broke_off(engine, "inside an answer")
                left -= len(piece)
                if head[0] == _STDERR or out is None:
                    errors.append(piece)
                else:
                    out.write(piece)
    status: Any = engine.get(f"/exec/{started}/json")["ExitCode"]
    return -1 if status is None else int(status), b"".join(errors).decode("utf-8", "replace")


def _begun(engine: Engine, stream: socket.socket, path: str, seconds: float) -> BinaryIO:
    """The stream's reading side, after the head of the answer; raises DockerError."""
    body = json.dumps({"Detach": False, "Tty": False})
    lines = [
        f"POST {path} HTTP/1.1",
        "Host: docker",
        "Content-Type: application/json",
        f"Content-Length: {len(body)}",
        "Connection: Upgrade",
        "Upgrade: tcp",
    ]
    try:
        stream.settimeout(seconds)
        stream.connect(engine.path)
        stream.sendall(("\r\n".join(lines) + "\r\n\r\n" + body).encode())
        answer: BinaryIO = stream.makefile("rb")
        status = int(answer.readline().split()[1])
        while answer.readline().strip():
            pass
    except socket.timeout:
        raise
    except (OSError, ValueError, IndexError) as error:
        raise _broke_off(engine, str(error) or type(error).__name__) from None
    if status not in (101, 200):
        raise DockerError(f"Docker refused POST {path} with status {status}: see its log, then run again", status)
    return answer


def _send(stream: socket.socket, feed: BinaryIO) -> None:
    try:
        with stream.makefile("wb") as into:
            shutil.copyfileobj(feed, into, PIECE_BYTES)
        stream.shutdown(socket.SHUT_WR)
    except (BrokenPipeError, ConnectionResetError):
        # The command ended before it had read everything; its exit code and its output say why.
        pass


def _whole(engine: Engine, answer: BinaryIO, size: int) -> bytes:
    """Exactly `size` bytes, or none at the stream's end; raises DockerError where it ends inside them."""
    try:
        content = answer.read(size)
    except socket.timeout:
        raise
    except OSError as error:
        raise _broke_off(engine, str(error) or type(error).__name__) from None
    if content and len(content) < size:
        raise _broke_off(engine, "inside an answer")
    return content


def _broke_off(engine: Engine, reason: str) -> DockerError:
    return DockerError(f"the Docker engine at {engine.path} broke off ({reason}): run again", 0)
