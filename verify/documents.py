"""The documents of `python -m verify`: one request on stdin for each command, and the baseline.

Components build requests with the same models, so that what the program registers is what `verify` accepts. None holds
a secret; the file of a key is named, and tokens stay on the host.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Literal, TypeVar

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from hostctl.core.errors import Refusal
from hostctl.mcp.probe import Probe
from hostctl.postgres.psql import DatabaseRequest


class Unusable(Exception):
    """The user's error in one sentence: what, where, how to fix it."""


class StrictModel(BaseModel):
    """A document from outside: immutable, and an unknown member is an error, also in a probe."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class Host(StrictModel):
    """The host of the gateways, which is this machine or one behind ssh, and `hostctl` on it."""

    kind: Literal["local", "ssh"] = "local"
    address: str = ""
    user: str = ""
    port: int = 22
    private_key_file: str = ""
    host_key: str = ""
    program: str
    """`hostctl.pyz` on that host."""
    docker_socket: str


class Tool(StrictModel):
    """One tool as a gateway offers it; `schema_hash` is the hash of its normalized input schema."""

    name: str
    schema_hash: str


class BaselineResult(StrictModel):
    """Result of one backend's probe at the predecessor; `kind` names the content, such as `text`."""

    name: str
    tool: str
    result: str
    kind: str


class Baseline(StrictModel):
    """The predecessor's tools and results, normalized: sorted, without times, ids or texts."""

    entry: str
    transport: str
    tools: tuple[Tool, ...]
    backends: tuple[BaselineResult, ...]

    def broken(self) -> dict[str, str]:
        """The results of the backends that were broken already."""
        return {backend.name: backend.result for backend in self.backends if backend.result != "ok"}


class Request(StrictModel):
    """The members of every request. `gateway` is the predecessor's container, `port` the one that changes hands."""

    host: Host
    gateway: str
    port: int
    probes: tuple[Probe, ...] = Field(min_length=1)


class BaselineRequest(Request):
    """`baseline`: `claude` locates the predecessor's entry, as `hostctl claude show` takes it."""

    active: Literal["sentinel", "contextforge"] = "sentinel"
    claude: dict[str, Any]
    folder: str
    limit_seconds: float


class GatesRequest(Request):
    """`gates`: the standby container, and the limits of its gates in seconds."""

    active: Literal["sentinel", "contextforge"]
    container: str
    user: str
    internal: str
    edge: str
    health_port: int
    handover_folder: str = ""
    database: DatabaseRequest
    token_file: str
    health_token_file: str = ""
    baseline: Baseline | None = None
    start_seconds: float
    gate_seconds: float
    upstream_seconds: float


class VerificationRequest(Request):
    """`verification` and `check`: `claude` locates each gateway's entry. `active` of None takes the one with the port.

    `because` is not read: the engine verifies again when its content changes.
    """

    active: Literal["sentinel", "contextforge"] | None = None
    claude: dict[Literal["sentinel", "contextforge"], dict[str, Any]]
    health_port: int
    folder: str
    baseline_folder: str
    grace_folder: str = ""
    baseline: Baseline | None = None
    """None takes the one kept on the host, if any."""
    limit_seconds: float
    rollback: str
    """The command that gives the port back to the predecessor; empty without one."""
    own_ports: tuple[int, ...] = ()
    """Ports that a container tries on the host's own addresses; only `make verify` sets them."""
    every: bool = False
    """Check every container of ours; the engine's own verification runs while monitoring may be replaced."""
    because: dict[str, Any] = Field(default_factory=dict[str, Any])


Model = TypeVar("Model", bound=StrictModel)


def read_document(model: type[Model], content: bytes) -> Model:
    """The document on stdin; raises Unusable."""
    try:
        return model.model_validate_json(content)
    except ValidationError as error:
        first = error.errors(include_input=False, include_url=False)[0]
        where = ".".join(str(part) for part in first["loc"]) or "the document"
        raise Unusable(f"The document on stdin is wrong at {where}: {first['msg']}.") from error
    except Refusal as refusal:
        raise Unusable(f"The document on stdin is wrong: {refusal}.") from refusal


def why_allowed(probes: Sequence[Probe], baseline: Baseline | None) -> dict[str, str]:
    """Why each backend may fail, empty for one that may not."""
    broken = baseline.broken() if baseline else {}
    return {probe.name: probe.why_allowed(broken.get(probe.name, "")) for probe in probes}
