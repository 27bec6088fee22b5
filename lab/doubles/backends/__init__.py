"""MCP servers of the lab's own, where no published one can be used; each says why."""
