"""Changes to a stack that serves: a limit, an image, the gateway's configuration, its kill switch; rows stay."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from tests.lab.cutover.conftest import Lab
from tests.lab.cutover.limits import GATEWAY

pytestmark = [pytest.mark.lab, pytest.mark.usefixtures("serving")]


@pytest.fixture(scope="module")
def serving(lab: Lab) -> None:
    lab.serve("sentinel")


def test_a_row_survives_a_changed_memory_limit_in_the_same_container(lab: Lab) -> None:
    lab.sql("drop table if exists kept; create table kept (line text)")
    lab.sql("insert into kept values ('still here')")
    container = lab.inspect("sentinel-postgres")["Id"]
    lab.set("postgres.memory_mb", "320")
    lab.up()
    found = lab.inspect("sentinel-postgres")
    assert (found["Id"], found["HostConfig"]["Memory"]) == (container, 320 * 1024 * 1024)
    assert found["HostConfig"]["MemorySwap"] == 320 * 1024 * 1024
    assert lab.sql("select line from kept") == "still here"


def test_a_row_survives_another_image_in_another_container_and_nobody_hands_the_port_over(lab: Lab) -> None:
    serving, container = lab.inspect(lab.outputs()["sentinel"])["Id"], lab.inspect("sentinel-postgres")["Id"]
    lab.docker("commit", "--change", "LABEL test=other", "sentinel-postgres", "lab/postgres:other")
    lab.set("postgres.image", "lab/postgres:other")
    output = lab.up()
    assert lab.inspect("sentinel-postgres")["Id"] != container
    assert lab.sql("select line from kept") == "still here"
    assert "handover-port" not in output
    assert lab.inspect(lab.outputs()["sentinel"])["Id"] == serving
    assert lab.verified()["ok"] is True
    lab.pulumi("config", "rm", "postgres.image")
    lab.up()
    lab.docker("image", "rm", "lab/postgres:other")
    assert lab.sql("select line from kept") == "still here"


def test_a_changed_configuration_takes_over_from_the_serving_sentinel_without_contextforge(lab: Lab) -> None:
    old = lab.outputs()["sentinel"]
    lab.set("sentinel.log_level", "debug")
    lab.up()
    handover = lab.outputs()["handover"]
    assert (handover["from"], handover["to"]) == (old, lab.outputs()["sentinel"])
    assert old != lab.outputs()["sentinel"]
    assert lab.docker("ps", "-aq", "--filter", f"name={old}") == ""
    assert lab.stands_by(GATEWAY)
    assert lab.verified()["ok"] is True


def test_the_kill_switch_reaches_the_serving_container_without_another_one(lab: Lab) -> None:
    """The harmless call is disabled, so the verification's own answer shows the refusal and its end."""
    before = lab.inspect(lab.outputs()["sentinel"])
    lab.set("sentinel.kill_switch", json.dumps({"disabled_tools": ["list_tables"]}))
    output = lab.up()
    assert "sentinel-live-reload updated" in output and "handover-port" not in output, output
    refused = {one["name"]: one["result"] for one in lab.verified()["backends"]}
    assert refused.get("sqlite") != "ok" and refused["sequential-thinking"] == "ok"
    # A tool that no check calls leaves the list without a failure.
    lab.set("sentinel.kill_switch", json.dumps({"disabled_tools": ["browser_press_key"]}))
    lab.up()
    seen = lab.verified()
    assert seen["ok"] is True and seen["compared"]["missing"] == {}
    assert seen["compared"]["switched_off"] == ["playwright-browser-press-key"]
    lab.set("sentinel.kill_switch", "{}")
    lab.up()
    assert lab.verified()["ok"] is True
    after = lab.inspect(lab.outputs()["sentinel"])
    assert (after["Id"], after["State"]["StartedAt"]) == (before["Id"], before["State"]["StartedAt"])
    assert set(lab.planned()) == {"same"}


def test_a_reload_of_a_file_that_cannot_be_read_is_refused_with_the_gateways_message_and_it_goes_on(lab: Lab) -> None:
    serving = lab.inspect(lab.outputs()["sentinel"])
    folder = next(Path(one["Source"]) for one in serving["Mounts"] if one["Destination"] == "/etc/sentinel")
    good = (folder / "sentinel-main.toml").read_bytes()
    (folder / "sentinel-main.toml").write_text("[kill_switch")
    document = {
        "docker_socket": lab.box.docker_socket, "container": serving["Id"], "reloads": 2, "port": 9200,
        "listed": ["list_tables"], "probe": {"token_file": f"{lab.box.folder}/handover-token"},
    }  # fmt: skip
    argv = lab.on_host([sys.executable, "-I", "-S", f"{lab.box.folder}/hostctl.pyz", "sentinel", "reload"])
    try:
        done = subprocess.run(argv, input=json.dumps(document), capture_output=True, text=True, timeout=60)
    finally:
        (folder / "sentinel-main.toml").write_bytes(good)
    assert done.returncode == 1
    assert "keeps its previous kill switch and rate limits" in done.stderr
    assert "Failed to parse config file" in done.stderr
    assert lab.verified()["ok"] is True
