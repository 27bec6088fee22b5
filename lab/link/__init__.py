"""A hardened sshd, and a slow cable to it, on loopback: for the tests and the figures of the one connection."""
