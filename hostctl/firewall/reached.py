"""The way of a forwarded packet to DOCKER-USER, in the rules as `iptables -S` lists them (iptables(8)).

Deliberately does not: know what a condition means, but that of an established connection, which is no new packet. A
rule that could accept a new packet counts as one that does.
"""

from __future__ import annotations

import shlex
from collections.abc import Sequence

from hostctl.firewall.rules import DOCKER_USER

_FORWARD = "FORWARD"
_ENDS = ("ACCEPT", "RETURN")
"""Targets by which a packet would leave FORWARD, or pass it, without DOCKER-USER."""


def by_every_new_packet(listed: Sequence[str]) -> bool:
    """True where each new packet in FORWARD gets to DOCKER-USER, or is dropped."""
    chains: dict[str, list[list[str]]] = {}
    for rule in listed:
        argv = shlex.split(rule)
        if argv[0] == "-A":
            chains.setdefault(argv[1], []).append(argv[2:])
    for argv in chains.get(_FORWARD, []):
        target = _target(argv)
        if target == DOCKER_USER and not _conditions(argv):
            return True
        if _accepts(argv, target, chains, {_FORWARD, DOCKER_USER}):
            return False
    return False


def _accepts(argv: Sequence[str], target: str, chains: dict[str, list[list[str]]], seen: set[str]) -> bool:
    if _is_of_established(argv):
        return False
    if target in _ENDS:
        return target == "ACCEPT" or seen == {_FORWARD, DOCKER_USER}
    if target not in chains or target in seen:
        return False
    inner = seen | {target}
    return any(_accepts(rule, _target(rule), chains, inner) for rule in chains[target])


def _target(argv: Sequence[str]) -> str:
    return next((argv[at + 1] for at, word in enumerate(argv[:-1]) if word in ("-j", "-g", "--jump", "--goto")), "")


def _conditions(argv: Sequence[str]) -> list[str]:
    """Everything but the target and a comment."""
    left = list(argv)
    for option in ("-j", "-g", "--comment"):
        while option in left[:-1]:
            at = left.index(option)
            del left[at : at + 2]
    return [word for word in left if word not in ("-m", "comment")]


def _is_of_established(argv: Sequence[str]) -> bool:
    states = next((argv[at + 1] for at, word in enumerate(argv[:-1]) if word in ("--ctstate", "--state")), "NEW")
    negated = any(word == "!" and argv[at + 1] in ("--ctstate", "--state") for at, word in enumerate(argv[:-1]))
    return not negated and set(states.split(",")) <= {"RELATED", "ESTABLISHED"}
