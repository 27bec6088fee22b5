"""A stack that is taken down; the host as it was before its first cutover."""

from __future__ import annotations

from tests.lab.cutover.conftest import before, lab

__all__ = ["before", "lab"]
