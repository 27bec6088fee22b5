"""Facts about containers, read from `docker inspect`'s document."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any
from urllib.parse import quote

from hostctl.core.documents import rows, table
from hostctl.docker.engine import Engine

ROLE_LABEL = "sentinel-cutover.role"
GATEWAY_ROLE = "gateway"
PROJECT_LABEL = "com.docker.compose.project"
DEPENDS_LABEL = "com.docker.compose.depends_on"
SERVICE_LABEL = "com.docker.compose.service"


@dataclass(frozen=True)
class Attachment:
    """A network that a container is on, such as Attachment("sentinel", True, ("sentinel-gateway",), "172.18.0.2").

    `identifier` is the network's id, empty where the container was never started on it.
    """

    network: str
    internal: bool
    aliases: tuple[str, ...] = ()
    address: str = ""
    identifier: str = ""


@dataclass(frozen=True)
class Port:
    """A declared port, such as Port("4444/tcp", "127.0.0.1", 9200)."""

    inside: str
    address: str
    outside: int


@dataclass(frozen=True)
class Container:
    """One container as Docker reports it; `running` is also true while it is paused or about to be started again."""

    id: str
    name: str
    image: str = ""
    running: bool = True
    paused: bool = False
    restarting: bool = False
    health: str = ""
    restart: tuple[str, int] = ("no", 0)
    attachments: tuple[Attachment, ...] = ()
    declared: tuple[Port, ...] = ()
    published: tuple[int, ...] = ()
    role: str = ""
    service: str = ""
    depends_on: tuple[str, ...] = ()
    project: str = ""
    volumes: tuple[str, ...] = ()
    exit_code: int = 0
    process: int = 0

    def on(self, network: str) -> bool:
        return any(attachment.network == network for attachment in self.attachments)

    def publishes(self, port: int) -> bool:
        return port in self.published

    def address_on(self, network: str) -> str:
        """Its address there, empty when it has none."""
        return next((attachment.address for attachment in self.attachments if attachment.network == network), "")

    def inside_port(self, outside: int) -> int:
        """The port inside that is declared for `outside` on the host, 0 when none is."""
        return next((int(port.inside.split("/")[0]) for port in self.declared if port.outside == outside), 0)


def internal_networks(engine: Engine) -> dict[str, bool]:
    """Every network's name, mapped to True when it is internal."""
    return {network["Name"]: bool(network.get("Internal")) for network in engine.get("/networks")}


def find(engine: Engine, reference: str, networks: dict[str, bool]) -> Container | None:
    """The container with this id or name, None when there is none."""
    if not reference:
        return None
    document = engine.find(f"/containers/{quote(reference, safe='')}/json")
    return None if document is None else described(document, networks)


def everything(engine: Engine) -> list[Container]:
    """Every container, running or not; one that is removed meanwhile is left out."""
    networks = internal_networks(engine)
    inspected = [find(engine, short["Id"], networks) for short in listed(engine)]
    return [container for container in inspected if container is not None]


def listed(engine: Engine) -> list[dict[str, Any]]:
    """Docker's short list of all containers, running or not."""
    return engine.get("/containers/json?all=1")


def described(document: dict[str, Any], networks: dict[str, bool]) -> Container:
    """A container from its inspect document and the networks' kinds."""
    state, labels = table(document["State"]), table(table(document["Config"]).get("Labels"))
    settings, host = table(document["NetworkSettings"]), table(document["HostConfig"])
    policy = table(host.get("RestartPolicy"))
    identifier: str = document["Id"]
    return Container(
        id=identifier,
        name=document["Name"].lstrip("/"),
        image=document["Image"],
        running=state["Running"],
        paused=state["Paused"],
        restarting=state.get("Restarting", False),
        health=table(state.get("Health")).get("Status", ""),
        restart=(policy.get("Name") or "no", policy.get("MaximumRetryCount", 0)),
        attachments=tuple(
            Attachment(
                name,
                networks.get(name, False),
                _aliases(facts, identifier),
                facts.get("IPAddress") or "",
                facts.get("NetworkID") or "",
            )
            for name, facts in sorted(table(settings.get("Networks")).items())
        ),
        declared=tuple(
            Port(inside, binding.get("HostIp", ""), int(binding.get("HostPort") or 0))
            for inside, bindings in sorted(table(host.get("PortBindings")).items())
            for binding in rows(bindings)
        ),
        published=tuple(
            sorted({int(b["HostPort"]) for bindings in table(settings.get("Ports")).values() for b in rows(bindings)})
        ),
        role=labels.get(ROLE_LABEL, ""),
        service=labels.get(SERVICE_LABEL, ""),
        project=labels.get(PROJECT_LABEL, ""),
        # Compose writes "postgres:service_healthy:false,redis:service_started:false".
        depends_on=tuple(part.split(":")[0] for part in str(labels.get(DEPENDS_LABEL, "")).split(",") if part),
        volumes=tuple(mount["Name"] for mount in rows(document.get("Mounts")) if mount.get("Type") == "volume"),
        exit_code=state.get("ExitCode", 0),
        process=state.get("Pid", 0),
    )


def _aliases(facts: dict[str, Any], identifier: str) -> tuple[str, ...]:
    # Docker adds the short id on its own, and before API 1.44 shows it among the aliases.
    return tuple(alias for alias in rows(facts.get("Aliases")) if alias != identifier[:12])
