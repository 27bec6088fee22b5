"""MCP clients of the host's verbs, standard library only."""
