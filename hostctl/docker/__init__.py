"""The Docker Engine as hostctl uses it."""
