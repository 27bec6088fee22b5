"""The firewall's block, as text: what the script runs at boot is what `firewall apply` runs at once.

Owns: the rules and the shell lines that set or remove them. Deliberately does not: run anything.

    outside --> eth0 --+--> INPUT --------------> a process of the host (sshd, docker-proxy)
                       +--> FORWARD: DOCKER-USER -> a container, by Docker's DNAT

The jump from FORWARD is ours, whoever else jumps: Docker with its nftables backend, or before its start, has none. A
packet that is dropped there is dropped, whatever another table of nftables accepts.

Docker rewrites the destination before FORWARD, so that `--dport` there is the port inside the container; conntrack
still knows the port that the client connected to (`--ctorigdstport`). `--ctdir ORIGINAL` lets in the answers from such
a port of another host.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from hostctl.core.errors import Refusal
from hostctl.schedule.script_block import Block

MARK = "sentinel-cutover"
"""The comment of every rule of ours, by which it is found again."""

INPUT = "INPUT"
DOCKER_USER = "DOCKER-USER"
JUMP = f"FORWARD -m comment --comment {MARK} -j {DOCKER_USER}"
_INTERFACE = re.compile(r"[A-Za-z0-9_.+@-]{1,15}")
_FAMILIES = """    # cron's PATH holds no sbin.
    PATH="${PATH:-/usr/bin:/bin}:/usr/sbin:/sbin:/usr/bin:/bin"
    for family in iptables ip6tables; do
        # Without an address of it beside loopback's, nothing comes in by IPv6, and ip6tables may not work.
        [ "$family" = iptables ] || grep -qsv ' lo$' /proc/net/if_inet6 || continue"""
_OURS = f"""        rules=$("$family" -w 10 -S) || exit 1
        ours=$(printf '%s\\n' "$rules" | sed -n '/ --comment {MARK} /s/^-A/-D/p')"""
_EXIT = (
    # Their script ends as it would have without us, also where the rules cannot be set.
    "trap 'sentinel_cutover_status=$?; sentinel_cutover_firewall || :; exit \"$sentinel_cutover_status\"' EXIT"
)


def rules(interfaces: Sequence[str], ports: Sequence[int]) -> list[str]:
    """Every rule in the form that `iptables -I` takes, the same for IPv4 and IPv6."""
    matches = {
        INPUT: "-p tcp -m tcp --dport {port}",
        DOCKER_USER: "-p tcp -m conntrack --ctdir ORIGINAL --ctorigdstport {port}",
    }
    return [
        f"{chain} -i {interface} {match.format(port=port)} -m comment --comment {MARK} -j DROP"
        for chain, match in matches.items()
        for interface in interfaces
        for port in ports
    ]


def block(interfaces: Sequence[str], ports: Sequence[int]) -> Block:
    """The managed block of the firewall script; raises Refusal for an invalid name or number."""
    _require_valid(interfaces, ports)
    inserted = "\n".join(f"-I {rule}" for rule in [*rules(interfaces, ports), JUMP])
    body = f"""\
# A port that Docker publishes never passes INPUT, so the rules stand in DOCKER-USER too. They are set at once, in
# one step for each family, and again when this script ends, whatever it flushed and however it ends.
sentinel_cutover_firewall() (
{_FAMILIES}
        for chain in {INPUT} {DOCKER_USER}; do
            # Before dockerd's first start there is no {DOCKER_USER}; Docker takes the one that it finds.
            "$family" -w 10 -n -L "$chain" > /dev/null 2>&1 || "$family" -w 10 -N "$chain" || exit 1
        done
{_OURS}
        "$family-restore" -w 10 --noflush << RULES || exit 1
*filter
$ours
{inserted}
COMMIT
RULES
    done
)
sentinel_cutover_firewall || echo 'sentinel-cutover: the firewall rules could not be set' >&2
{_EXIT}
"""
    return Block("firewall", body, at_start=True)


def removal() -> str:
    """Shell lines that remove every rule of ours, and the chain where only we needed it."""
    return f"""(
{_FAMILIES}
{_OURS}
        "$family-restore" -w 10 --noflush << RULES || exit 1
*filter
$ours
COMMIT
RULES
        # iptables refuses to remove a chain that holds rules or is jumped to: then it is Docker's.
        "$family" -w 10 -X {DOCKER_USER} 2> /dev/null || :
    done
)
"""


def listing() -> str:
    """Shell lines that print each family's name and all of its filter rules."""
    return f"""(
{_FAMILIES}
        echo "$family"
        "$family" -w 10 -S || exit 1
    done
)
"""


def _require_valid(interfaces: Sequence[str], ports: Sequence[int]) -> None:
    # They become lines that root's shell reads.
    for interface in interfaces:
        if not _INTERFACE.fullmatch(interface):
            raise Refusal(f"'{interface}' is not the name of a network interface: set firewall.interface")
    if not interfaces:
        raise Refusal("'interfaces' is empty: give at least one")
    for port in ports:
        if not 1 <= port <= 65535:
            raise Refusal(f"{port} is not a port: give whole numbers from 1 to 65535")
