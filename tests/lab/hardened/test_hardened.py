"""The whole life of a stack on a hardened host, over ssh, by an operator in the docker group without root and sudo.

The cases follow one another on one deployment, since each begins where the one before ends.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Generator
from pathlib import Path
from typing import Any

import pytest

from lab.box import hardened, orphans
from tests.lab.clone import Clone, made

pytestmark = [pytest.mark.lab, pytest.mark.timeout(900)]

GATEWAY = "mcp-context-forge-gateway-1"


@pytest.fixture(scope="module")
def clone(tmp_path_factory: pytest.TempPathFactory) -> Generator[Clone]:
    found = made(tmp_path_factory.mktemp("clone"))
    try:
        yield found
    finally:
        found.take_down()
    assert orphans(found.place) == []


@pytest.fixture(scope="module")
def theirs(clone: Clone) -> dict[str, Any]:
    """The operator's own things, before the first run."""
    clone.make_ready()
    return operators(clone)


def operators(clone: Clone) -> dict[str, Any]:
    """Crontab, work tree, scripts, Claude's file, and the neighbours."""
    files = [*clone.home.glob("*.sh"), *clone.home.glob("v1be-code-server/*.sh"), clone.home / ".claude.json"]
    labels = '{{.Label "com.docker.compose.project"}}{{.Label "sentinel-cutover"}}'
    listed = [line.split() for line in clone.docker("ps", "-a", "--format", f"{{{{.Names}}}} {labels}").splitlines()]
    return {
        "crontab": clone.as_operator("crontab", "-l", check=False),
        "changes": clone.as_operator("git", "-C", str(clone.home / "v1be-code-server"), "status", "--porcelain"),
        "files": {str(path): (path.read_bytes(), path.stat().st_mode, path.stat().st_uid) for path in files},
        "neighbours": sorted(words[0] for words in listed if len(words) == 1),
    }


def serving(clone: Clone) -> list[str]:
    return clone.docker("ps", "--filter", "publish=9200", "--format", "{{.Names}}").split()


def test_the_inspection_comes_first_and_finds_no_problem(clone: Clone, theirs: dict[str, Any]) -> None:
    assert theirs["changes"] == "" and "nightly-db-backup.sh" in theirs["crontab"]
    rows = [row for row in clone.ops("doctor", check=False) if "verdict" in row]
    found = {f"{row['part']} {row['verdict']}": row["found"] for row in rows}
    assert [part for part in found if part.endswith(("problem", "not checked"))] == [], found
    assert found["user ok"] == "operator, an ordinary user, in the group docker"
    assert found["scheduler ok"] == "cron, in the crontab of operator"


def test_up_cuts_over_and_everything_is_the_operators(clone: Clone, theirs: dict[str, Any]) -> None:
    assert clone.ops("up", "--yes")["ok"] is True
    assert [name.startswith("sentinel-gateway") for name in serving(clone)] == [True]
    product = Path(clone.box.folder)
    owners = {path.lstat().st_uid for path in [product, *product.rglob("*")]}
    assert owners == {hardened.UID}
    readable = [str(path) for path in product.rglob("*") if path.is_file() and path.stat().st_mode & 0o004]
    assert [path for path in readable if "secret" in path or "token" in path or "-files-" in path] == []
    after = operators(clone)
    assert after["changes"] == "" and theirs["crontab"] in after["crontab"]
    assert "firewall restore" in after["crontab"] and "reboot-check check" in after["crontab"]


def test_a_second_preview_changes_nothing_and_the_calls_are_good(clone: Clone) -> None:
    assert set(json.loads(clone.pulumi("preview", "--json", "--non-interactive"))["changeSummary"]) == {"same"}
    found = clone.ops("verify")
    assert (found["ok"], found["claude"]["ok"], found["firewall"]["ok"]) == (True, True, True)
    assert len(clone.rules()) > 0


def test_the_nightly_job_runs_as_the_operators_cron_runs_it(clone: Clone) -> None:
    clone.as_operator(str(clone.home / "nightly-db-backup.sh"))
    status = clone.ops("status")
    assert status["nightly"]["ok"] is True and status["drift"] == []


def test_a_rollback_and_a_second_cutover(clone: Clone) -> None:
    back = clone.ops("rollback", "--yes")
    assert (back["ok"], back["active"], serving(clone)) == (True, "contextforge", [GATEWAY])
    clone.pulumi("config", "set", "active", "sentinel")
    assert clone.ops("up", "--yes")["ok"] is True
    assert [name.startswith("sentinel-gateway") for name in serving(clone)] == [True]


def test_after_a_boot_everything_comes_back_by_the_operators_own_crontab(clone: Clone) -> None:
    marker = clone.ops("reboot-check", "--again")
    clone.run(sys.executable, "-m", "lab", "reboot")
    result = Path(clone.box.folder) / "reboot" / "result.json"
    clone.until(lambda: result.exists() and json.loads(result.read_text())["marked_at"] == marker["marked_at"], 420)
    checked = clone.ops("reboot-check")
    assert checked["ok"] is True, checked
    assert len(clone.rules()) > 0


def test_taken_down_the_host_is_as_it_was(clone: Clone, theirs: dict[str, Any]) -> None:
    clone.pulumi("destroy", "--yes", "--skip-preview", "--non-interactive")
    assert serving(clone) == [GATEWAY]
    assert clone.rules() == []
    assert operators(clone) == theirs
