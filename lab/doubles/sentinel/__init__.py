"""A double of Sentinel Gateway: stdio only, like the published program.

The recorded facts of the published program hold it (`reference/sentinel.md`, `sentinel-recorded.json`), test by test in
tests/integration/sentinel_double/test_contract.py.

Owns: the contract of `reference/sentinel.md` (start order, refusals, 9201, metrics, audit table, stdin and SIGTERM).
Deliberately does not: import anything of the product, or speak MCP over HTTP to its client.
"""
