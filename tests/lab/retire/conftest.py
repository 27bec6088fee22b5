"""The lab with Sentinel on the port; afterwards nothing is deployed, and ContextForge is there again if needed."""

from __future__ import annotations

import shutil
from collections.abc import Generator
from pathlib import Path

import pytest

from console.paths import LOGS
from console.progress import Progress
from lab.real import contextforge
from ops.engine import prerequisites
from tests.lab.cutover.conftest import AS_FOUND, STACK, Lab, lab
from tests.side_by_side import is_story

__all__ = ["cut_over", "lab"]

CHANGED = ("predecessor.kind", "predecessor.retire_days", "networks.sidecars_out")


@pytest.fixture(scope="module")
def cut_over(lab: Lab, lab_stays: bool, request: pytest.FixtureRequest) -> Generator[Lab]:
    lab.set("active", "sentinel")
    # The strictest umask that an operator may have: whoever reads a file of the stack must be able to all the same.
    lab.up(umask=0o077)
    # As on a host where no backup was ever restored; other groups have done that on this one.
    (Path(lab.box.folder) / "nightly" / "restore-drill.json").unlink(missing_ok=True)
    yield lab
    stories = [item for item in request.session.items if is_story(item.nodeid)]
    if lab_stays or AS_FOUND is not None or stories[-1].path != request.path:
        _with_contextforge_again(lab)


def _with_contextforge_again(lab: Lab) -> None:
    """Create what the retirement removed, as at the lab's first start: files with new secrets, an empty database."""
    lab.pulumi("destroy", "--yes", "--skip-preview", "--non-interactive", "--color", "never")
    for key in CHANGED:
        lab.pulumi("config", "rm", key, check=False)
    for folder in ("retired", "nightly"):
        shutil.rmtree(Path(lab.box.folder) / folder, ignore_errors=True)
    for name in (".claude.json", ".mcp-token"):
        (Path(lab.box.home) / name).unlink(missing_ok=True)
    # The sidecars too: they are off its network by now.
    contextforge.down(lab.box)
    prerequisites.make_ready(STACK, Progress(LOGS))
