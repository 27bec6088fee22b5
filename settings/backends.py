"""The settings of one MCP backend behind Sentinel.

Owns: the fields of a backend and its expectation.
Deliberately does not: compare backends with each other (cross_checks.py).
"""

from __future__ import annotations

from typing import Annotated, Any, Literal

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


class Expectation(Section):
    """Conditions of a good answer; the absence of an error is not enough: context7 returns its errors as text."""

    result: Literal["text", "structured", "any"] = Field(default="any", description="Kind of the result.")
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
    aliases: tuple[DockerName, ...] = Field(default=(), description="Names of that container on the internal network.")
    upstream_hosts: tuple[UpstreamHost, ...] = Field(
        default=(), description="Outside hosts that it must reach, on port 443 or given as HOST:PORT."
    )
    timeout_seconds: Seconds = Field(default=30, description="Seconds for one call through the gateway.")
    needs_internet: bool = Field(
        default=False, description="Its harmless call needs egress, so it is not a standby gate."
    )
