"""The end of a stack: what `destroy` gives back and keeps; the same program from a laptop then finds the old rows."""

from __future__ import annotations

import re
import time
from pathlib import Path

import pytest

from settings.names import PREDECESSOR_NETWORK
from tests.lab.cutover.conftest import Before, Lab, claude_files, over_ssh
from tests.lab.cutover.limits import GATEWAY, LIMIT_MS

pytestmark = [pytest.mark.lab, pytest.mark.usefixtures("deployed")]

BELOW_THE_HANDOVER = ("verification", "claude-entry", "claude-token", "cutover-mark", "nightly")
BESIDE_THE_HANDOVER = ("sentinel-prometheus", "sentinel-grafana", "resources", "reboot-check")
"""They only observe and nothing depends on them, so that the engine may take them away at any time before it."""


@pytest.fixture(scope="module")
def deployed(lab: Lab, before: Before) -> None:
    """Sentinel on the port, and a row in its database."""
    assert before
    lab.serve("sentinel")
    lab.sql("drop table if exists kept; create table kept (line text)")
    lab.sql("insert into kept values ('still here')")


def test_destroy_gives_the_port_back_first_and_keeps_the_volume(lab: Lab, before: Before) -> None:
    output = lab.pulumi("destroy", "--yes", "--skip-preview", "--non-interactive", "--color", "never")
    deleted = re.findall(r"(\S+) deleted", output)
    first = {part: next(at for at, one in enumerate(deleted) if one.startswith(part)) for part in BELOW_THE_HANDOVER}
    assert max(first["verification"], first["claude-entry"]) < deleted.index("handover-port"), output
    earlier = deleted[: deleted.index("handover-port")]
    assert [one for one in earlier if not one.startswith(BELOW_THE_HANDOVER + BESIDE_THE_HANDOVER)] == []
    assert claude_files(lab) == before.claude
    assert lab.inspect(GATEWAY)["State"]["Running"] is True
    assert lab.docker("volume", "ls", "-q", "--filter", "name=^sentinel-postgres$") == "sentinel-postgres"
    # ContextForge's connections run over it (docs/runbook.md).
    assert lab.docker("network", "ls", "--format", "{{.Name}}", "--filter", "name=sentinel") == PREDECESSOR_NETWORK
    folder = Path(lab.box.folder)
    # The nightly job's results stay, as the handover's journal and the state's copies do.
    assert not folder.exists() or {path.name for path in folder.iterdir()} <= {"handover", "nightly", "state-copies"}
    assert not (folder / "nightly" / "request.json").exists()


def test_the_same_program_works_from_a_laptop_over_ssh_and_finds_the_old_rows(lab: Lab) -> None:
    laptop = Lab(lab.box, engine="pulumi-from-wan")
    for key, value in over_ssh(lab):
        laptop.set(key, value)
    began = time.monotonic()
    laptop.up()
    assert laptop.outputs()["handover"]["downtime_ms"] < LIMIT_MS
    assert lab.sql("select line from kept") == "still here"
    seen = laptop.outputs()["verification"]
    assert seen["ok"] is True
    assert {one["result"] for one in seen["backends"] if "why_allowed" not in one} == {"ok"}
    answers = laptop.verified()
    assert (answers["ok"], answers["firewall"]["ok"]) == (True, True)
    assert answers["firewall"]["addresses"] == [lab.box.ssh.address]
    assert set(laptop.planned()) == {"same"}
    assert lab.ops("stop-predecessor")["predecessor"] == "stopped"
    laptop.pulumi("destroy", "--yes", "--skip-preview", "--non-interactive")
    assert lab.inspect(GATEWAY)["State"]["Running"] is True
    assert time.monotonic() - began < 300
