"""The two ways in which the gateway says no: it refuses to start, or it refuses a call.

Owns: the `error_type` label values, and the JSON-RPC codes but for kill switch and rate limits (read in the gateway's
source). The reference names neither, so both are this double's own choice, and nothing of the product may depend on
them.
"""

from __future__ import annotations

from typing import Any


class StartRefused(Exception):
    """The gateway cannot start; its text is the log's last line and the exit code is 1."""


class CallRefused(Exception):
    """A call that ends in a JSON-RPC error; `kind` is the `error_type` label of the metrics."""

    def __init__(self, kind: str, message: str, code: int = -32000) -> None:
        super().__init__(message)
        self.kind = kind
        self.code = code


class BackendFailed(CallRefused):
    """The backend did not answer as an MCP server should: it is gone, too slow, or speaks something else."""

    def __init__(self, name: str, what: str, kind: str = "backend") -> None:
        super().__init__(kind, f"backend {name}: {what}", -32603)


def refused_by_backend(name: str, error: dict[str, Any]) -> CallRefused:
    """The backend's own JSON-RPC error, passed on with its code: the backend is well, the call was not."""
    return CallRefused(
        "backend",
        f"backend {name}: {error.get('message', 'an error without a message')}",
        int(error.get("code", -32603)),
    )
