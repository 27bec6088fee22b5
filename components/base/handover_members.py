"""The members of a handover's request that the settings alone determine.

The component and the commands share them: a command may need a handover's status before a cutover registered one.
"""

from __future__ import annotations

from typing import Any

from components.base.probes import probes
from components.sentinel.configuration import ALIAS, ISSUER
from hostctl.core import requests
from hostctl.handover.request import RollbackGates
from settings import Settings
from settings.gateway_sections import KillSwitch
from settings.limits import ANSWER_SECONDS, DRAIN_SECONDS, PREDECESSOR_SECONDS
from settings.names import (
    EDGE_NETWORK,
    INTERNAL_NETWORK,
    PREDECESSOR_HEALTH_PATH,
    PREDECESSOR_NETWORK,
    SENTINEL_USER,
)

GATE_SECONDS = 10.0
"""The longest wait for one answer of a rollback's gates."""


def token_file(folder: str) -> str:
    """The token by which the handover makes its first call, in the product's folder on the host."""
    return f"{folder}/handover-token"


def handover_folder(folder: str) -> str:
    """The folder of the handover's journal, in the product's folder on the host."""
    return f"{folder}/handover"


def grace_members(settings: Settings) -> dict[str, Any]:
    """The members of the grace period's request."""
    folder = settings.host.folder
    return {
        "folder": f"{folder}/grace",
        "user": SENTINEL_USER,
        "hours": settings.client.grace_hours,
        "issuer": ISSUER,
        "claude_folder": f"{folder}/claude",
        "baseline_folder": f"{folder}/baseline",
    }


def handover_members(settings: Settings) -> dict[str, Any]:
    """The members of a handover's request that the settings alone determine."""
    folder = settings.host.folder
    # ContextForge knows no kill switch of Sentinel's, and a change of it must not reach the handover.
    sentinel = settings.sentinel.model_copy(update={"kill_switch": KillSwitch()})
    every_probe = probes(settings.model_copy(update={"sentinel": sentinel}))
    return {
        "edge": EDGE_NETWORK,
        "internal": INTERNAL_NETWORK,
        "aliases": [ALIAS],
        "also": list(settings.networks.also),
        "standby": PREDECESSOR_NETWORK,
        "keep": settings.predecessor.keep,
        "gates": requests.write(RollbackGates(f"{folder}/baseline", f"{folder}/claude", every_probe, GATE_SECONDS)),
        "port": settings.sentinel.port,
        "probe": {"path": "/mcp", "token_file": token_file(folder)},
        "predecessor_probe": {"path": PREDECESSOR_HEALTH_PATH},
        "folder": handover_folder(folder),
        "limits": {
            "answer_seconds": ANSWER_SECONDS,
            "predecessor_seconds": PREDECESSOR_SECONDS,
            "drain_seconds": DRAIN_SECONDS,
            "calls_seconds": settings.handover.drain_seconds,
        },
        **({"grace": grace_members(settings)} if settings.sentinel.serve == "bridge" else {}),
    }
