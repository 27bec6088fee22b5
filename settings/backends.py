"""The settings of one MCP backend behind Sentinel."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Annotated, Any, Literal
from urllib.parse import urlsplit

from pydantic import Field

from settings.field_rules import (
    BackendName,
    DockerName,
    HttpUrl,
    Seconds,
    Section,
    ToolName,
    UpstreamHost,
    VariableName,
)

MAIN, SLOW = "main", "slow"
"""The gateway processes of a backend that names none."""
QUICK_SECONDS = 30
"""A backend whose calls may take longer waits for something outside, such as a browser's page."""


class Expectation(Section):
    """Conditions of a good answer; the absence of an error is not enough: context7 returns its errors as text."""

    contains: tuple[str, ...] = Field(default=(), description="Texts that the answer must contain.")
    excludes: tuple[str, ...] = Field(default=(), description="Texts that the answer must not contain.")
    json_path: str | None = Field(default=None, description="Dotted path that must exist in the structured answer.")


class Backend(Section):
    """One MCP server behind the gateway, and the harmless call that proves it."""

    name: BackendName = Field(description="Name in the gateway, and in the predecessor.")
    kind: Literal["http", "stdio"] = Field(description="http: a container of its own; stdio: a program in the image.")
    url: HttpUrl | None = Field(default=None, description="Address on the internal network; needed with kind http.")
    command: Annotated[str, Field(min_length=1)] | None = Field(
        default=None, description="Program in the image; needed with kind stdio; may fetch nothing at start."
    )
    args: tuple[str, ...] = Field(default=(), description="Arguments of the program.")
    environment: dict[VariableName, str] = Field(default={}, description="Environment variables that are not secret.")
    environment_secrets: dict[VariableName, str] = Field(
        default={}, description="Environment variables and the secret key whose value each gets."
    )
    tool: ToolName = Field(description="Tool of the harmless call.")
    arguments: dict[str, Any] = Field(default={}, description="Arguments of the harmless call.")
    expect: Expectation = Field(default_factory=Expectation, description="Conditions that its answer must meet.")
    optional: bool = Field(default=False, description="May fail; the report repeats the reason.")
    allowed_failure: bool = Field(default=False, description="Already fails at the predecessor; success is reported.")
    reason: str | None = Field(default=None, description="Why it is optional or may fail; needed in these cases.")
    container: DockerName | None = Field(
        default=None, description="Existing sidecar container on the host, for kind http."
    )
    upstream_hosts: tuple[UpstreamHost, ...] = Field(
        default=(),
        description="Outside hosts that its harmless call needs, on port 443 or given as HOST:PORT. "
        "A gate connects to them; the call is made after the cutover, since the standby container has no egress.",
    )
    timeout_seconds: Seconds = Field(default=QUICK_SECONDS, description="Seconds for one call through the gateway.")
    process: BackendName | None = Field(
        default=None,
        description="Bridge only: the gateway process that serves it. A process makes one call at a time, so a slow "
        f"backend keeps its whole process waiting. Default: {MAIN}; {SLOW} with upstream_hosts or with a "
        f"timeout_seconds above {QUICK_SECONDS}.",
    )
    idempotent: bool = Field(
        default=False,
        description="Each of its tools may run twice: the gateway repeats a failed call up to three times.",
    )

    @property
    def aliases(self) -> tuple[str, ...]:
        """The names that its sidecar container gets on the internal network: the one in its address."""
        host = urlsplit(self.url).hostname if self.url else None
        return (host,) if self.container and host and host != self.container else ()

    @property
    def gateway_process(self) -> str:
        """The gateway process that serves it."""
        return self.process or (SLOW if self.needs_internet or self.timeout_seconds > QUICK_SECONDS else MAIN)

    @property
    def needs_internet(self) -> bool:
        """True where the standby container, which has no egress, cannot make the harmless call."""
        return bool(self.upstream_hosts)


def by_process(backends: Iterable[Backend]) -> dict[str, list[Backend]]:
    """The backends of each gateway process, in their order; `main` comes first, where there is one."""
    processes: dict[str, list[Backend]] = {MAIN: []}
    for backend in backends:
        processes.setdefault(backend.gateway_process, []).append(backend)
    return {process: own for process, own in processes.items() if own}
