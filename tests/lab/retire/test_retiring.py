"""ContextForge really leaves the lab's host: refused too early, resumed after a killed run, all seven answer.

The tests of this file are chapters: each goes on where the one before ended.
"""

from __future__ import annotations

import json
import subprocess
import time
from pathlib import Path
from typing import Any

import pytest

from console.paths import LOGS
from console.progress import Progress
from lab.real.contextforge.services import GATEWAY, NETWORK, POSTGRES, PROJECT, REDIS, SERVERS
from ops.commands.retire_contextforge import document_of
from ops.engine import host
from ops.engine.run import open_stack
from ops.engine.state import settings_of
from settings.names import PREDECESSOR_NETWORK
from tests.lab.cutover.conftest import STACK, Lab

pytestmark = [pytest.mark.lab, pytest.mark.timeout(600)]

GONE = [one.container_name for one in (POSTGRES, REDIS, SERVERS, GATEWAY)]
SIDECARS = ["mcp-sqlite", "n8n-mcp"]


def names(lab: Lab, *arguments: str) -> set[str]:
    return set(lab.docker(*arguments).split())


def containers(lab: Lab) -> set[str]:
    return names(lab, "ps", "--all", "--format", "{{.Names}}")


def history(lab: Lab) -> list[dict[str, Any]]:
    return json.loads(lab.make("history").stdout)


def retirement(lab: Lab, action: str) -> dict[str, Any]:
    """A step of its own, as a run that was killed after it leaves it."""
    settings = settings_of(open_stack(STACK, Progress(LOGS), create=False), STACK)
    return host.run(STACK, settings, "retire", action, document_of(settings))


def test_a_stack_that_was_made_under_the_strictest_umask_answers_and_is_as_declared(cut_over: Lab) -> None:
    found = cut_over.verified()
    assert found["ok"] is True and found["as_declared"]["ok"] is True
    # Whoever runs the jobs and Claude's entry reads what lies there.
    assert Path(cut_over.box.folder).stat().st_mode & 0o777 == 0o755


def test_it_is_refused_before_its_days_and_its_proof_with_the_date_and_nothing_is_touched(cut_over: Lab) -> None:
    before = containers(cut_over)
    refused = cut_over.ops("retire-contextforge")
    assert refused["ok"] is False
    days, proof = refused["refused"]
    assert "predecessor.retire_days is 14" in days and refused["allowed_from"] in days
    assert "no backup of Sentinel's database has passed a restore drill" in proof and refused["allowed_from"] in proof
    assert containers(cut_over) == before
    assert not (Path(cut_over.box.folder) / "retired").exists()


def test_the_inventory_lists_sizes_and_the_dump_is_read_back_whole(cut_over: Lab) -> None:
    cut_over.docker("network", "create", "orphan")
    seen = retirement(cut_over, "inspect")["inventory"]
    assert sorted(one["name"] for one in seen["containers"]) == sorted(GONE)
    assert [one["name"] for one in seen["networks"]] == [NETWORK, PREDECESSOR_NETWORK]
    assert [one["name"] for one in seen["volumes"]] == [f"{PROJECT}_pgdata"]
    assert seen["volumes"][0]["bytes"] > 1_000_000
    assert all(one["bytes"] > 1_000_000 for one in seen["images"]) and seen["images"]
    assert [Path(one["path"]).name for one in seen["files"]] == [
        ".env",
        "docker-compose.slim.yml",
        "docker-compose.yml",
    ]
    assert [(one["name"], one["egress"]) for one in seen["sidecars"]] == [("mcp-sqlite", False), ("n8n-mcp", False)]
    assert [one["name"] for one in seen["stale"]] == ["orphan"]
    kept = retirement(cut_over, "dump")
    dump = Path(kept["dump"]["path"])
    assert (dump.stat().st_mode & 0o777, dump.parent.stat().st_mode & 0o777) == (0o600, 0o700)
    argv = ["docker", f"--host={cut_over.box.docker_host}", "exec", "-i", "sentinel-postgres", "pg_restore", "-f", "-"]
    with dump.open("rb") as file:
        dumped = subprocess.run(argv, stdin=file, capture_output=True, check=True, timeout=60).stdout
    # The seven backends as ContextForge knew them.
    assert b"COPY public.gateways" in dumped and b"sequential-thinking" in dumped


def test_a_killed_retirement_is_finished_and_everything_runs_without_it(cut_over: Lab) -> None:
    drill = {"result": "good", "last_good": {"at": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(time.time() + 1))}}
    proof = Path(cut_over.box.folder) / "nightly" / "restore-drill.json"
    proof.parent.mkdir(exist_ok=True)
    proof.write_text(json.dumps(drill))
    cut_over.set("predecessor.retire_days", "0")
    assert retirement(cut_over, "inspect")["refused"] == []
    retirement(cut_over, "begin")
    cut_over.docker("rm", "--force", REDIS.container_name)

    done = cut_over.ops("retire-contextforge", "--stale")
    assert (done["ok"], done["changed"], done["in_use"]) == (True, True, [])
    assert sorted(done["removed"]["containers"]) == sorted(GONE)
    assert done["stale"]["removed"] == ["orphan"]
    assert {row["name"] for row in done["verify"]["backends"]} == cut_over.backends()

    assert not containers(cut_over) & set(GONE)
    assert set(SIDECARS) <= containers(cut_over)
    assert not names(cut_over, "network", "ls", "--format", "{{.Name}}") & {
        NETWORK, PREDECESSOR_NETWORK, "orphan",
    }  # fmt: skip
    volumes = names(cut_over, "volume", "ls", "--format", "{{.Name}}")
    assert f"{PROJECT}_pgdata" not in volumes and f"{PROJECT}_sqlite" in volumes
    assert cut_over.box.images["contextforge"] not in names(
        cut_over, "image", "ls", "--format", "{{.Repository}}:{{.Tag}}"
    )
    assert not (Path(cut_over.box.home) / PROJECT).exists()
    for name in SIDECARS:
        networks = cut_over.inspect(name)["NetworkSettings"]["Networks"]
        assert sorted(networks) == ["sentinel", "sentinel-edge"]


def test_the_stack_shows_an_absent_predecessor_and_a_second_run_changes_nothing(cut_over: Lab) -> None:
    assert set(cut_over.planned()) == {"same"}
    assert cut_over.ops("status")["predecessor"] == "absent"
    assert "rollback" not in cut_over.outputs()
    again = cut_over.ops("retire-contextforge")
    assert (again["ok"], again["changed"]) == (True, False)


@pytest.mark.parametrize("way", ["to-contextforge", "to-an-update-with-contextforge"])
def test_the_rollback_is_refused_in_a_sentence(cut_over: Lab, way: str) -> None:
    updates = [one for one in history(cut_over) if (one["kind"], one["result"]) == ("update", "succeeded")]
    arguments = [] if way == "to-contextforge" else ["--to", str(updates[1]["number"])]
    holder = cut_over.docker("ps", "--filter", "publish=9200", "--format", "{{.Names}}")
    refused = cut_over.make("rollback", *arguments)
    assert refused.returncode == 1
    assert "ContextForge was retired at" in json.loads(refused.stdout)["error"]
    assert cut_over.docker("ps", "--filter", "publish=9200", "--format", "{{.Names}}") == holder


def test_claudes_record_holds_nothing_of_it_any_more(cut_over: Lab) -> None:
    record = json.loads((Path(cut_over.box.folder) / "claude" / "record.json").read_text())
    assert (record["found"]["theirs"], record["token"], record["identity"]["replaces"]) == (None, {"exists": False}, "")
    assert not (Path(cut_over.box.folder) / "claude" / "before.json").exists()
