"""The rollback by one setting, byte for byte as before, and a second cutover under an independent watch."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from lab.benchmarks.watched import gateway_tokens, journal_of_handover, watched
from tests.lab.cutover.conftest import Before, Lab, claude_files, over_ssh
from tests.lab.cutover.limits import GATEWAY, LIMIT_MS

pytestmark = [pytest.mark.lab, pytest.mark.usefixtures("cut_over")]


@pytest.fixture(scope="module")
def cut_over(lab: Lab, before: Before) -> None:
    """After a cutover from `before`."""
    assert before
    lab.serve("sentinel")


def test_one_setting_and_up_give_the_port_back_as_contextforge_had_it(lab: Lab, before: Before) -> None:
    lab.set("active", "contextforge")
    output = lab.up()
    assert "handover-port deleted" in output
    assert re.search(rf"-> {GATEWAY}: downtime \d+ ms \(release \d+, connect \d+, answer \d+\)", output), output
    rolled_back = lab.verified()
    assert (rolled_back["active"], rolled_back["ok"]) == ("contextforge", True)
    found = lab.inspect(GATEWAY)
    network = found["NetworkSettings"]["Networks"]["mcp-context-forge_mcpnet"]
    # Docker adds the container's short id, which is no alias that anybody gave.
    given = sorted(alias for alias in network["Aliases"] if not found["Id"].startswith(alias))
    assert given == sorted(alias for alias in before.aliases if not found["Id"].startswith(alias))
    assert found["HostConfig"]["RestartPolicy"]["Name"] == before.restart


def test_claudes_file_and_token_are_byte_for_byte_as_before(lab: Lab, before: Before) -> None:
    assert claude_files(lab) == before.claude
    left = {path.name for path in (Path(lab.box.folder) / "claude").iterdir()}
    # A session that began on Sentinel fetches ContextForge's token by it.
    assert "headers" in left and not left & {"record.json", "before.json"}


def test_an_independent_watch_agrees_with_the_programs_own_figure(lab: Lab) -> None:
    """The watch requests an authenticated MCP answer on the port, by none of the product's code. Beside other load
    each of its attempts waits for the processor as well, so that it may see twice the silence.
    """
    journal = journal_of_handover(lab.box)
    with watched(lab.box, 9200, gateway_tokens(lab.box), closely_while=journal) as seen:
        lab.set("active", "sentinel")
        lab.up()
    reported = lab.outputs()["handover"]["downtime_ms"]
    assert seen.missed == 0
    assert abs(seen.gap_ms - reported) < max(150, reported), f"the watch saw {seen}, the program reports {reported} ms"
    assert reported < LIMIT_MS


def test_a_deployed_stack_refuses_to_change_the_way_to_its_host(lab: Lab) -> None:
    for key, value in over_ssh(lab):
        lab.set(key, value)
    refused = lab.ops("up")
    assert refused["ok"] is False
    assert refused["error"].startswith(
        "Stack lab is deployed with host.kind local and cannot change it to ssh in place"
    )
    lab.set("host.kind", "local")
    assert lab.verified()["active"] == "sentinel"
