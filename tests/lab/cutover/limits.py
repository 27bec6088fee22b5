"""Names and limits that more than one chapter of the cutover knows."""

GATEWAY = "mcp-context-forge-gateway-1"
LIMIT_MS = 500
"""Of a downtime on a machine of 2 cores that also runs the tests; the figures themselves are in docs/performance.md."""
