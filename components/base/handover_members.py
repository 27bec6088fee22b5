"""The members of a handover's request that the settings alone determine.

The component and the commands share them: a command may need a handover's status before a cutover registered one.
"""

from __future__ import annotations

from typing import Any

from components.sentinel.configuration import ALIAS
from settings import Settings
from settings.limits import PREDECESSOR_SECONDS
from settings.names import EDGE_NETWORK, INTERNAL_NETWORK, PREDECESSOR_HEALTH_PATH

__all__ = ["handover_members", "token_file"]


def token_file(folder: str) -> str:
    """The token by which the handover makes its first call, in the product's folder on the host."""
    return f"{folder}/handover-token"


def handover_members(settings: Settings) -> dict[str, Any]:
    """The members of a handover's request that the settings alone determine."""
    folder = settings.host.folder
    return {
        "edge": EDGE_NETWORK,
        "internal": INTERNAL_NETWORK,
        "aliases": [ALIAS],
        "also": list(settings.networks.also),
        "release": settings.predecessor.release,
        "port": settings.sentinel.port,
        "probe": {"path": "/mcp", "token_file": token_file(folder)},
        "predecessor_probe": {"path": PREDECESSOR_HEALTH_PATH},
        "folder": f"{folder}/handover",
        "limits": {
            "answer_seconds": settings.sentinel.answer_seconds,
            "predecessor_seconds": PREDECESSOR_SECONDS,
            "drain_seconds": settings.sentinel.drain_seconds,
        },
    }
