"""Facts about containers, read from `docker inspect`'s document."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field, replace
from typing import Any
from urllib.parse import quote

from hostctl.core.documents import rows, table
from hostctl.core.errors import Refusal
from hostctl.docker.engine import Engine

ROLE_LABEL = "sentinel-cutover.role"
OURS = "sentinel-cutover"
"""The label of every container of this product, with the value "true"."""
GATEWAY_ROLE = "gateway"
STANDBY_ROLE = "standby"
PROJECT_LABEL = "com.docker.compose.project"
DEPENDS_LABEL = "com.docker.compose.depends_on"
SERVICE_LABEL = "com.docker.compose.service"
NO_NETWORKS: Mapping[str, bool] = {}


@dataclass(frozen=True)
class Attachment:
    """A network that a container is on, such as Attachment("sentinel", True, ("sentinel-gateway",), "172.18.0.2").

    `identifier` is the network's id, empty where the container was never started on it. `endpoint` has what
    was configured beside the aliases (fixed addresses, links, driver options, gateway priority, MAC), as for a connect.
    """

    network: str
    internal: bool
    aliases: tuple[str, ...] = ()
    address: str = ""
    identifier: str = ""
    endpoint: dict[str, Any] = field(default_factory=dict[str, Any])
    ipv6: str = ""


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
    ours: bool = False
    role: str = ""
    service: str = ""
    depends_on: tuple[str, ...] = ()
    project: str = ""
    volumes: tuple[str, ...] = ()
    exit_code: int = 0
    network_mode: str = ""

    def without(self, networks: Collection[str]) -> Container:
        """As it is on its other networks."""
        return replace(self, attachments=tuple(a for a in self.attachments if a.network not in networks))

    def on(self, network: str) -> bool:
        return any(attachment.network == network for attachment in self.attachments)

    def publishes(self, port: int) -> bool:
        return port in self.published

    def address_on(self, network: str) -> str:
        """Its address there, empty when it has none."""
        return next((attachment.address for attachment in self.attachments if attachment.network == network), "")

    def addresses_on(self, network: str) -> set[str]:
        """Its IPv4 and IPv6 address there."""
        return {found for a in self.attachments if a.network == network for found in (a.address, a.ipv6) if found}

    def inside_port(self, outside: int) -> int:
        """The port inside that is declared for `outside` on the host, 0 when none is."""
        return next((int(port.inside.split("/")[0]) for port in self.declared if port.outside == outside), 0)


def internal_networks(engine: Engine) -> dict[str, bool]:
    """Every network's name, mapped to True when it is internal."""
    networks = map(table, rows(engine.get("/networks")))
    return {str(network.get("Name") or ""): bool(network.get("Internal")) for network in networks}


def networks_of_role(engine: Engine, role: str) -> set[str]:
    """The names of the product's own networks of this role."""
    networks = map(table, rows(engine.get("/networks")))
    return {str(network.get("Name")) for network in networks if table(network.get("Labels")).get(ROLE_LABEL) == role}


def find(engine: Engine, reference: str, networks: Mapping[str, bool] = NO_NETWORKS) -> Container | None:
    """The container with this id or name, None when there is none."""
    if not reference:
        return None
    document = engine.find(f"/containers/{quote(reference, safe='')}/json")
    return None if document is None else described(document, networks)


def require(engine: Engine, reference: str) -> Container:
    """The same; raises Refusal where there is none."""
    container = find(engine, reference)
    if container is None:
        raise Refusal(f"the container {reference[:12]} does not exist: create it, then run again")
    return container


def everything(engine: Engine) -> list[Container]:
    """Every container, running or not; one that is removed meanwhile is left out."""
    networks = internal_networks(engine)
    inspected = [find(engine, short["Id"], networks) for short in listed(engine)]
    return [container for container in inspected if container is not None]


def listed(engine: Engine) -> list[dict[str, Any]]:
    """Docker's short list of all containers, running or not."""
    return engine.get("/containers/json?all=1")


def published_in(row: Mapping[str, Any]) -> set[int]:
    """The ports that a container of the short list publishes on the host now."""
    if row.get("State") in ("created", "exited", "dead", "removing"):
        return set()
    return {_number(port.get("PublicPort")) for port in rows(row.get("Ports"))} - {0}


def described(document: Any, networks: Mapping[str, bool] = NO_NETWORKS) -> Container:
    """A container from its inspect document and the networks' kinds; a member that is missing, null or of another
    kind counts as empty, since other people's containers may be of any make."""
    whole = table(document)
    state, labels = table(whole.get("State")), table(table(whole.get("Config")).get("Labels"))
    settings, host = table(whole.get("NetworkSettings")), table(whole.get("HostConfig"))
    policy = table(host.get("RestartPolicy"))
    identifier = _text(whole, "Id")
    return Container(
        id=identifier,
        name=_text(whole, "Name").lstrip("/"),
        image=_text(whole, "Image"),
        running=bool(state.get("Running")),
        paused=bool(state.get("Paused")),
        restarting=bool(state.get("Restarting")),
        health=_text(table(state.get("Health")), "Status"),
        restart=(_text(policy, "Name") or "no", _number(policy.get("MaximumRetryCount"))),
        attachments=tuple(
            Attachment(
                name,
                networks.get(name, False),
                # Docker adds the short id on its own, and before API 1.44 shows it among the aliases.
                tuple(str(alias) for alias in rows(facts.get("Aliases")) if alias != identifier[:12]),
                _text(facts, "IPAddress"),
                _text(facts, "NetworkID"),
                _endpoint(facts),
                _text(facts, "GlobalIPv6Address"),
            )
            for name, facts in _tables(settings.get("Networks"))
        ),
        declared=tuple(
            Port(inside, _text(binding, "HostIp"), _number(binding.get("HostPort")))
            for inside, bindings in _bindings(host.get("PortBindings"))
            for binding in bindings
        ),
        published=_published(settings) if state.get("Running") else (),
        ours=_text(labels, OURS) == "true",
        role=_text(labels, ROLE_LABEL),
        service=_text(labels, SERVICE_LABEL),
        project=_text(labels, PROJECT_LABEL),
        # Compose writes "postgres:service_healthy:false,redis:service_started:false".
        depends_on=tuple(part.split(":")[0] for part in _text(labels, DEPENDS_LABEL).split(",") if part),
        volumes=tuple(
            _text(mount, "Name") for mount in map(table, rows(whole.get("Mounts"))) if mount.get("Type") == "volume"
        ),
        exit_code=_number(state.get("ExitCode")),
        network_mode=_text(host, "NetworkMode"),
    )


def _published(settings: Mapping[str, Any]) -> tuple[int, ...]:
    """The ports of a container that runs: of one that a power cut ended Docker still shows the former ones."""
    ports = {_number(b.get("HostPort")) for _, bindings in _bindings(settings.get("Ports")) for b in bindings}
    return tuple(sorted(ports - {0}))


def _text(document: Mapping[str, Any], key: str) -> str:
    value = document.get(key)
    return value if isinstance(value, str) else ""


def _number(value: Any) -> int:
    """A number, or the first of a range such as "8000-8010"; 0 for anything else."""
    digits = str(value).partition("-")[0] if isinstance(value, (int, str)) else ""
    return int(digits) if digits.isascii() and digits.isdigit() else 0


def _tables(value: Any) -> list[tuple[str, dict[str, Any]]]:
    return [(name, table(facts)) for name, facts in sorted(table(value).items())]


def _bindings(value: Any) -> list[tuple[str, list[dict[str, Any]]]]:
    return [(inside, list(map(table, rows(bindings)))) for inside, bindings in sorted(table(value).items())]


def _endpoint(facts: dict[str, Any]) -> dict[str, Any]:
    configured = {key: facts[key] for key in ("IPAMConfig", "Links", "DriverOpts", "GwPriority") if facts.get(key)}
    # Older Dockers derive a MAC from the address: with another address it could be a second container's.
    derived = "02:42:" + ":".join(f"{_number(part):02x}" for part in _text(facts, "IPAddress").split("."))
    mac = _text(facts, "MacAddress") or derived
    return configured if mac == derived else {**configured, "MacAddress": mac}
