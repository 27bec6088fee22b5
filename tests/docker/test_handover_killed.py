"""The handover killed at any point, on a real Docker engine: one more run ends as requested."""

from __future__ import annotations

import json
import signal
from typing import Any

import pytest

from hostctl.handover import scenarios
from tests.docker.handover_host import NEWER, Host
from tests.soak import SOAK, sample

pytestmark = [
    pytest.mark.lab,
    pytest.mark.timeout(120, func_only=True),
    pytest.mark.usefixtures("starts_with_contextforge"),
]

# Whether Docker is between two starts of a crashing container is chance, so no kill is aimed there.
EVERY: dict[str, list[str]] = scenarios.points()["scenarios"]
SCENARIOS = {
    name: points for name, points in EVERY.items() if name not in ("undo from a crashing Sentinel", scenarios.NEWER)
}
ONE_IN = 5
"""Of the points that a scenario is the first to pass, CI takes one in five; a soak takes all of each scenario."""
FIRST = {point: name for name, points in reversed(SCENARIOS.items()) for point in points}
CHOSEN = [
    (name, point)
    for number, (name, points) in enumerate(SCENARIOS.items())
    for point in sample([point for point in points if SOAK or FIRST[point] == name], ONE_IN, number)
]
WINDOW = ("prepare", "aside", "release", "connect")
IMPATIENT = {"answer_seconds": 0.3, "predecessor_seconds": 10, "drain_seconds": 5}


def killed(host: Host, scenario: str, point: str) -> dict[str, Any]:
    """Bring the world to the scenario's start and run its verb so that it dies at the point; how to run it again."""
    action, sentinel = "cutover", "sentinel"
    changes: dict[str, Any] = {}
    if scenario in (
        "rollback",
        "stop-predecessor",
        "rollback to a stopped predecessor",
        "undo of a rollback",
    ):
        host.handover("cutover")
        action = "stop-predecessor" if scenario == "stop-predecessor" else "rollback"
    networks = host.inspect("forge")["NetworkSettings"]["Networks"]
    if scenario in ("cutover", scenarios.NEWER) and host.standby in networks:
        # A first cutover: ContextForge has not stood by yet.
        host.engine.post(f"/networks/{host.standby}/disconnect", {"Container": host.ids["forge"]})
    if scenario == "rollback to a stopped predecessor":
        host.handover("stop-predecessor")
        host.engine.post(f"/containers/{host.ids['database']}/stop?t=0")
        # As compose would have made it again while Sentinel serves.
        host.engine.post(f"/networks/{host.standby}/disconnect", {"Container": host.ids["forge"]})
        host.engine.post(f"/networks/{host.own}/connect", {"Container": host.ids["forge"]})
    if scenario == "cutover to a stopped Sentinel":
        host.engine.post(f"/containers/{host.ids['sentinel']}/stop?t=0")
    if scenario == "undo of a rollback":
        changes = {"predecessor_probe": {"path": "/nowhere"}, "limits": {**IMPATIENT, "predecessor_seconds": 0.3}}
    if scenario == "cutover that stops the predecessor":
        changes["keep"] = "stopped"
    if scenario == "cutover after a rollback":
        host.handover("cutover")
        host.handover("rollback")
    if scenario in ("cutover from an older Sentinel", "undo to an older Sentinel"):
        host.handover("cutover")
        sentinel = "newer"
        host.create_sentinel(sentinel, ON_SECOND_NETWORK="mute" if scenario.startswith("undo") else "")
    if scenario == "undo to the predecessor":
        sentinel = "broken"
        host.create_sentinel(sentinel, ON_SECOND_NETWORK="mute")
    if scenario.startswith("undo") and action == "cutover":
        changes["limits"] = IMPATIENT
    done = host.call("handover", action, host.document(sentinel, **changes), HOSTCTL_DIE_AT=point)
    assert done.returncode == -signal.SIGKILL, f"{scenario} does not pass {point}: {done.stderr or done.stdout}"
    return {"action": action, "sentinel": sentinel}


@pytest.mark.parametrize(("scenario", "point"), [pair for pair in CHOSEN if not pair[0].startswith("undo")])
def test_killed_at_any_point_one_more_run_of_the_same_ends_as_requested(host: Host, scenario: str, point: str) -> None:
    begun = killed(host, scenario, point)
    again = host.handover(**begun)
    assert host.who_answers() == ("forge" if begun["action"] == "rollback" else begun["sentinel"]), again
    assert host.handover("status")["unfinished"] is None


@pytest.mark.parametrize(("scenario", "point"), [pair for pair in CHOSEN if pair[0].startswith(("cutover", "undo"))])
def test_killed_at_any_point_one_rollback_ends_with_contextforge(host: Host, scenario: str, point: str) -> None:
    killed(host, scenario, point)
    host.handover("rollback")
    assert host.who_answers() == "forge"
    assert host.handover("status")["unfinished"] is None
    assert host.shape("sentinel")["networks"] == {host.internal: ["sentinel-gateway"]}


@pytest.mark.parametrize(
    ("scenario", "point"), [pair for pair in CHOSEN if pair[1].split(".")[1] in (*WINDOW, "answer")]
)
def test_a_power_cut_in_the_window_is_ended_by_the_boot_without_anybodys_command(
    host: Host, scenario: str, point: str
) -> None:
    begun = killed(host, scenario, point)
    host.boots()
    done = host.ok("handover", "recover", folder=str(host.folder))
    status = host.handover("status", begun["sentinel"])
    assert status["unfinished"] is None
    assert status["active"] == done["active"] != "nobody"
    assert host.who_answers() != ""
    assert host.ok("handover", "recover", folder=str(host.folder))["recovered"] == ""


@pytest.mark.parametrize("box", [NEWER], indirect=True)
@pytest.mark.parametrize(
    "point", sample([point for point in EVERY[scenarios.NEWER] if point.split(".")[1] in WINDOW], ONE_IN)
)
def test_killed_on_a_newer_docker_either_way_on_ends_as_requested(host: Host, point: str) -> None:
    killed(host, scenarios.NEWER, point)
    host.handover("cutover")
    assert host.who_answers() == "sentinel"
    host.handover("rollback")
    killed(host, scenarios.NEWER, point)
    host.handover("rollback")
    assert host.who_answers() == "forge"


def test_every_point_that_a_run_writes_is_among_the_listed(host: Host) -> None:
    host.handover("cutover")
    host.handover("stop-predecessor")
    host.handover("rollback")
    listed = set(scenarios.points()["points"])
    for path in sorted((host.folder / "finished").iterdir()):
        written = {json.loads(line)["point"] for line in path.read_text().splitlines()}
        # A predecessor that a busy machine keeps from answering is started again, and an undo starts a gateway that it
        # finds between two starts: no kill is aimed at that chance.
        starts = ("undo.standby.start", "undo.standby.end-sessions")
        chance = {p for p in written if p.endswith(".resume") or ".again." in p or p.startswith(starts)}
        unlisted = written - listed - chance
        assert not unlisted, path.name
