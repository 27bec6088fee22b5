"""What the words of `python -m verify` are asked on stdin: typed, paused, with one sentence for what is wrong.

Owns: the documents' shapes. Deliberately does not: hold a secret; a key's file is named, and tokens stay on the host.
"""

from __future__ import annotations

from typing import Any, Literal

from pydantic import Field

from .plan import Paused, Question


class Host(Paused):
    """Where the gateways are: this machine, or one reached by ssh; and `hostctl` on it."""

    kind: Literal["local", "ssh"] = "local"
    address: str = ""
    user: str = ""
    port: int = 22
    private_key_file: str = ""
    host_key: str = ""
    program: str
    """`hostctl.pyz` on that host."""
    docker_socket: str


class Tool(Paused):
    """One tool as a gateway offers it; `schema_hash` is of its input schema in a normal form."""

    name: str
    schema_hash: str


class Seen(Paused):
    """What one backend's harmless call brought at the predecessor; `kind` names the content, such as `text`."""

    name: str
    tool: str
    result: str
    kind: str


class Baseline(Paused):
    """What the predecessor answered, in a normal form: sorted, without times, ids or texts."""

    entry: str
    transport: str
    tools: tuple[Tool, ...]
    backends: tuple[Seen, ...]

    def broken(self) -> dict[str, str]:
        """The backends that were broken there already, with the result's word."""
        return {seen.name: seen.result for seen in self.backends if seen.result != "ok"}


class AskedBaseline(Paused):
    """`baseline`: `claude` is the place of the predecessor's entry, as `hostctl claude show` takes it."""

    host: Host
    active: Literal["sentinel", "contextforge"] = "sentinel"
    claude: dict[str, Any]
    gateway: str
    port: int
    folder: str
    questions: tuple[Question, ...] = Field(min_length=1)
    limit_seconds: float


class Database(Paused):
    container: str
    user: str
    database: str


class AskedGates(Paused):
    """`gates`: the standby container and what it must show before it may have the port. Seconds for every limit."""

    host: Host
    active: Literal["sentinel", "contextforge"]
    container: str
    user: str
    internal: str
    edge: str
    port: int
    health_port: int
    gateway: str
    audit: bool
    database: Database
    token_file: str
    health_token_file: str = ""
    questions: tuple[Question, ...] = Field(min_length=1)
    baseline: Baseline | None = None
    start_seconds: float
    gate_seconds: float
    upstream_seconds: float


class AskedVerification(Paused):
    """`verification`: `claude` has the place of each gateway's entry. `active` of None takes whoever has the port.

    `because` is not read: what stands in it makes the engine ask again when it changes.
    """

    host: Host
    active: Literal["sentinel", "contextforge"] | None = None
    claude: dict[Literal["sentinel", "contextforge"], dict[str, Any]]
    gateway: str
    port: int
    health_port: int
    folder: str
    baseline_folder: str
    questions: tuple[Question, ...] = Field(min_length=1)
    baseline: Baseline | None = None
    """Of None the one that is kept on the host, where there is one."""
    limit_seconds: float
    rollback: str
    """The command that gives the port back; empty where there is nobody to give it to."""
    own_ports: tuple[int, ...] = ()
    """What is tried on the host's own addresses from a container; of none, nothing is. `make verify` asks it."""
    because: dict[str, Any] = Field(default_factory=dict[str, Any])
