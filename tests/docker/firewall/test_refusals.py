"""A document or a host on which nothing is changed: ssh's port, a wrong interface, a user who is not root."""

from __future__ import annotations

import os
from typing import Any

import pytest

from hostctl.core.errors import Refusal
from hostctl.firewall import privileges
from hostctl.firewall.request import FirewallRequest
from tests.docker.firewall.vps import Vps

pytestmark = pytest.mark.lab


@pytest.mark.parametrize(
    ("changes", "environment"),
    [
        ({"ports": [9200, 22]}, {}),
        ({"ports": [2222], "ssh_port": 2222}, {}),
        ({"ports": [2200]}, {"SSH_CONNECTION": "198.51.100.7 50000 203.0.113.20 2200"}),
    ],
    ids=["22", "configured", "came-by"],
)
def test_the_port_of_ssh_is_never_guarded(vps: Vps, changes: dict[str, Any], environment: dict[str, str]) -> None:
    text = vps.script.read_text()
    assert "is ssh's: guarding it would lock you out" in vps.hostctl("apply", environment, **changes)
    assert (vps.rules(), vps.script.read_text()) == ([], text)


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        (
            {"interfaces": ["eth7"]},
            "this host has no network interface eth7 (it has lo, outside, eth0): set firewall.interface",
        ),
        ({"interfaces": ["eth0; reboot"]}, "'eth0; reboot' is not the name of a network interface"),
        ({"ports": []}, "'ports' in the document on stdin must be a list of whole numbers, at least one"),
        ({"ports": [70000]}, "70000 is not a port"),
        ({"block": "another"}, "the 'block' of the preview does not match these interfaces and ports"),
        ({"escalation": "magic"}, "must be root, sudo or container"),
    ],
)
def test_a_wrong_document_is_refused_before_anything_changes(vps: Vps, changes: dict[str, Any], sentence: str) -> None:
    error = vps.hostctl("apply", **changes)
    assert sentence in error and error.count("\n") == 1
    assert vps.rules() == []


def test_a_user_who_is_not_root_reads_what_to_set(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    with pytest.raises(Refusal, match="set it to sudo"):
        privileges.runner(FirewallRequest("/srv", ("eth0",), (9200,), "/srv/script"))
