"""The open Claude Code sessions of this host, as processes.

Deliberately does not: signal a process, or use anything of its environment but two folders' names.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass

_COMMANDS = ("mcp", "config", "doctor", "update", "install", "plugin", "setup-token", "--version", "-v", "--help", "-h")
"""Of `claude COMMAND`: those that end by themselves and are no session."""
_INTERPRETERS = ("node", "nodejs", "bun")


@dataclass(frozen=True)
class Process:
    """One session's process; `file` is its Claude file, empty where its environment cannot be read."""

    pid: int
    parent: int
    since: float
    folder: str
    file: str


def found(uid: int) -> list[Process]:
    """The owner's Claude Code processes that see this host's loopback; a child of one belongs to its parent."""
    network = _link("/proc/self/ns/net")
    known: list[Process] = []
    for name in filter(str.isdigit, os.listdir("/proc")):
        folder = f"/proc/{name}"
        try:
            if os.stat(folder).st_uid != uid or not is_claude(
                _link(f"{folder}/exe"), _zero_separated(f"{folder}/cmdline")
            ):
                continue
            if _link(f"{folder}/ns/net") == network:
                known.append(_described(folder))
        except OSError:
            # It has ended meanwhile.
            continue
    pids = {process.pid for process in known}
    return [process for process in known if process.parent not in pids]


def is_claude(program: str, arguments: list[str]) -> bool:
    """True for a session of Claude Code: its own program, or its script run by Node or Bun."""
    if not arguments:
        return False
    own, rest = arguments[0], arguments[1:]
    if os.path.basename(program) in _INTERPRETERS and os.path.basename(own) != "claude":
        while rest and rest[0].startswith("-"):
            rest = rest[1:]
        own, rest = (rest[0], rest[1:]) if rest else ("", rest)
        is_script = "claude-code" in own or os.path.basename(own) == "claude"
    else:
        # The native installer keeps each version as a file named by its number, in a folder `claude`.
        is_script = os.path.basename(own) == "claude" or "/claude/versions/" in program
    return is_script and not (rest and rest[0] in _COMMANDS)


def _described(folder: str) -> Process:
    with open(f"{folder}/stat", encoding="utf-8", errors="replace") as file:
        # The program's name, in parentheses, may hold anything.
        fields = file.read().rpartition(")")[2].split()
    started = _booted() + int(fields[19]) / os.sysconf("SC_CLK_TCK")
    variables = _variables(f"{folder}/environ", ("CLAUDE_CONFIG_DIR", "HOME"))
    kept = variables.get("CLAUDE_CONFIG_DIR") or variables.get("HOME") or ""
    file = os.path.join(kept, ".claude.json") if kept else ""
    return Process(int(os.path.basename(folder)), int(fields[1]), started, _link(f"{folder}/cwd"), file)


def _variables(path: str, names: tuple[str, ...]) -> Mapping[str, str]:
    try:
        pairs = [word.partition("=") for word in _zero_separated(path)]
    except OSError:
        return {}
    return {name: value for name, _, value in pairs if name in names}


def _zero_separated(path: str) -> list[str]:
    with open(path, "rb") as file:
        return file.read().decode("utf-8", "replace").rstrip("\0").split("\0")


def _link(path: str) -> str:
    try:
        return os.readlink(path)
    except OSError:
        return ""


def _booted() -> float:
    with open("/proc/stat", encoding="ascii") as file:
        return next(float(line.split()[1]) for line in file if line.startswith("btime "))
