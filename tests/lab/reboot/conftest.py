"""The lab's stack on a host without its operator: the nightly job, and a restart."""

from __future__ import annotations

from tests.lab.cutover.conftest import Lab, lab

__all__ = ["lab", "serve"]


def serve(lab: Lab, active: str) -> None:
    """Give the port to that gateway."""
    lab.set("active", active)
    lab.up()
