"""Two costs of Pulumi's SDK that the program avoids: 40 % of its processor time on the lab.

Owns: the debug messages, 450 blocking calls to the engine per run of the lab; the engine discards them unless it runs
with `--debug`, which the program cannot see. The wait for the outputs at the end of the program: `wait_for_rpcs`
(`runtime/stack.py` of pulumi 3.259) scans every pending output each time one completes; here each is awaited once.
Deliberately does not: change what is registered, or in which order; `wait_for_rpcs` still runs afterwards.
"""

# The SDK has no public name for either, and no whole types.
# pyright: reportPrivateUsage=false, reportUnknownMemberType=false

from __future__ import annotations

import asyncio
from typing import Any

from pulumi import log
from pulumi.runtime import settings


def leave_out() -> None:
    """Avoid both from now on; call it before the first resource is declared."""
    log.debug = _unsent
    settings._get_rpc_manager().rpcs.append(asyncio.ensure_future(_outputs()))


def _unsent(*_: Any, **__: Any) -> None:
    pass


async def _outputs() -> None:
    """Wait until every output is resolved, including those created meanwhile, or one has failed."""
    while outputs := [output for output in _made() if not output.done()]:
        done, _ = await asyncio.wait(outputs, return_when=asyncio.FIRST_EXCEPTION)
        if any(output.cancelled() or output.exception() for output in done):
            return


def _made() -> tuple[asyncio.Task[Any], ...]:
    outputs: set[asyncio.Task[Any]] = getattr(settings.SETTINGS, "outputs")  # noqa: B009 -- pyright cannot bind it.
    return tuple(outputs)
