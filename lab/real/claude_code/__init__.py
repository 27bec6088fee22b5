"""Claude Code, from npm."""
