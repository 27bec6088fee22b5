"""Two of the SDK's own costs, which together are nearly half of the program's processor time on the lab.

Owns: the debug messages, each a call to the engine for which the whole program waits (450 a run of the lab), and which
the engine drops unless it runs with `--debug`, of which the program does not hear; and the wait for the program's
outputs, where the SDK waits for all of them anew after each (pulumi 3.259, `runtime/stack.py`, `wait_for_rpcs`).
Deliberately does not: change what is registered, or in which order; the SDK's own waits follow and find nothing left.
"""

# The SDK has no public name for either, and no whole types.
# pyright: reportPrivateUsage=false, reportUnknownMemberType=false

from __future__ import annotations

import asyncio
from typing import Any

from pulumi import log
from pulumi.runtime import settings


def leave_out() -> None:
    """For the rest of this program's run; its resources come after."""
    log.debug = _unsent
    settings._get_rpc_manager().rpcs.append(asyncio.ensure_future(_outputs()))


def _unsent(*_: Any, **__: Any) -> None:
    pass


async def _outputs() -> None:
    """Waits until each output has its value, those that were made meanwhile too, or until one failed."""
    while outputs := [output for output in _made() if not output.done()]:
        done, _ = await asyncio.wait(outputs, return_when=asyncio.FIRST_EXCEPTION)
        if any(output.cancelled() or output.exception() for output in done):
            return


def _made() -> tuple[asyncio.Task[Any], ...]:
    outputs: set[asyncio.Task[Any]] = getattr(settings.SETTINGS, "outputs")  # noqa: B009 -- pyright cannot bind it.
    return tuple(outputs)
