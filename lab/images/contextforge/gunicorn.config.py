"""The published image's gunicorn.config.py (IBM/mcp-context-forge, Apache-2.0), for plain HTTP on Linux.

Owns: the address, and the resets that a worker needs after the fork. Workers and limits come from the command line.
"""

# pyright: basic, reportMissingImports=false

from __future__ import annotations

from typing import Any

from mcpgateway.config import settings

bind = f"{settings.host}:{settings.port}"
preload_app = True
reuse_port = True


def post_fork(server: Any, worker: Any) -> None:
    """Forget the master's connections: a worker makes its own to the database and to the cache."""
    from mcpgateway.db import engine
    from mcpgateway.utils.redis_client import _reset_client

    engine.dispose(close=False)
    _reset_client()
