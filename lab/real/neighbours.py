"""Other people's containers on the hardened profile: of other projects, and made in odd ways. None of them matters.

Owns: making and starting what is missing. Deliberately does not: wait for one, or give any a purpose.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from docker.errors import NotFound

from lab.box import Box
from lab.real.contextforge import containers

NETWORK = "n8n-mcp_default"
"""Of n8n, which Sentinel joins at the handover."""
_SLEEP = ["sleep", "infinity"]
_KEPT = {"Name": "unless-stopped"}


def up(box: Box) -> None:
    """Every neighbour, once; one that was stopped stays so."""
    image = box.images["postgres"]
    with containers.client(box.docker_host) as daemon:
        # The package's own types do not say what the list takes.
        networks = daemon.networks.list()  # pyright: ignore[reportUnknownMemberType]
        if not any(network.name == NETWORK for network in networks):
            daemon.networks.create(NETWORK, driver="bridge")
        for name, options in _neighbours().items():
            try:
                daemon.containers.get(name)
            except NotFound:
                given: dict[str, Any] = {"entrypoint": _SLEEP, "command": [], "user": "65534:65534", **options}
                made = daemon.containers.create(image, name=name, **given)
                if options.get("restart_policy"):
                    made.start()


def _neighbours() -> Mapping[str, dict[str, Any]]:
    """By name; those without a restart policy are created and never started."""
    return {
        "n8n": {"restart_policy": _KEPT, "network": NETWORK, "ports": {"5678/tcp": ("127.0.0.1", 8567)}},
        "caddy": {"restart_policy": _KEPT, "ports": {"80/tcp": 80, "443/tcp": [443, ("127.0.0.1", 8443)]}},
        "authelia": {"restart_policy": _KEPT, "network_mode": "none"},
        "node_exporter": {"restart_policy": _KEPT, "network_mode": "host", "pid_mode": "host"},
        "beside-caddy": {"restart_policy": _KEPT, "network_mode": "container:caddy"},
        "quiet": {"restart_policy": _KEPT, "log_config": {"Type": "none"}, "healthcheck": {"test": ["NONE"]}},
        "watched": {"restart_policy": _KEPT, "healthcheck": {"test": ["CMD", "false"], "interval": 10**10}},
        "ended": {"restart_policy": {"Name": "on-failure", "MaximumRetryCount": 1}, "entrypoint": ["false"]},
        "odd.name-1_2": {"labels": {"": "", "com.docker.compose.project": "", "a=b": '\u00fc "quoted"'}},
        "mounts": {"volumes": ["/data"], "tmpfs": {"/tmp": ""}, "read_only": True, "environment": ["EMPTY=", "BARE"]},
        "fast-time-server": {"ports": {"9200/tcp": ("127.0.0.1", 9200)}},
        "pgbouncer": {"network": NETWORK, "mem_limit": "64m"},
    }
