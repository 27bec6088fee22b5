"""The MCP client's side: every backend answers as expected, through the gateway that Claude uses.

Owns: the probes' calls, the six results, the report and its exit code.
Deliberately does not: know which gateway answers, beyond how ContextForge renames tools.
"""
