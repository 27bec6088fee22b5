"""A stack that serves by Sentinel."""

from __future__ import annotations

from tests.lab.cutover.conftest import lab

__all__ = ["lab"]
