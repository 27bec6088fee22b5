"""A real n8n on the VPS, for the tests of the health watch; `make up` neither needs it nor waits for it.

Owns: installing it (install.py), running it as the operator does, in a container on a network of its own
(containers.py), and being its operator: the owner's account, a key of the public API, a workflow of his own
(account.py).
"""
