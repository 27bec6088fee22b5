"""Containers that come back in another order than they were made, as after a reboot of the host."""

from __future__ import annotations

import subprocess

import pytest

from tests.integration.bridge.parts import until
from tests.lab.cutover.conftest import Lab

pytestmark = [pytest.mark.lab, pytest.mark.engine]

SIDECARS = ("n8n-mcp", "mcp-sqlite")
HEALTHY_SECONDS = 90


def since_start(lab: Lab, container: str) -> list[str]:
    """The lines that a container wrote since its last start."""
    since = lab.inspect(container)["State"]["StartedAt"]
    argv = ["docker", f"--host={lab.box.docker_host}", "logs", "--since", since, container]
    done = subprocess.run(argv, capture_output=True, text=True, timeout=60, check=True)
    return (done.stdout + done.stderr).splitlines()


def test_sentinel_before_its_sidecars_and_its_database_serves_every_backend(lab: Lab) -> None:
    """After a reboot the sidecars' tools were missing for good; the bridge waits for them now."""
    lab.up()
    sentinel = str(lab.outputs()["sentinel"])
    lab.docker("stop", "--time", "5", sentinel, *SIDECARS, "sentinel-postgres")
    lab.docker("start", sentinel)
    until(lambda: any("waits up to" in line for line in since_start(lab, sentinel)), "the gateway's start waits")
    lab.docker("start", *SIDECARS, "sentinel-postgres")
    until(lambda: lab.inspect(sentinel)["State"]["Health"]["Status"] == "healthy", "it is healthy", HEALTHY_SECONDS)
    found = lab.verified()
    assert found["ok"], found
    assert {one["name"] for one in found["backends"]} == lab.backends()
