"""The lab's double of Sentinel Gateway: stdio only, like the published program.

Owns: the contract of `reference/sentinel.md` (start order, refusals, 9201, metrics, audit table, stdin and SIGTERM).
Deliberately does not: import anything of the product, or speak MCP over HTTP to its client.
"""
