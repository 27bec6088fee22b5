"""A block between two marker lines in one of the operator's shell scripts; every other byte of the script is theirs.

Owns: the markers, putting a block in and taking it out again byte for byte, the copy of the script as it was before,
the refusal of anything but a shell script. Deliberately does not: know what a block says, or run one.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from dataclasses import dataclass

from hostctl.core import atomic_file, folders
from hostctl.core.errors import Refusal

SHELLS = ("sh", "bash", "dash", "ash", "ksh", "mksh")
_SHEBANG = re.compile(
    r"#![ \t]*(?:/(?:usr/)?bin/env[ \t]+(?:-S[ \t]*)?|/(?:[^\s/]+/)*(?:busybox[ \t]+)?)(?:/(?:[^\s/]+/)*)?"
    rf"(?P<shell>{'|'.join(SHELLS)})(?:[ \t].*)?\n?"
)
_NEW = "#!/bin/sh\n"
_NEW_MODE = 0o755
_SYNTAX_SECONDS = 10.0


@dataclass(frozen=True)
class Block:
    """`name` distinguishes the product's blocks; `at_start` puts a new one below the script's opening comment.

    A script may end anywhere (`exit`, `set -e`), so a block at its end may never run; one at its start always does.
    """

    name: str
    body: str
    at_start: bool = False

    @property
    def begin(self) -> str:
        return f"# >>> sentinel-cutover: {self.name} (managed; changes between these lines are lost) >>>"

    @property
    def end(self) -> str:
        return f"# <<< sentinel-cutover: {self.name} <<<"

    @property
    def text(self) -> str:
        """The block with its markers, ending with a line end."""
        return f"{self.begin}\n{self.body.rstrip()}\n{self.end}\n"


@dataclass(frozen=True)
class Outcome:
    """The change of a script, its reason for a person, and the path of the script as it was, if it is kept."""

    changed: bool
    reason: str
    copy: str = ""


def put(path: str, block: Block, copy: str) -> Outcome:
    """Make the script at `path` hold the block; a missing script is made (0755, the caller's).

    The script as it was before any block of ours is kept at `copy`. Raises Refusal, and leaves the script as it is.
    """
    before = read(path)
    after = with_block(before if before is not None else _NEW, block, path)
    if after == before:
        return Outcome(False, "the script holds the block already", copy if os.path.exists(copy) else "")
    _require_syntax(after, path)
    if before is not None and not os.path.exists(copy) and _span(before, block, path) is None:
        atomic_file.write(copy, _encoded(before), 0o600)
    _write(path, after, before)
    if before is None:
        return Outcome(True, "the script was made")
    return Outcome(True, "the block was written", copy if os.path.exists(copy) else "")


def take(path: str, block: Block, copy: str) -> Outcome:
    """Take the block out; a script that we made and nobody added to is removed too. Raises Refusal."""
    before = read(path)
    after = None if before is None else without_block(before, block, path)
    if before is None or after is None or after == before:
        return Outcome(False, "the script holds no such block", _finish(copy, after))
    if after == _NEW and not os.path.exists(copy):
        os.unlink(folders.followed(path))
        return Outcome(True, "the script held only our block and was removed")
    _write(path, after, before)
    return Outcome(True, "the block was taken out", _finish(copy, after))


def read(path: str) -> str | None:
    """The script's text, None where there is none; raises Refusal for anything but a shell script."""
    try:
        with open(path, "rb") as file:
            content = file.read()
    except FileNotFoundError:
        return None
    except OSError as error:
        raise Refusal(f"{path} cannot be read ({error.strerror}): fix that, then run again") from None
    text = content.decode("utf-8", "surrogateescape")
    if "\0" in text or not _SHEBANG.match(text):
        shells = ", ".join(SHELLS)
        raise Refusal(
            f"{path} is not a shell script (its first line names none of {shells}): give another path, or fix its "
            "first line; it was left as it is"
        )
    return text


def with_block(text: str, block: Block, path: str) -> str:
    """`text` with the block, in place of the one that it holds, else where a new one goes."""
    span = _span(text, block, path)
    if span is not None:
        return text[: span[0]] + _fitted(block, text[span[1] :]) + text[span[1] :]
    at = _below_opening_comment(text) if block.at_start else len(text)
    before, after = text[:at], text[at:]
    # Where the last line has no line end, the block begins with one and does without its own.
    joint = "" if before.endswith("\n") else "\n"
    return before + joint + (block.text.rstrip("\n") if joint else block.text) + after


def without_block(text: str, block: Block, path: str) -> str:
    """`text` as it was before the block was put in."""
    span = _span(text, block, path)
    if span is None:
        return text
    before, after = text[: span[0]], text[span[1] :]
    return before.removesuffix("\n") if not text.endswith("\n") and not after else before + after


def held(text: str, block: Block, path: str) -> bool:
    """True when the script holds exactly this block."""
    span = _span(text, block, path)
    return span is not None and text[span[0] : span[1]].rstrip("\n") == block.text.rstrip("\n")


def _span(text: str, block: Block, path: str) -> tuple[int, int] | None:
    """The block's first and last byte, its last line end included; raises Refusal where the markers are not a pair."""
    begins = [match.span() for match in re.finditer(rf"^{re.escape(block.begin)}$", text, re.MULTILINE)]
    ends = [match.span() for match in re.finditer(rf"^{re.escape(block.end)}$\n?", text, re.MULTILINE)]
    mentions = len(re.findall(rf"sentinel-cutover: {re.escape(block.name)}\b.*(?:>>>|<<<)", text))
    if not mentions:
        return None
    if len(begins) != 1 or len(ends) != 1 or mentions != 2 or begins[0][0] > ends[0][0]:
        raise Refusal(
            f"the marker lines of the block '{block.name}' in {path} are broken: there must be one line that begins "
            f"with '# >>>' and below it one with '# <<<', as they were written; fix them or remove both, then run "
            "again; it was left as it is"
        )
    return begins[0][0], ends[0][1]


def _fitted(block: Block, after: str) -> str:
    return block.text if after else block.text.rstrip("\n") + "\n"


def _below_opening_comment(text: str) -> int:
    at = 0
    for line in text.splitlines(keepends=True):
        if not line.startswith("#"):
            break
        at += len(line)
    return at


def _require_syntax(text: str, path: str) -> None:
    """Have the script's own shell parse it without running it; raises Refusal."""
    named = _SHEBANG.match(text)
    shell = shutil.which(named["shell"]) if named else None
    if shell is None:
        return
    parsed = subprocess.run(
        [shell, "-n"], input=_encoded(text), capture_output=True, timeout=_SYNTAX_SECONDS, check=False
    )
    if parsed.returncode:
        message = " ".join(parsed.stderr.decode("utf-8", "replace").split())
        raise Refusal(f"{path} is not a script that its shell can parse ({message}): fix it; it was left as it is")


def _write(path: str, text: str, before: str | None) -> None:
    def guard() -> None:
        if read(path) != before:
            raise Refusal(f"{path} changed while it was edited: run again")

    try:
        # Root's cron runs such a script, so a new one belongs to who made it and nobody else may write it.
        atomic_file.write(path, _encoded(text), None if before is not None else _NEW_MODE, guard=guard)
    except OSError as error:
        raise Refusal(
            f"{path} cannot be written ({error.strerror}): fix that, then run again; it was left as it is"
        ) from None


def _finish(copy: str, script: str | None) -> str:
    """Remove the copy when the script equals it again; the path of a copy that stays."""
    try:
        with open(copy, "rb") as file:
            kept = file.read()
    except FileNotFoundError:
        return ""
    if script is not None and kept == _encoded(script):
        os.unlink(copy)
        return ""
    return copy


def _encoded(text: str) -> bytes:
    return text.encode("utf-8", "surrogateescape")
