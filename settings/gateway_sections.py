"""The settings of the serving side: host, networks, predecessor, Postgres, Sentinel and Claude as the client."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from settings.field_rules import (
    AbsolutePath,
    BackendName,
    Days,
    DockerName,
    EntryName,
    FormerEntryName,
    HostKey,
    HostName,
    Image,
    Port,
    Rate,
    Seconds,
    Section,
    ToolName,
    UserName,
    Whole,
)

SUPERVISOR_MEMORY_MB, OWN_MEMORY_MB, GATEWAY_MEMORY_MB = 16, 39, 31
"""Resident memory of the supervisor, the bridge and one gateway process without any backend; each of them is measured
again by `tests/integration/launcher`.
"""
BRIDGE_MEMORY_MB = SUPERVISOR_MEMORY_MB + OWN_MEMORY_MB + GATEWAY_MEMORY_MB


class Host(Section):
    """The machine that is changed: this one, or one reached by ssh."""

    kind: Literal["local", "ssh"] = Field(
        default="local", description="local: the host is this machine; ssh: another one, reached by ssh."
    )
    address: HostName | None = Field(
        default=None,
        description="Name or address for ssh; needed with kind ssh. `ProxyJump` for it belongs in ssh's own "
        "configuration.",
    )
    user: UserName | None = Field(default=None, description="User for ssh; needed with kind ssh.")
    port: Port = Field(default=22, description="Port of the host's ssh server; the firewall refuses to guard it.")
    private_key_file: AbsolutePath | None = Field(
        default=None,
        description="Private key for ssh, on the machine where Pulumi runs; needed with kind ssh. One with a "
        "passphrase comes from the agent (`ssh-add`).",
    )
    host_key: HostKey | None = Field(
        default=None,
        description="Public key of the host, which every ssh checks; needed with kind ssh.",
        examples=["ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIOMqqnkVzrm0SdG6UOoqKLsabgH5C9okWi0dh2l9GKJl"],
    )
    docker_socket: AbsolutePath = Field(default="/var/run/docker.sock", description="Docker's socket on the host.")
    folder: AbsolutePath = Field(
        default="/var/lib/sentinel-cutover", description="The product's own folder on the host."
    )
    scheduler: Literal["auto", "systemd", "cron"] = Field(
        default="auto",
        description="Scheduler of the host's jobs; auto: systemd where it runs, otherwise cron. For a user who may not "
        "write its folder cron is the user's own crontab.",
    )
    cron_folder: AbsolutePath = Field(default="/etc/cron.d", description="Folder of cron's files, for cron.")
    home: AbsolutePath = Field(description="Home directory of the operator on the host.", examples=["/home/operator"])


class Networks(Section):
    """Networks beyond the two that the product creates."""

    also: tuple[DockerName, ...] = Field(
        default=(), description="Existing networks that Sentinel joins at the handover, such as n8n's own."
    )
    sidecars_out: bool = Field(
        default=False,
        description="Join the sidecars to the edge network too: they then have egress without ContextForge's networks.",
    )


class Predecessor(Section):
    """The gateway that hands the port over and takes it back."""

    kind: Literal["contextforge", "absent"] = Field(
        default="contextforge", description="Gateway that had the port before; absent: none, a plain install."
    )
    project: DockerName = Field(
        default="mcp-context-forge", description="Compose project of ContextForge's containers."
    )
    gateway: DockerName = Field(default="mcp-context-forge-gateway-1", description="Container that publishes the port.")
    entry: FormerEntryName = Field(
        default="contextforge", description="Name of Claude's MCP entry that points at ContextForge."
    )
    keep: Literal["standby", "stopped"] = Field(
        default="standby",
        description="ContextForge after the cutover: standby (it runs, ready to serve) or stopped (a rollback starts "
        "it before the port moves).",
    )
    retire_days: Annotated[Whole, Field(ge=0, le=3650)] = Field(
        default=14, description="Days without a rollback after which ContextForge may be retired."
    )

    @property
    def gateway_name(self) -> str:
        """The container that can have the port, for `hostctl`: empty where ContextForge never ran."""
        return self.gateway if self.kind == "contextforge" else ""


class Postgres(Section):
    """Sentinel's database."""

    image: Image = Field(default="postgres:16", description="Image of PostgreSQL; in production by digest.")
    memory_mb: Annotated[Whole, Field(ge=128, le=65536)] = Field(default=256, description="Memory limit in MB.")


class KillSwitch(Section):
    """Tools and backends that Sentinel refuses to call; a change reaches the running gateway."""

    disabled_tools: tuple[ToolName, ...] = Field(default=(), description="Tools that are refused and not listed.")
    disabled_backends: tuple[BackendName, ...] = Field(
        default=(), description="Backends all of whose tools are refused and not listed."
    )


class RateLimits(Section):
    """Calls per minute; a change reaches the running gateway, which then starts its counts again."""

    default_rpm: Rate = Field(default=1000, description="Calls of one tool per minute.")
    per_tool: dict[ToolName, Rate] = Field(default={}, description="Calls per minute of the tools named here.")


class Sentinel(Section):
    """The gateway that takes the port."""

    image: Image = Field(description="The operator's image of Sentinel.", examples=["sentinel-gateway:0.1.0"])
    context: AbsolutePath | None = Field(
        default=None,
        description="Folder on the host with Sentinel's Dockerfile: `docker build` makes the image, once for each tag.",
    )
    serve: Literal["bridge", "native"] = Field(
        default="bridge",
        description="bridge: the product's bridge binds the port; native: the image binds it and reads each secret "
        "from a file in /run/secrets.",
    )
    layers: Literal["all", "bridge", "none"] = Field(
        default="all",
        description="Bridge only: layers that the host builds on the image. all: Python, Node, the pinned servers and "
        "the bridge; bridge: the bridge, since the image has the others; none: the image has everything.",
    )
    standby: bool = Field(default=True, description="With active contextforge: keep Sentinel running, unpublished.")
    memory_mb: Annotated[Whole, Field(ge=32, le=65536)] = Field(
        default=1024,
        description="Memory limit in MB: bridge, gateway and every stdio backend together. "
        f"Each gateway process after the first adds {GATEWAY_MEMORY_MB}.",
    )
    port: Port = Field(default=9200, description="Loopback port of MCP: the one that changes hands.")
    health_port: Port = Field(default=9201, description="Loopback port of /health, /ready and /metrics.")
    start_seconds: Seconds = Field(default=180, description="Seconds until a standby container must be healthy.")
    backends_seconds: Seconds = Field(
        default=60,
        description="Bridge only: seconds that the gateway's start waits for the tools of the HTTP backends.",
    )
    health_interval_seconds: Seconds = Field(default=10, description="Seconds between two health checks.")
    backend_check_seconds: Seconds = Field(
        default=30, description="Bridge only: seconds between two checks of a backend; an alert cannot be faster."
    )
    log_level: Literal["error", "warn", "info", "debug", "trace"] = Field(
        default="info", description="Level of its log."
    )
    kill_switch: KillSwitch = Field(
        default_factory=KillSwitch, description="Refused tools and backends; applied to the running gateway."
    )
    rate_limits: RateLimits = Field(
        default_factory=RateLimits, description="Calls per minute; applied to the running gateway."
    )


class Client(Section):
    """Claude Code on the host: its token and its MCP entry."""

    file: AbsolutePath = Field(default="", validate_default=True, description="Claude's file that holds the entry.")
    scope: Literal["user", "project", "local"] = Field(default="user", description="Scope of the entry in that file.")
    project: AbsolutePath | None = Field(
        default=None, description="Project's folder; needed with scope project or local."
    )
    entry: EntryName = Field(default="sentinel", description="Name of the entry.")
    entries: Literal["all", "configured"] = Field(
        default="all",
        description="Entries that lead to the port, in any scope and configuration folder: all are changed and "
        "restored, or the configured one alone and the others are named.",
    )
    permissions: Literal["add", "report"] = Field(
        default="add",
        description="Rules of Claude's that name the predecessor's entry or tools: add their counterparts beside them, "
        "or report them only.",
    )
    token_file: AbsolutePath = Field(
        default="", validate_default=True, description="File of Claude's token, mode 0600."
    )
    token_days: Days = Field(default=90, description="Lifetime of a token in days.")
    grace_hours: Annotated[Whole, Field(ge=0, le=8760)] = Field(
        default=72,
        description="Bridge only: hours after a cutover for which open sessions keep ContextForge's token, at most the "
        "token's own lifetime; 0: they have to connect again.",
    )


class Handover(Section):
    """The step on the host that moves the port."""

    drain_seconds: Annotated[Whole, Field(ge=0, le=60)] = Field(
        default=5, description="Seconds for calls that are under way to end before the port moves."
    )
