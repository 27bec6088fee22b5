"""The actions on the host: small idempotent verbs, one JSON document on stdin, one on stdout.

Owns: the host's files, networks, tokens, the standby gateway, the predecessor's record and the handover of the port.
Deliberately does not: import Pulumi or anything outside the standard library (Python 3.9 is enough), read data from
arguments or the environment, or print a secret.
"""
