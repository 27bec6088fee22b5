"""The disaster drill: a fault in random order, the runbook's commands for it, and the invariants after it."""

from __future__ import annotations

import json
import os
import random
import re
import subprocess
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from console.paths import ROOT
from hostctl.nightly import backup_catalog
from lab.benchmarks import outputs
from tests.lab.drill.faults import FAULTS, Fault, backups_of
from tests.lab.rollback.driver import Driver
from tests.lab.rollback.sums import Sums
from tests.soak import SOAK, only_soak

pytestmark = [pytest.mark.lab, pytest.mark.timeout(1200)]

RUNBOOK = (ROOT / "docs" / "runbook.md").read_text(encoding="utf-8")
SEED = int(os.environ.get("DRILL_SEED") or random.randrange(1 << 16))
"""Printed with the table, to repeat an order."""
ORDER = random.Random(SEED).sample(FAULTS, len(FAULTS)) if SOAK else FAULTS
"""Chance only where the faults are caused: the workers of one run must collect the same tests."""


NOTHING = "no deviation"


def commands(heading: str) -> list[str]:
    """The console commands below the runbook's heading, up to the next one."""
    part = re.split(rf"^### {re.escape(heading)}$", RUNBOOK, flags=re.MULTILINE)[1].partition("\n#")[0]
    return [line for block in re.findall(r"```console\n(.*?)```", part, re.DOTALL) for line in block.splitlines()]


@pytest.mark.parametrize("heading", sorted({fault.heading for fault in FAULTS}))
def test_every_fault_has_its_commands_in_the_runbook(heading: str) -> None:
    assert commands(heading)


@only_soak("every fault in turn, minutes each")
@pytest.mark.parametrize("fault", ORDER, ids=lambda fault: fault.name.replace(" ", "-"))
def test_the_runbook_leads_from_the_fault_to_a_stack_that_serves(
    driver: Driver, fault: Fault, say: Callable[[str], None], sums: Sums
) -> None:
    driver.cut_over()
    driver.lab.ops("backup")
    say(f"{fault.name} (seed {SEED})")
    try:
        fault.cause(driver)
        reported = finding(driver.lab.make("status"))
        assert reported != NOTHING or not fault.found, f"make status saw nothing of {fault.name}"
        began = time.monotonic()
        for command in commands(fault.heading):
            run(driver, command)
        assert driver.lab.verified()["ok"]
        seconds = time.monotonic() - began
        invariants(driver)
    finally:
        fault.undo(driver)
    sums.drill[fault.name] = {
        "status": reported, "commands": commands(fault.heading), "seconds": round(seconds)
    }  # fmt: skip
    # At once: a soak that is cut off keeps the faults that were taken.
    sums.document()


def run(driver: Driver, command: str) -> None:
    """As an operator types it; backups have this lab's own names and folder."""
    folder = backups_of(driver)
    newest = backup_catalog.newest(str(folder))
    own = re.sub(r"FROM=\S+", f"FROM={newest.name}" if newest else "FROM=none", command)
    own = own.replace("~/backups/sentinel", str(folder))
    done = subprocess.run(
        ["bash", "-euo", "pipefail", "-c", own], cwd=ROOT, stdin=subprocess.DEVNULL, capture_output=True, text=True
    )
    assert done.returncode == 0, f"{own}\n{done.stdout[-1000:]}\n{done.stderr[-3000:]}"


def finding(status: subprocess.CompletedProcess[str]) -> str:
    """The first deviation that `make status` names, or its refusal."""
    try:
        document = json.loads(status.stdout)
    except ValueError:
        found = status.stderr.strip().splitlines()[-1]
    else:
        found = str(document.get("error") or [*document["drift"], *document["disks"], NOTHING][0])
    return outputs.scrubbed(found, ROOT, Path.home()).strip()


def invariants(driver: Driver) -> None:
    """Sentinel serves as declared, whatever serves can restart, and a second run changes nothing."""
    driver.must_be_whole("sentinel")
    assert driver.lacking_for_a_restart() == []
    again = driver.lab.ops("up")
    assert set(again["changes"]) == {"same"} and again["ok"]
