"""Doubles of MCP backends of which no published server can be used: today the operator's n8n sidecar.

No recording holds them; tests/lab/box/test_contextforge.py calls their tools through the real ContextForge.
"""
