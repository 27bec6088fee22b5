"""The live settings: kill switch and rate limits, which the running gateway reads again on SIGHUP.

Owns: `configuration_files`, the folder that is mounted whole at /etc/sentinel. Its name is made from what the gateway
reads at its start only, so that a change of the live settings replaces a file in it and no container. `LiveSettings` is
the signal after such a change, and the proof that the gateway read it.

Deliberately does not: hold any other setting. A running gateway reads these two tables again and no others
(`reference/sentinel.md`).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import pulumi
import pulumi_docker as docker

from components.base.files import HostFile, HostFiles, HostFilesArgs
from components.host import Host, Operation, StackArgs
from components.sentinel.configuration import (
    bridge_json,
    live,
    longest_call_seconds,
    processes,
    sentinel_tomls,
    start_tomls,
)
from components.sentinel.stdio_servers import stdio_servers
from settings import Settings
from settings.live_rules import is_switched_off
from settings.names import SENTINEL_USER

_LEVELS_THAT_SHOW_A_RELOAD = {"info", "debug", "trace"}
_RELOAD_SECONDS = 10


def configuration_files(
    name: str, settings: Settings, variables: Sequence[str], host: Host, opts: pulumi.ResourceOptions
) -> HostFiles:
    """The gateways' TOMLs and `bridge.json`, which hold no secret; `variables` are those of their environment."""
    sentinel = settings.sentinel
    servers = stdio_servers(settings)
    bridge = bridge_json(sentinel, settings.backends, variables, servers)
    return HostFiles(
        name,
        HostFilesArgs(
            files={
                **{file: HostFile(toml) for file, toml in sentinel_tomls(sentinel, settings.backends, servers).items()},
                # The container's first process is root without DAC_OVERRIDE, and in the bridge's group.
                "bridge.json": HostFile(bridge, "0440"),
            },
            owner=SENTINEL_USER,
            host=host,
            identity={**start_tomls(sentinel, settings.backends, servers), "bridge.json": bridge},
        ),
        opts,
    )


@dataclass(frozen=True, kw_only=True)
class LiveSettingsArgs(StackArgs):
    """The container that runs, and the files that it reads again."""

    container: docker.Container
    files: HostFiles
    token_file: str


class LiveSettings(pulumi.ComponentResource):
    """Kill switch and rate limits in the running container. A new container starts with them: a create only checks."""

    def __init__(
        self,
        name: str,
        args: LiveSettingsArgs,
        *,
        after: Sequence[pulumi.Resource],
        opts: pulumi.ResourceOptions | None = None,
    ) -> None:
        super().__init__("sentinel-cutover:index:LiveSettings", name, None, opts)
        settings, sentinel = args.settings, args.settings.sentinel
        off = [backend for backend in settings.backends if is_switched_off(settings, backend)]
        on = [
            backend
            for backend in settings.backends
            if backend not in off and not (backend.optional or backend.allowed_failure)
        ]
        reported = sentinel.serve == "bridge" and sentinel.log_level in _LEVELS_THAT_SHOW_A_RELOAD
        args.host.action(
            f"{name}-reload",
            Operation("sentinel", create="reload"),
            {
                "container": args.container.id,
                "tables": live(sentinel),
                # The gateway's list must lack a disabled tool, and have one that is enabled again.
                "hidden": sorted({*sentinel.kill_switch.disabled_tools, *(backend.tool for backend in off)}),
                "listed": sorted({backend.tool for backend in on}),
                "port": sentinel.port,
                "probe": {"path": "/mcp", "token_file": args.token_file},
                "reloads": len(processes(sentinel, settings.backends)) if reported else 0,
                # A gateway lists its tools after the call in work.
                "limit_seconds": _RELOAD_SECONDS + longest_call_seconds(settings.backends),
            },
            parent=self,
            depends_on=[args.files.written.resource, *after],
        )
        self.register_outputs({})
