"""The host's rules as `iptables -S` lists them: ours, the missing ones, and the families whose packets miss ours."""

from __future__ import annotations

import shlex
from collections.abc import Mapping, Sequence

from hostctl.firewall import reached, rules
from hostctl.firewall.privileges import Run
from hostctl.firewall.request import FirewallRequest


def unmet(request: FirewallRequest, run: Run) -> list[str]:
    """Each rule of ours that packets do not meet now, and each family whose packets do not get to ours."""
    found = families(run(rules.listing()))
    return missing(request, found) + [f"{family}: FORWARD to DOCKER-USER" for family in unreached(found)]


def missing(request: FirewallRequest, found: Mapping[str, Sequence[str]]) -> list[str]:
    """Each rule of ours that does not stand before everybody else's."""
    expected = [_arguments(rule) for rule in rules.rules(request.interfaces, request.ports)]
    return [
        f"{family}: {' '.join(sorted(rule))}"
        for family, listed in found.items()
        for rule in expected
        if rule not in [_arguments(leading) for leading in _leading(listed, sorted(rule & {"INPUT", "DOCKER-USER"})[0])]
    ]


def unreached(found: Mapping[str, Sequence[str]]) -> list[str]:
    return [family for family, listed in found.items() if not reached.by_every_new_packet(listed)]


def families(listing: str) -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    family = ""
    for line in listing.splitlines():
        if line in ("iptables", "ip6tables"):
            family = line
            found[family] = []
        elif line.startswith("-") and family:
            found[family].append(line.strip())
    return found


def ours(listing: str) -> list[str]:
    return [f"{family} {rule}" for family, listed in families(listing).items() for rule in listed if is_ours(rule)]


def is_ours(rule: str) -> bool:
    return f" --comment {rules.MARK} " in rule


def _leading(listed: Sequence[str], chain: str) -> list[str]:
    """Our rules that no other rule precedes: an ACCEPT before them would let a packet through."""
    leading: list[str] = []
    for rule in listed:
        if not rule.startswith(f"-A {chain} "):
            continue
        if not is_ours(rule):
            break
        leading.append(rule)
    return leading


def _arguments(rule: str) -> frozenset[str]:
    """A rule's arguments without their order, which differs between versions of iptables."""
    return frozenset(shlex.split(rule.removeprefix("-A ")))
