"""The MCP client's side: does each backend answer what it should, through the gateway that Claude uses?

Owns: the questions, the six result words, the report and its exit code.
Deliberately does not: know which gateway answers, beyond how ContextForge renames tools.
"""
