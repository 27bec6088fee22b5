"""A double of Sentinel Gateway: stdio only, like the published program.

Its contract are the facts recorded of the published program (`reference/sentinel.md`, `sentinel-recorded.json`);
tests/integration/sentinel_double holds it to each.

Owns: the contract of `reference/sentinel.md` (start order, refusals, 9201, metrics, audit table, stdin and SIGTERM).
Deliberately does not: import anything of the product, or speak MCP over HTTP to its client.
"""
