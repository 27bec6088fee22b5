"""Names that the product gives to its own things, and the one address on which it publishes."""

from __future__ import annotations

LOOPBACK = "127.0.0.1"
"""The address of every published port: the handover, the bridge and Claude's entry know no other."""

INTERNAL_NETWORK = "sentinel"
EDGE_NETWORK = "sentinel-edge"
PREDECESSOR_NETWORK = "sentinel-predecessor"
"""The internal network on which ContextForge stands by; the handover makes it."""

DATABASE = "sentinel"
DATABASE_OWNER = "sentinel"
"""The role with which Sentinel connects: the image makes it as superuser, and `hostctl postgres role` ends that."""
DATABASE_ADMIN = "sentinel_admin"
"""The database's superuser: without a password, so on the server's own socket alone."""

DATABASE_VOLUME = "sentinel-postgres"

GRAFANA_ADMIN = "admin"

SENTINEL_USER = 10001
"""User and group in the gateway's container."""

POSTGRES_USER = 999
"""User and group of postgres in its image."""

ALERTS_PAGE = "docs/alerts.md"
"""The page with each alert's heading."""

PREDECESSOR_HEALTH_PATH = "/health"
"""Answers 200 when ContextForge serves."""
