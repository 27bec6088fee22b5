"""Real programs of the lab."""
