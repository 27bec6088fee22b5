"""What happens on the host: small idempotent verbs, one JSON document in on stdin, one JSON document out on stdout.

Owns: the host's files, networks, tokens, the standby-up, the record of the predecessor and the handover of the port.
Deliberately does not: import Pulumi or anything outside the standard library (Python 3.9 is all that it needs), read
data from arguments or the environment, or put a secret into anything that it prints.
"""
