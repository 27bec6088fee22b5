"""A probe: one harmless call of a backend and its expected answer, the same in every check of the backends.

The host reads it with the standard library, and `verify` with pydantic, which takes a plain dataclass. It carries
neither a backend's environment nor its secrets.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from hostctl.core.errors import Refusal

LONGEST_SECONDS = 86400


@dataclass(frozen=True)
class Expectation:
    """The expected answer; "no error" alone is not enough (context7 reports errors as plain text)."""

    contains: tuple[str, ...] = ()
    excludes: tuple[str, ...] = ()
    json_path: str = ""


@dataclass(frozen=True)
class Probe:
    """`tool` is the backend's own name for it, or the gateway's where the host makes the call."""

    name: str
    tool: str
    arguments: dict[str, Any] = field(default_factory=dict[str, Any])
    expect: Expectation = Expectation()
    timeout_seconds: float = 30.0
    optional: bool = False
    allowed_failure: bool = False
    reason: str = ""
    """The reason for `optional` or `allowed_failure`."""
    disabled_tools: tuple[str, ...] = ()
    """Tools that the kill switch takes from Sentinel's list, under the backends' own names."""
    needs_internet: bool = False
    upstream_hosts: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        if not self.name or not self.tool:
            raise Refusal("a probe needs the name of a backend and the name of its tool")
        if not 0 < self.timeout_seconds <= LONGEST_SECONDS:
            raise Refusal(f"timeout_seconds of the probe {self.name} must be above 0 and at most {LONGEST_SECONDS}")

    def why_allowed(self, broken_before: str = "") -> str:
        """The reason why a failure of this backend does not count; empty where it counts.

        `broken_before` is its result in the baseline, where that was not `ok`.
        """
        if self.optional:
            return f"optional: {self.reason}"
        if self.allowed_failure:
            return f"allowed to fail: {self.reason}"
        return f"it was {broken_before} at ContextForge already" if broken_before else ""
