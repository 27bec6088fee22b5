"""The lab's stack on a host that lives on by itself: by the nightly job, and over a restart."""

from __future__ import annotations

from tests.lab.cutover.conftest import Lab, lab

__all__ = ["lab", "serve"]


def serve(lab: Lab, active: str) -> None:
    """Give the port to that gateway."""
    lab.set("active", active)
    lab.up()
