"""Limits that no operator has needed to change: constants of the program, beside the limits that are settings.

Owns: these figures, for the documents of the actions and for the rules that compare them with settings.
Deliberately does not: hold a limit that a single component uses; it is in that component's file.
"""

from __future__ import annotations

DATABASE_START_SECONDS = 120
"""Until Sentinel's database must accept connections."""

PREDECESSOR_SECONDS = 60
"""Until ContextForge must serve again after a rollback, its own start included."""

GATE_SECONDS = 30
"""For one gate of the container in standby."""

UPSTREAM_SECONDS = 5
"""For a connection to an upstream host from the edge network."""

HEALTH_RETRIES = 3
"""Failed health checks in a row until Docker calls the gateway's container unhealthy."""

AFTER_DRAIN_SECONDS = 20
"""From the end of the audit writer's drain until Docker kills the container: its rows are written by then."""

RENEW_SHARE = 0.33
"""A token with less than this share of its life left is renewed."""

AUDIT_BATCH_ROWS = 5000
"""Rows of the audit table that retention deletes at a time."""

BODY_LIMIT_BYTES = 4 * 1024 * 1024
"""Largest request body that the bridge takes."""
