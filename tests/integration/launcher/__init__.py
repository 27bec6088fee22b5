"""Stdio servers behind supervisor, bridge and a gateway: real processes, each as a user of its own."""
