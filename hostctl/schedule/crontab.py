"""The crontab of the user who runs this program, for a host on which that user is not root: blocks of ours in it.

Formats: crontab(1), crontab(5). Deliberately does not: touch another line of it, or a variable that its lines share.
"""

from __future__ import annotations

import fcntl
import os
import pwd
import subprocess
from collections.abc import Generator
from contextlib import contextmanager

from hostctl.core.errors import Refusal
from hostctl.schedule.script_block import Block, held, with_block, without_block

SECONDS = 20.0


def owner() -> str:
    """The name of the user whose crontab it is."""
    try:
        return pwd.getpwuid(os.geteuid()).pw_name
    except KeyError:
        return f"user {os.geteuid()}"


def name() -> str:
    """The crontab in a sentence."""
    return f"the crontab of {owner()}"


def exists() -> bool:
    """True where this host lets the user have one."""
    try:
        read()
    except Refusal:
        return False
    return True


def read() -> str:
    """Its text, empty where there is none; raises Refusal where this host or cron.allow gives this user none."""
    done = _run(["-l"], "")
    if done.returncode and "no crontab for" not in done.stderr:
        raise Refusal(f"{name()} cannot be read ({_reason(done)}): allow it in /etc/cron.allow, or run as root")
    return "" if done.returncode else done.stdout


def put(block: Block) -> bool:
    """Make it hold the block; True where it changed. Raises Refusal."""
    with _alone():
        before = read()
        if held(before, block, name()):
            return False
        whole = before if not before or before.endswith("\n") else f"{before}\n"
        _write(with_block(whole, block, name()) if whole else block.text)
    return True


def take(block: Block) -> bool:
    """Take the block out; True where it was in it. Raises Refusal."""
    with _alone():
        before = read()
        after = without_block(before, block, name())
        if after != before:
            _write(after)
    return after != before


def has(block: Block, command: str) -> bool:
    """True where it holds the block with this command, at whatever time. Raises Refusal."""
    text = read()
    return without_block(text, block, name()) != text and f"{command}\n{block.end}" in text


@contextmanager
def _alone() -> Generator[None]:
    """One change of ours at a time: the engine's actions run side by side, and each writes the whole table."""
    handle = os.open(os.path.expanduser("~"), os.O_RDONLY | os.O_DIRECTORY)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX)
        yield
    finally:
        os.close(handle)


def _write(text: str) -> None:
    done = _run(["-"], text) if text else _run(["-r"], "")
    if done.returncode:
        raise Refusal(f"{name()} cannot be written ({_reason(done)}): fix that, or run as root")


def _run(arguments: list[str], text: str) -> subprocess.CompletedProcess[str]:
    try:
        return subprocess.run(
            ["crontab", *arguments], input=text, capture_output=True, text=True, timeout=SECONDS, check=False
        )
    except FileNotFoundError:
        raise Refusal(
            "this user may write neither a unit of systemd nor a file of cron, and has no program crontab: install "
            "cron, run as root, or set nightly.enabled, reboot.enabled and resources.enabled to false"
        ) from None
    except subprocess.TimeoutExpired:
        raise Refusal(f"crontab {arguments[0]} did not end within {SECONDS:.0f} s: run again") from None


def _reason(done: subprocess.CompletedProcess[str]) -> str:
    return " ".join(done.stderr.split()) or f"exit code {done.returncode}"
