"""The process that listens on a TCP port of this host, from /proc."""

from __future__ import annotations

import glob
import os
from collections.abc import Collection

_LISTEN = "0A"


def listener(port: int) -> str | None:
    """The process that listens on `port` (IPv4 or IPv6), such as "process 812 (nginx)"; None when nobody does."""
    inodes = {row[9] for row in sockets([port])}
    if not inodes:
        return None
    for path in glob.glob("/proc/[0-9]*/fd/*"):
        try:
            target = os.readlink(path)
        except OSError:
            continue
        if target.startswith("socket:[") and target[8:-1] in inodes:
            pid = path.split("/")[2]
            return f"process {pid} ({_name(pid)})"
    return "a process that this user may not see"


def sockets(ports: Collection[int]) -> list[list[str]]:
    """The rows of /proc/net/tcp and tcp6 (proc(5)) of sockets that listen on one of these ports."""
    found: list[list[str]] = []
    for table in ("/proc/net/tcp", "/proc/net/tcp6"):
        try:
            with open(table, encoding="ascii") as file:
                rows = [line.split() for line in file][1:]
        except OSError:
            continue
        found += [row for row in rows if row[3] == _LISTEN and port_of(row) in ports]
    return found


def port_of(row: list[str]) -> int:
    """The local port of such a row."""
    return int(row[1].rsplit(":", 1)[1], 16)


def _name(pid: str) -> str:
    try:
        with open(f"/proc/{pid}/comm", encoding="utf-8", errors="replace") as file:
            return file.read().strip()
    except OSError:
        return "ended"
