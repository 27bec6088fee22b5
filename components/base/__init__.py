"""Shared parts of the components: containers, files, images, probes."""
