"""Recorded states of the lab's stack, free of secrets and of this machine, against which the program is previewed."""

from lab.recorded_states.scrub import Deployment, scrubbed, substituted

__all__ = ["Deployment", "scrubbed", "substituted"]
