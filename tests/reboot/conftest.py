"""The lab's stack on a host that restarts."""

from __future__ import annotations

from tests.story.conftest import lab

__all__ = ["lab"]
