"""The one name that the lab's outside knows: discord.com. Any other does not exist, and that is told at once.

Owns: answering A questions over UDP (RFC 1035). Deliberately does not: forward anything.
"""

from __future__ import annotations

import socket
import struct

NAME = "discord.com"
_A, _IN = 1, 1
_TTL_SECONDS = 60
_NO_SUCH_NAME = 3


def answer(question: bytes, address: str) -> bytes:
    """The reply to one question: the address for our name, no records for its other types, else "no such name"."""
    identity, _, count = struct.unpack("!HHH", question[:6])
    name, end = _name(question, 12)
    kind, _ = struct.unpack("!HH", question[end : end + 4])
    ours = count == 1 and name.lower() == NAME
    record = b""
    if ours and kind == _A:
        record = struct.pack("!HHHIH", 0xC00C, _A, _IN, _TTL_SECONDS, 4) + socket.inet_aton(address)
    flags = 0x8580 | (0 if ours else _NO_SUCH_NAME)
    return struct.pack("!HHHHHH", identity, flags, 1, 1 if record else 0, 0, 0) + question[12 : end + 4] + record


def serve(address: str, port: int = 53) -> None:
    """Answers for ever."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as listening:
        listening.bind((address, port))
        while True:
            question, asker = listening.recvfrom(4096)
            try:
                listening.sendto(answer(question, address), asker)
            except (struct.error, IndexError, UnicodeDecodeError):
                continue


def _name(message: bytes, at: int) -> tuple[str, int]:
    labels: list[str] = []
    while length := message[at]:
        labels.append(message[at + 1 : at + 1 + length].decode("ascii"))
        at += 1 + length
    return ".".join(labels), at + 1
