"""Parts of the bridge that need no process."""
