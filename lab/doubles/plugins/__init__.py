"""Doubles of the provider plugins `docker` and `command`, for the lab; tests/testdata/plugins holds them to recordings.

Owns: a `docker` 5.2.0 and a `command` 1.2.1 that decide, print and keep what the published plugins do, as far as
`../shared/reference/provider-plugins.md` and its recordings go, and the laying out of both in a plugin home.
Deliberately does not: act on any Docker or ssh host but those named at installation; take the place of a real plugin.
"""

from __future__ import annotations

from lab.doubles.plugins.install import LabFacts, PluginState, install, plugin_state

__all__ = ["LabFacts", "PluginState", "install", "plugin_state"]
