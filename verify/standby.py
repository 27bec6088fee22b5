"""The standby container during its gates: the host's facts on it, its token, its tools, its own address."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import asdict, dataclass, field
from typing import Any

from . import runbook
from .client import HttpEndpoint, NoSession, OfferedTool, Session, schema_hashes, with_session
from .documents import GatesRequest, why_allowed
from .host import HostConnection, HostRefused

HOST_SECONDS = 30.0
"""Time of a host verb beside the gate's own limit."""


class GateFailed(Exception):
    """The finding of one gate and its fix; the gate itself knows what it expected."""

    def __init__(self, finding: str, fix: str) -> None:
        super().__init__(finding)
        self.finding = finding
        self.fix = fix


@dataclass
class Standby:
    """`facts` are those of `hostctl gates inspect`.

    The gate `token` fills in `token`, which is never shown, `offered` and `tools`; the gate `tools` Sentinel's `names`,
    by the predecessor's; the gate `calls` its good `calls` by tool, and `audited`, the newest row of the audit log
    before them.
    """

    request: GatesRequest
    host: HostConnection
    facts: Mapping[str, Any] = field(default_factory=dict[str, Any])
    token: str = ""
    offered: Sequence[OfferedTool] = ()
    tools: Mapping[str, str] = field(default_factory=dict[str, str])
    names: Mapping[str, str] = field(default_factory=dict[str, str])
    audited: int = 0
    calls: Mapping[str, int] = field(default_factory=dict[str, int])

    async def inspect(self, action: str, **more: Any) -> dict[str, Any]:
        """The answer of `hostctl gates`; raises HostRefused."""
        request = self.request
        document = {
            "container": request.container,
            "internal": request.internal,
            "port": request.port,
            "health_port": request.health_port,
            "gateway": request.gateway,
            "handover_folder": request.handover_folder,
            "seconds": request.gate_seconds,
            **more,
        }
        return await self.host.hostctl("gates", action, document, request.gate_seconds + HOST_SECONDS)

    async def query(self, action: str, **more: Any) -> dict[str, Any]:
        """The answer of `hostctl gates` about the gateway's database; raises HostRefused."""
        return await self.inspect(action, database=asdict(self.request.database), **more)

    async def start(self) -> int:
        """Start the container and refresh `facts`; the milliseconds until it was healthy. Raises GateFailed."""
        request = self.request
        document = {"container": request.container, "limit_seconds": request.start_seconds}
        try:
            answer = await self.host.hostctl(
                "sentinel", "start", document, request.start_seconds + HOST_SECONDS, progress=True
            )
        except HostRefused as error:
            found = runbook.without_host_link(str(error).splitlines()[0]).split(": read its log")[0]
            raise GateFailed(found, "fix the cause named in its log") from None
        self.facts = await self.inspect("inspect")
        return int(answer["healthy_after_ms"])

    async def stop(self) -> None:
        """Stop the container; raises HostRefused."""
        request = self.request
        await self.host.hostctl("sentinel", "stop", {"container": request.container}, request.start_seconds)

    @asynccontextmanager
    async def endpoint(self, token: str) -> AsyncGenerator[HttpEndpoint]:
        """Its own address on the internal network, under the name that it will serve as."""
        address, port = str(self.facts["address"]), int(self.facts["inside_port"])
        if not address:
            raise GateFailed(f"it is not on the network {self.request.internal}", "run again, which joins it")
        headers = {"Authorization": f"Bearer {token}", "Host": f"127.0.0.1:{self.request.port}"}
        name = "127.0.0.1" if self.host.is_remote() else (f"[{address}]" if ":" in address else address)
        async with self.host.transport(address, port) as transport:
            yield HttpEndpoint(f"http://{name}:{port}/mcp", headers, transport)

    async def read_tools(self) -> None:
        """Read the stack's token and the tools that the gateway offers with it; raises GateFailed, NoSession."""
        shown = await self.host.hostctl("token", "show", {"path": self.request.token_file}, HOST_SECONDS)
        self.token = str(shown["token"])

        async def offered(session: Session) -> Sequence[OfferedTool]:
            return session.offered

        async with self.endpoint(self.token) as endpoint:
            try:
                self.offered = await with_session(endpoint, self.request.gate_seconds, offered)
                self.tools = schema_hashes(self.offered)
            except NoSession as error:
                if error.result != "auth":
                    raise
                raise GateFailed(
                    "the token that was made with the stack's jwt_secret is refused",
                    "the gateway was started with another secret: restart it "
                    f"('docker restart {self.facts['name']}'), then run again",
                ) from None

    def why_allowed(self) -> dict[str, str]:
        """Why each backend may fail, empty for one that may not."""
        return why_allowed(self.request.probes, self.request.baseline)
