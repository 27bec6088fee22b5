"""The one error that reaches the operator, and the sentence of any other.

Deliberately does not: carry tracebacks or secrets.
"""

from __future__ import annotations


class Refusal(Exception):
    """One sentence for the operator: what went wrong, where, and how to fix it."""


def sentence_of(error: Exception) -> str:
    """A refusal's own sentence, the system's with the file, or the place of an error of ours without its text."""
    if isinstance(error, Refusal):
        return str(error)
    if isinstance(error, OSError):
        return f"{error.strerror or error}{f' at {error.filename}' if error.filename else ''}"
    last = error.__traceback__
    while last is not None and last.tb_next is not None:
        last = last.tb_next
    place = "" if last is None else f" in {last.tb_frame.f_code.co_name}, line {last.tb_lineno}"
    return f"internal error ({type(error).__name__}{place}): report it"
