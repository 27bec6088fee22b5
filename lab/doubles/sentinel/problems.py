"""The ways in which the gateway says no: it refuses to start, it refuses a call, or a backend fails.

Owns: how a refused start is written. The `status` of a call is its `error_type` in the metrics and its audit
row's word.
"""

from __future__ import annotations


class StartRefused(Exception):
    """The gateway cannot start; exit code 1, and the cause below the error."""

    def __init__(self, text: str, cause: str = "") -> None:
        super().__init__(text + (f"\n\nCaused by:\n    {cause}" if cause else ""))


class CallRefused(Exception):
    """A call that the gateway answers with an error of its own."""

    def __init__(self, status: str, code: int, message: str, data: object = None) -> None:
        super().__init__(message)
        self.status = status
        self.error = {"code": code, "message": message} | ({} if data is None else {"data": data})


class BackendFailed(Exception):
    """An exchange with a backend that brought no answer."""


class HandshakeFailed(Exception):
    """A backend that answered, but not with a list of tools."""
