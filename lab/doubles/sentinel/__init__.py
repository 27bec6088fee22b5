"""A double of Sentinel Gateway: stdio only, like the published program, and with its faults.

Its contract are the facts recorded of the published program (tests/testdata/sentinel/recorded);
tests/integration/sentinel_contract holds either program to each.

Owns: the behaviour of `reference/sentinel-behaviour.md`.
Deliberately does not: import anything of the product, speak MCP over HTTP to its client, or be kinder than what it
stands for.
"""
