"""The gateway processes as one: each has some of the backends, since a gateway answers one request at a time.

Owns: the route of each call to the process that has its tool, one list of all tools, the start and end of all.
Deliberately does not: start a process or wait for an answer (`gateway.py`, `calls.py`).
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Collection, Sequence

from .calls import Call
from .gateway import Gateway
from .messages import Message, failure
from .tool_names import ToolNames

_INVALID_PARAMETERS = -32602


class Gateways:
    """All of them; the first has what belongs to none. `backends_of`: those that have a tool, also a hidden one.

    `names` gives the predecessor's names of the tools, each of which may be called by either name.
    """

    def __init__(
        self,
        gateways: Sequence[Gateway],
        backends_of: Callable[[str], Sequence[str]],
        names: Callable[[], ToolNames],
    ) -> None:
        self._gateways = gateways
        self._backends_of = backends_of
        self._names = names
        self._listing: set[asyncio.Task[None]] = set()

    @property
    def initialize_result(self) -> Message:
        return self._gateways[0].initialize_result

    async def start(self) -> None:
        """Start all of them side by side; raises the first GatewayFailed, and then all have ended."""
        tasks = [asyncio.create_task(gateway.start()) for gateway in self._gateways]
        done, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_EXCEPTION)
        if failed := next((error for task in done if (error := task.exception())), None):
            await self.stop(0)
            await asyncio.gather(*tasks, return_exceptions=True)
            raise failed

    async def stop(self, limit_seconds: float) -> None:
        """End all of them; each call in work has so long."""
        await asyncio.gather(*(gateway.stop(limit_seconds) for gateway in self._gateways))

    async def renew(self, backends: Collection[str], limit_seconds: float) -> None:
        """Replace the processes that have one of these backends."""
        concerned = [gateway for gateway in self._gateways if not gateway.backends.keys().isdisjoint(backends)]
        await asyncio.gather(*(gateway.renew(limit_seconds) for gateway in concerned))

    def reload(self) -> None:
        for gateway in self._gateways:
            gateway.reload()

    def begin(
        self, method: str, parameters: Message, progress_token: object = None, predecessors: bool = False
    ) -> Call:
        """Queue a request where it belongs; raises GatewayFailed and QueueFull as that gateway does.

        A client of the predecessor's is offered its names, and means them.
        """
        if method == "tools/list":
            return self._list(predecessors)
        if method != "tools/call":
            return self._gateways[0].begin(method, parameters, progress_token)
        name, names = str(parameters.get("name")), self._names()
        if predecessors and name in names.shared:
            call = Call(0, {})
            call.answer(failure(_INVALID_PARAMETERS, f"{name} could be any of {', '.join(names.shared[name])}"))
            return call
        if name in names.own:
            name = names.own[name]
            parameters = {**parameters, "name": name}
        gateway, limit = self._having(name)
        return gateway.begin(method, parameters, progress_token, limit)

    def _having(self, tool: str) -> tuple[Gateway, float | None]:
        """The gateway of a tool, and the limit of its backend's calls."""
        for backend in self._backends_of(tool):
            for gateway in self._gateways:
                if backend in gateway.backends:
                    return gateway, gateway.backends[backend]
        named = (one for one in self._gateways if any(known.get("name") == tool for known in one.tools))
        return next(named, self._gateways[0]), None

    def _list(self, predecessors: bool) -> Call:
        call = Call(0, {})

        async def answer() -> None:
            catalogues = await asyncio.gather(*(gateway.catalogue() for gateway in self._gateways))
            tools = self._merged(catalogues)
            call.answer({"result": {"tools": self._names().offered(tools) if predecessors else tools}})

        task = asyncio.create_task(answer())
        self._listing.add(task)
        task.add_done_callback(self._listing.discard)
        return call

    def _merged(self, catalogues: Sequence[Sequence[Message]]) -> list[Message]:
        """Every tool in the order of names.

        One that another process has too, which is the one that is called, is named BACKEND__TOOL: so each process
        names those of its own backends, and the gate of the cutover finds it.
        """
        tools: list[Message] = []
        for gateway, catalogue in zip(self._gateways, catalogues, strict=True):
            for tool in catalogue:
                name = str(tool.get("name"))
                if self._having(name)[0] is gateway:
                    tools.append(tool)
                else:
                    owners = [one for one in self._backends_of(name) if one in gateway.backends] or ["other"]
                    tools.append({**tool, "name": f"{owners[0]}__{name}"})
        return sorted(tools, key=lambda tool: str(tool.get("name")))
