"""Limits that no operator has needed to change: constants of the program, beside the limits that are settings.

A limit that a single component uses is in that component's file.
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

ANSWER_SECONDS = 10
"""Until the first MCP answer after the port changed hands."""

SESSION_IDLE_SECONDS = 3600
"""Until the bridge ends a session in which nothing is called."""

DRAIN_SECONDS = 10
"""For ContextForge to end its calls at a stop."""

CALL_MARGIN_SECONDS = 15
"""Above the limit of a backend's call and its retries: the gateway's own pauses between these, and its work."""

STOP_MARGIN_SECONDS = 20
"""Above the longest call, until Docker kills the gateway's container at a stop: its rows are written by then."""

CALL_SECONDS = 60
"""For one backend's harmless call, or the backend's own timeout where that is less."""

VERIFICATION_SECONDS = 120
"""For a verification without its calls, which have limits of their own: Claude's entry (45), a session (15)."""

AFTER_BOOT_SECONDS = 300
"""After a boot, until a part that has not come back counts as failed."""

RENEW_SHARE = 0.33
"""A token with less than this share of its life left is renewed."""

AUDIT_BATCH_ROWS = 5000
"""Rows of the audit table that retention deletes at a time."""

PROMETHEUS_MEMORY_MB = 256
"""Memory limit; from version 3 on Prometheus collects its garbage in time for it by itself."""

GRAFANA_MEMORY_MB = 512
"""Memory limit, of the real Grafana's size: the lab has a double, which is much smaller."""

GRAFANA_HEAP_MB = 460
"""Grafana's `GOMEMLIMIT`: Go collects its garbage before the kernel ends the container."""

MONITORING_STOP_SECONDS = 30
"""For each of the two to write at a stop."""

BODY_LIMIT_BYTES = 4 * 1024 * 1024
"""Largest request body that the bridge takes."""

ANSWER_LIMIT_BYTES = 8 * 1024 * 1024
"""Largest answer of a stdio server that the bridge passes on to the gateway."""
