"""Names that the product gives to its own things, and the one address on which it publishes.

Owns: the names that several parts need. Deliberately does not: name anything of the operator's; those are settings.
"""

from __future__ import annotations

LOOPBACK = "127.0.0.1"
"""The address of every published port: the handover, the bridge and Claude's entry know no other."""

INTERNAL_NETWORK = "sentinel"
EDGE_NETWORK = "sentinel-edge"

DATABASE = "sentinel"
DATABASE_OWNER = "sentinel"
"""The role with which Sentinel connects."""

GRAFANA_ADMIN = "admin"

PREDECESSOR_HEALTH_PATH = "/health"
"""Answers 200 when ContextForge serves."""
