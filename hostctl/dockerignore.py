"""What a `.dockerignore` leaves out of a build's context.

Owns: reading its lines, and the question whether a path is left out. Deliberately does not: walk a folder.
Source of the rules: Docker's "Dockerignore files" (Go's filepath.Match, `**` for any number of folders, `!` for an
exception, the last line that matches decides, a folder that is left out takes what is in it along).
"""

from __future__ import annotations

import posixpath
import re
from dataclasses import dataclass

from hostctl.errors import Refusal

NAME = ".dockerignore"


@dataclass(frozen=True)
class Line:
    """One line: what it matches, and whether it takes a path back in."""

    pattern: re.Pattern[str]
    back_in: bool


@dataclass(frozen=True)
class Ignored:
    """The lines of one file, in their order."""

    lines: tuple[Line, ...]

    @classmethod
    def of(cls, text: str) -> Ignored:
        """Raises Refusal for a pattern that is none."""
        return cls(
            tuple(_line(number, line.strip()) for number, line in enumerate(text.splitlines(), 1) if _says(line))
        )

    @property
    def takes_back_in(self) -> bool:
        """True where something inside of a folder that is left out may be wanted."""
        return any(line.back_in for line in self.lines)

    def leaves_out(self, path: str) -> bool:
        """`path` is relative to the context, with `/` between its parts."""
        parts = path.split("/")
        above = ["/".join(parts[: count + 1]) for count in range(len(parts))]
        left_out = False
        for line in self.lines:
            if any(line.pattern.fullmatch(one) for one in above):
                left_out = not line.back_in
        return left_out


def _says(line: str) -> bool:
    return bool(line.strip()) and not line.startswith("#")


def _line(number: int, line: str) -> Line:
    back_in = line.startswith("!")
    pattern = posixpath.normpath(line[1:].strip() if back_in else line).lstrip("/")
    try:
        return Line(re.compile(_expression(pattern)), back_in)
    except re.error as error:
        raise Refusal(f"line {number} of {NAME} ({line}) is no pattern ({error}): correct it, then run again") from None


def _expression(pattern: str) -> str:
    expression, at = "", 0
    while at < len(pattern):
        if pattern.startswith("**/", at):
            expression, at = expression + "(?:.*/)?", at + 3
        elif pattern.startswith("**", at):
            expression, at = expression + ".*", at + 2
        elif pattern[at] == "*":
            expression, at = expression + "[^/]*", at + 1
        elif pattern[at] == "?":
            expression, at = expression + "[^/]", at + 1
        elif pattern[at] == "[":
            end = pattern.find("]", at + 1)
            end = len(pattern) if end < 0 else end + 1
            expression, at = expression + pattern[at:end], end
        elif pattern[at] == "\\" and at + 1 < len(pattern):
            expression, at = expression + re.escape(pattern[at + 1]), at + 2
        else:
            expression, at = expression + re.escape(pattern[at]), at + 1
    return expression
