"""The health of each backend as a probe finds it: its session or server, and one tools/list that it answers in time.

The gateway's own gauge is 1 for a stdio backend whatever happens to it, and says nothing of one behind the adapter
(`reference/sentinel-behaviour.md`).

Owns: the probes' times, and the last verdict on each backend.
Deliberately does not: probe through the gateway, which would keep its callers waiting.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Sequence
from typing import Protocol

from .backend_session import BackendFailed
from .messages import Message

_AGAIN_SECONDS = 2.0
"""Until the next probe of an unhealthy backend."""
_ANSWER_SECONDS = 5.0

_log = logging.getLogger("bridge")


class Backends(Protocol):
    """The backends of one kind, each with a name."""

    @property
    def names(self) -> Sequence[str]: ...

    async def probe(self, name: str) -> Message:
        """Have it list its tools: the answer's `result` or `error`; raises BackendFailed."""
        ...

    def is_busy(self, name: str) -> bool:
        """True while it has a call of the gateway's; many servers then answer nothing else."""
        ...


class BackendHealth:
    """`verdicts` by backend: true for healthy. One that was not probed yet is left out."""

    def __init__(self, kinds: Sequence[Backends], seconds: float) -> None:
        self._kinds = kinds
        self._seconds = seconds
        self._watches: list[asyncio.Task[None]] = []
        self.verdicts: dict[str, bool] = {}

    def watch(self) -> None:
        """Probe all of them, from now on."""
        self._watches = [asyncio.create_task(self._watch(kind, name)) for kind in self._kinds for name in kind.names]

    def stop(self) -> None:
        for task in self._watches:
            task.cancel()

    async def _watch(self, kind: Backends, name: str) -> None:
        while True:
            await self._probe(kind, name)
            await asyncio.sleep(self._seconds if self.verdicts.get(name, True) else _AGAIN_SECONDS)

    async def _probe(self, kind: Backends, name: str) -> None:
        try:
            async with asyncio.timeout(_ANSWER_SECONDS):
                answer = await kind.probe(name)
            lists = isinstance(answer.get("result"), dict) and "tools" in answer["result"]
            self._judge(name, lists, "it lists no tools")
        except BackendFailed as error:
            self._judge(name, False, str(error))
        except TimeoutError:
            if not kind.is_busy(name):
                self._judge(name, False, f"no list of its tools within {_ANSWER_SECONDS:g} s")

    def _judge(self, name: str, healthy: bool, reason: str) -> None:
        if healthy and not self.verdicts.get(name, True):
            _log.info("the backend %s is healthy again", name)
        elif not healthy and self.verdicts.get(name, True):
            _log.warning("the backend %s is unhealthy: %s", name, reason)
        self.verdicts[name] = healthy
