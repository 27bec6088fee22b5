"""The host restarts under each of the two gateways: processes die at once, namespaces and iptables are new.

The box runs what its cron has for `@reboot`, and nothing else brings anything back. The cases follow one another on one
stack, since each begins where the one before ends: a predecessor in standby is a stopped one after its first boot.
"""

from __future__ import annotations

import json
import subprocess
import time
from pathlib import Path
from typing import Any

import pytest

from console.progress import Progress
from lab import box as vps
from lab.box import Place
from lab.doubles.discord import running as discord
from tests.lab.cutover.conftest import Lab
from tests.lab.reboot.conftest import serve
from tests.soak import only_soak

pytestmark = [pytest.mark.lab, pytest.mark.timeout(900)]

GATEWAY = "mcp-context-forge-gateway-1"
PARTS = ["containers", "networks", "port", "firewall", "timers", "monitoring", "backends"]
CHECKED_WITHIN_SECONDS = 420.0
"""The check's own limit, `AFTER_BOOT_SECONDS`, and its message."""


def marked(lab: Lab) -> dict[str, Any]:
    document = lab.ops("reboot-check", "--again")
    assert (document["ok"], document["state"]) == (True, "marked")
    return document


def after_a_boot(lab: Lab, marker: dict[str, Any], progress: Progress) -> dict[str, Any]:
    """The document of `make reboot-check` once the check after the boot has run."""
    vps.reboot(Place(), progress)
    discord.ensure(Place())
    file = Path(lab.box.folder) / "reboot" / "result.json"
    end = time.monotonic() + CHECKED_WITHIN_SECONDS
    while not (file.exists() and json.loads(file.read_text())["marked_at"] == marker["marked_at"]):
        assert time.monotonic() < end, (Place().logs / "cron.log").read_text()[-2000:]
        time.sleep(0.2)
    document = lab.ops("reboot-check")
    assert document["state"] == "checked"
    print(json.dumps(document, indent=1))
    return document


def bad(document: dict[str, Any]) -> dict[str, str]:
    return {one["part"]: one["detail"] for one in document["parts"] if not one["ok"]}


def last_message() -> str:
    return str(discord.messages(Place())[-1]["content"])


def test_with_sentinel_serving_and_contextforge_in_standby_everything_comes_back(lab: Lab, progress: Progress) -> None:
    serve(lab, "sentinel")
    if not lab.stands_by(GATEWAY):
        # A boot of another test has stopped it already: a handover brings it into standby.
        serve(lab, "contextforge")
        serve(lab, "sentinel")
    marker = marked(lab)
    assert {"sentinel-postgres", "sentinel-grafana", "mcp-sqlite", "mcp-context-forge-redis-1"} <= set(
        marker["watched"]
    )
    stood_by = lab.stands_by(GATEWAY)
    document = after_a_boot(lab, marker, progress)
    assert (document["ok"], document["active"]) == (True, "sentinel"), bad(document)
    assert [one["part"] for one in document["parts"]] == PARTS
    state = lab.inspect(GATEWAY)
    assert stood_by and (state["State"]["Status"], state["HostConfig"]["RestartPolicy"]["Name"]) == ("exited", "no")
    assert document["message"] == "sent by Grafana"
    assert last_message().startswith("The host restarted: Sentinel has the port and all 7 parts are well, ")


def test_a_host_that_lost_its_firewall_and_its_monitoring_says_so(lab: Lab, progress: Progress) -> None:
    """Sentinel serves, ContextForge is stopped. A fault after the marker is found at the boot."""
    script, marker = Path(lab.box.home) / "fix-iptables.sh", marked(lab)
    whole = script.read_text()
    begin, end = whole.index("# >>> sentinel-cutover"), whole.rindex("# <<< sentinel-cutover")
    script.write_text(whole[:begin] + whole[whole.index("\n", end) + 1 :])
    lab.docker("update", "--restart=no", "sentinel-prometheus")
    try:
        document = after_a_boot(lab, marker, progress)
    finally:
        script.write_text(whole)
        subprocess.run(lab.on_host([str(script)]), check=True, capture_output=True)
        lab.docker("update", "--restart=unless-stopped", "sentinel-prometheus")
        lab.docker("start", "sentinel-prometheus")
    found = bad(document)
    assert set(found) == {"containers", "firewall", "monitoring"}
    assert found["containers"] == "sentinel-prometheus does not run, and its restart policy is no"
    assert f"{script} has lost its block" in found["firewall"]
    assert "this is not well" in last_message() and "sentinel-prometheus does not run" in last_message()


@only_soak("a minute; the other boots have the same check")
def test_with_contextforge_serving_sentinel_is_in_standby_again(lab: Lab, progress: Progress) -> None:
    serve(lab, "contextforge")
    document = after_a_boot(lab, marked(lab), progress)
    assert (document["ok"], document["active"]) == (True, "contextforge"), bad(document)
    assert last_message().startswith("The host restarted: ContextForge has the port and all 7 parts are well, ")
    assert lab.planned().keys() == {"same"}
