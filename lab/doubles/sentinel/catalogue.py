"""All backends behind one list of tools: discovery, names, routes.

Owns: the order of the discovery (HTTP backends first, then stdio ones, one after the other), who is skipped for good,
what happens to a name that exists already, and the list's order, which is chance at each start.
"""

from __future__ import annotations

import random
from collections.abc import Sequence

from . import tools
from .configuration import BackendSettings
from .http_backend import HttpBackend
from .limits import Breaker
from .log import Log
from .problems import BackendFailed, HandshakeFailed
from .protocol import Message
from .stdio_backend import StdioBackend

Backend = StdioBackend | HttpBackend
_LOG = Log()


class Catalogue:
    def __init__(self) -> None:
        self.backends: dict[str, Backend] = {}
        self.breakers: dict[str, Breaker] = {}
        self._supervised: list[StdioBackend] = []
        self._tools: dict[str, Message] = {}
        self._routes: dict[str, str] = {}

    async def discover(self, backends: Sequence[BackendSettings], shared_secret: str | None) -> None:
        for settings in (each for each in backends if each.kind == "http"):
            await self._discover_http(HttpBackend(settings, shared_secret))
        for settings in (each for each in backends if each.kind == "stdio"):
            await self._discover_stdio(settings)
        if not self.backends:
            _LOG.warn("No backends available, falling back to stub catalog")
            for name, descriptions in tools.STUBS.items():
                self._register(name, [tools.stub(*each) for each in descriptions.items()])
        names = list(self._tools)
        random.shuffle(names)
        self._tools = {name: self._tools[name] for name in names}
        _LOG.info("Tool catalog loaded", tools=len(self._tools))

    def tools(self) -> list[Message]:
        return list(self._tools.values())

    def owner(self, tool: str) -> str | None:
        """The name of the tool's backend."""
        return self._routes.get(tool)

    def http(self) -> dict[str, HttpBackend]:
        return {name: each for name, each in self.backends.items() if isinstance(each, HttpBackend)}

    def stop(self) -> None:
        """Lets every supervisor end its child."""
        for backend in self._supervised:
            backend.stop()

    async def stopped(self) -> None:
        if self._supervised:
            _LOG.info("Waiting for stdio supervisors to shut down", count=len(self._supervised))
        for backend in self._supervised:
            await backend.stopped()

    async def _discover_http(self, backend: HttpBackend) -> None:
        name = backend.settings.name
        _LOG.info("Discovering tools from backend", name=name, url=backend.url)
        try:
            found = await backend.discover()
        except (BackendFailed, HandshakeFailed) as error:
            _LOG.error("Failed to discover tools from backend, skipping", name=name, error=error)
            return
        self._take(backend, found)
        _LOG.info("Backend registered", name=name, tools=len(found))

    async def _discover_stdio(self, settings: BackendSettings) -> None:
        backend = StdioBackend(settings)
        self._supervised.append(backend)
        _LOG.info("Waiting for stdio backend tool discovery", name=settings.name)
        try:
            found = await backend.discover()
        except HandshakeFailed as error:
            _LOG.error(str(error), name=settings.name)
        except TimeoutError:
            said = "Stdio backend tool discovery timed out (30s), supervisor will keep retrying in background"
            _LOG.error(said, name=settings.name)
        else:
            self._take(backend, found)
            _LOG.info("Stdio backend registered", name=settings.name, tools=len(found))

    def _take(self, backend: Backend, found: list[Message]) -> None:
        name = backend.settings.name
        self.backends[name] = backend
        self.breakers[name] = Breaker(backend.settings)
        self._register(name, found)

    def _register(self, backend: str, found: list[Message]) -> None:
        for tool in found:
            name = tool["name"]
            if name in self._tools:
                new = f"{backend}__{name}"
                said = "Tool name collision, prefixing with backend name"
                Log("catalog").warn(said, original=name, prefixed=new, backend=backend)
                name, tool = new, {**tool, "name": new}
            self._tools[name] = tool
            self._routes[name] = backend
