"""Comparison of the predecessor's tools with Sentinel's, tool by tool, over ContextForge's renaming.

A changed schema is reported and does not fail: a newer server of the same backend may well have one.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from hostctl.mcp.probe import Probe

from .documents import Baseline
from .names import offered_name, prefix


@dataclass(frozen=True)
class Comparison:
    """`missing`, by backend, and `changed` under the predecessor's names; `renamed` maps its names to Sentinel's."""

    missing: Mapping[str, Sequence[str]] = field(default_factory=dict[str, list[str]])
    changed: Sequence[str] = ()
    new: Sequence[str] = ()
    foreign: Sequence[str] = ()
    """Tools of the predecessor that belong to no backend of the settings; nothing is promised of them."""
    renamed: Mapping[str, str] = field(default_factory=dict[str, str])
    switched_off: Sequence[str] = ()
    """Tools of the predecessor that are not offered because the kill switch says so; none of them is missing."""
    named: Mapping[str, str] = field(default_factory=dict[str, str])
    """`renamed`, and Sentinel's names of the tools that are switched off."""
    shared: Sequence[str] = ()
    """Names of the predecessor's that two of Sentinel's tools would have: the bridge offers them for neither."""


def compared(baseline: Baseline, offered: Mapping[str, str], probes: Sequence[Probe]) -> Comparison:
    """`offered` are Sentinel's tools with their schemas' hashes; `probes` one for each backend of the settings."""
    backends = [probe.name for probe in probes]
    off = {offered_name("contextforge", probe.name, tool): tool for probe in probes for tool in probe.disabled_tools}
    pairs = [(offered_name("contextforge", backend, tool), tool) for backend in backends for tool in offered]
    ours = dict(pairs)
    missing: dict[str, list[str]] = {}
    changed: list[str] = []
    foreign: list[str] = []
    renamed: dict[str, str] = {}
    switched_off: list[str] = []
    for tool in baseline.tools:
        if tool.name in ours:
            renamed[tool.name] = ours[tool.name]
            if offered[ours[tool.name]] != tool.schema_hash:
                changed.append(tool.name)
            continue
        if tool.name in off:
            switched_off.append(tool.name)
            continue
        backend = _owner(tool.name, backends)
        if backend is None:
            foreign.append(tool.name)
        else:
            missing.setdefault(backend, []).append(tool.name)
    new = sorted(set(offered) - set(renamed.values()))
    shared = sorted(name for name in renamed if len({tool for other, tool in pairs if other == name}) > 1)
    named = {**renamed, **{name: off[name] for name in switched_off}}
    return Comparison(missing, sorted(changed), new, sorted(foreign), renamed, sorted(switched_off), named, shared)


def _owner(tool: str, backends: Sequence[str]) -> str | None:
    """The backend whose prefix the name has; of two that fit (`n8n`, `n8n-mcp`) the longer one."""
    fitting = [backend for backend in backends if tool.startswith(prefix(backend))]
    return max(fitting, key=len, default=None)
