"""`python -m ops ready`: toolchain and images, for `make test`."""

from __future__ import annotations

from console.progress import Progress
from console.result import Result
from ops.engine import prerequisites


def ready(stack: str, progress: Progress) -> Result:
    """Everything that takes minutes, before a test waits for it."""
    prerequisites.toolchain_and_images(stack, progress)
    return Result({"ok": True}, "")
