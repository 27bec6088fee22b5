"""Yes-or-no questions to the operator, on stderr; anything but a yes is a no."""

from __future__ import annotations

import sys

from console.errors import UserError


def can_answer() -> bool:
    """True where stdin is a terminal."""
    return sys.stdin.isatty()


def agreed(question: str) -> bool:
    """The answer to a question; False where nobody can answer it."""
    if not can_answer():
        return False
    print(f"{question} [y/N] ", end="", file=sys.stderr, flush=True)
    return sys.stdin.readline().strip().lower() in {"y", "yes"}


def require_yes(question: str) -> None:
    """Raise UserError unless the operator answers yes."""
    if not can_answer():
        raise UserError(f"{question} Nobody can answer, since stdin is not a terminal: pass YES=1 to continue.")
    if not agreed(question):
        raise UserError("Nothing was changed.")
