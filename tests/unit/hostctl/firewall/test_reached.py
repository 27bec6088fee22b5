"""A rule in DOCKER-USER is met only where each new forwarded packet gets there."""

from __future__ import annotations

import pytest

from hostctl.firewall import reached

OURS = "-A FORWARD -m comment --comment sentinel-cutover -j DOCKER-USER"
DOCKERS = "-A FORWARD -j DOCKER-USER"
UFW = ["-A FORWARD -j ufw-before-forward", "-A ufw-before-forward -m conntrack --ctstate RELATED,ESTABLISHED -j ACCEPT"]


@pytest.mark.parametrize(
    ("listed", "met"),
    [
        ([OURS], True),
        ([DOCKERS, "-A FORWARD -j DOCKER-FORWARD", "-A DOCKER-FORWARD -j ACCEPT"], True),
        ([], False),
        (["-P FORWARD ACCEPT", "-N DOCKER-USER", "-A DOCKER-USER -i eth0 -j DROP"], False),
        (["-A FORWARD -j ACCEPT", OURS], False),
        (["-A FORWARD -i eth0 -o br-1 -j ACCEPT", OURS], False),
        (["-A FORWARD -s 192.0.2.0/24 -j DROP", OURS], True),
        (["-A FORWARD -j DOCKER-FORWARD", "-A DOCKER-FORWARD -j DOCKER", "-A DOCKER -o br-1 -j ACCEPT", OURS], False),
        ([*UFW, OURS], True),
        ([*UFW, "-A ufw-before-forward -p icmp -j ACCEPT", OURS], False),
        (["-A FORWARD -m state --state RELATED,ESTABLISHED -j ACCEPT", OURS], True),
        (["-A FORWARD -m conntrack ! --ctstate RELATED,ESTABLISHED -j ACCEPT", OURS], False),
        (["-A FORWARD -m conntrack --ctstate DNAT -j ACCEPT", OURS], False),
        (["-A FORWARD -j RETURN", OURS], False),
        (["-A FORWARD -j own", "-A own -j RETURN", OURS], True),
        (["-A FORWARD -j one", "-A one -j two", "-A two -j one", OURS], True),
        (["-A FORWARD -i wg0 -j DOCKER-USER"], False),
        (['-A FORWARD -m comment --comment "a jump -j ACCEPT" -j DOCKER-USER'], True),
        (["-A FORWARD -i eth0"], False),
    ],
)  # fmt: skip
def test_whatever_a_new_packet_passes_before_docker_user(listed: list[str], met: bool) -> None:
    assert reached.by_every_new_packet(listed) is met
