"""The predecessor's network, volumes and containers, made the way compose makes them.

Owns: making and starting what is missing, waiting for health, removing.
Deliberately does not: touch a gateway that has handed the port over (its restart policy is taken away):
that one is the rollback, and `hostctl` alone brings it back.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Generator, Iterable, Mapping, Sequence
from contextlib import contextmanager
from string import Template
from typing import Any, cast

import docker
from docker.errors import APIError, DockerException, NotFound
from docker.models.containers import Container
from docker.models.networks import Network

from console.errors import UserError
from lab.real.contextforge.services import NETWORK, PORT, PROJECT, SERVICES, Service

LIMIT_SECONDS = 300
_SECOND = 1_000_000_000


@contextmanager
def client(docker_host: str) -> Generator[docker.DockerClient]:
    """The lab's daemon; its refusals become sentences."""
    connected = docker.DockerClient(base_url=docker_host, timeout=LIMIT_SECONDS)
    try:
        yield connected
    except DockerException as error:
        reason = error.explanation if isinstance(error, APIError) and error.explanation else str(error)
        raise UserError(f"The lab's Docker daemon refused a step of the predecessor: {reason}.") from None
    finally:
        connected.close()


def start(
    daemon: docker.DockerClient,
    services: Sequence[Service],
    images: Mapping[str, str],
    values: Mapping[str, str],
    say: Callable[[str], None],
) -> None:
    """Makes and starts what is missing, and waits until all are healthy.

    Raises UserError with the container's last log line when one ends, or when LIMIT_SECONDS are over.
    """
    found = {service: _as_described(daemon, service, images) for service in services}
    for service, container in found.items():
        if container is None:
            say(f"making {service.container_name}")
            found[service] = _create(daemon, service, images[service.image], values)
    _start(daemon, [container for container in found.values() if container is not None], say)


def start_existing(daemon: docker.DockerClient, services: Sequence[Service], say: Callable[[str], None]) -> None:
    """Starts those that exist and do not run, as they are; errors as `start`."""
    found = [_find(daemon, service) for service in services]
    _start(daemon, [container for container in found if container is not None], say)


def handed_over(daemon: docker.DockerClient, service: Service) -> bool:
    """True when the container is out of service because the port was handed over."""
    container = _find(daemon, service)
    if container is None:
        return False
    return container.attrs["HostConfig"]["RestartPolicy"]["Name"] in ("", "no")


def make_network_and_volumes(daemon: docker.DockerClient) -> None:
    """The network and the volumes."""
    if not _networks(daemon):
        daemon.networks.create(NETWORK, driver="bridge", labels=_labels(network="mcpnet"))
    there = {volume.name for volume in daemon.volumes.list()}
    for service in SERVICES:
        if service.mount and service.mount.name not in there:
            daemon.volumes.create(service.mount.name, labels=_labels(volume=service.mount.volume))


def remove(daemon: docker.DockerClient) -> None:
    """Containers, the network, the volumes; whatever is gone already is no error."""
    for service in reversed(SERVICES):
        container = _find(daemon, service)
        if container is not None:
            container.remove(force=True, v=True)
    for network in _networks(daemon):
        network.remove()
    for volume in daemon.volumes.list(filters={"label": f"com.docker.compose.project={PROJECT}"}):
        volume.remove()


def run(daemon: docker.DockerClient, service: Service, argv: Sequence[str]) -> None:
    """Runs a program in the service's container; raises UserError when it fails."""
    code, output = daemon.containers.get(service.container_name).exec_run(list(argv))
    if code:
        last = "".join(cast(bytes, output).decode(errors="replace").strip().splitlines()[-1:])
        raise UserError(f"{argv[0]} in the lab's {service.container_name} ended with exit code {code}: {last}")


def _start(daemon: docker.DockerClient, present: Sequence[Container], say: Callable[[str], None]) -> None:
    since = time.time()
    stopped = [container for container in present if container.status != "running"]
    for container in stopped:
        say(f"starting {container.name}")
        container.start()
    _wait(daemon, present, {str(container.name) for container in stopped}, since, say)


def _networks(daemon: docker.DockerClient) -> list[Network]:
    # The filter finds every name that holds this one; the package's own types do not say what it takes.
    found = daemon.networks.list(names=[NETWORK])  # pyright: ignore[reportUnknownMemberType]
    return [network for network in found if network.name == NETWORK]


def _find(daemon: docker.DockerClient, service: Service) -> Container | None:
    try:
        return daemon.containers.get(service.container_name)
    except NotFound:
        return None


def _as_described(daemon: docker.DockerClient, service: Service, images: Mapping[str, str]) -> Container | None:
    """The container, unless it was made from another description, which is then taken away."""
    container = _find(daemon, service)
    hash_label = "com.docker.compose.config-hash"
    if container is None or container.labels.get(hash_label) == service.labels(images[service.image])[hash_label]:
        return container
    container.remove(force=True)
    return None


def _create(daemon: docker.DockerClient, service: Service, tag: str, values: Mapping[str, str]) -> Container:
    variables = {**service.environment, **service.slim_environment}
    options: dict[str, Any] = {"restart_policy": {"Name": "unless-stopped"}}
    if service.command:
        options["command"] = list(service.command)
    if service.port is not None:
        options["ports"] = {f"{service.port}/tcp": ("127.0.0.1", PORT)}
    if service.published is not None:
        options["ports"] = {"8000/tcp": ("127.0.0.1", service.published)}
    if service.mount is not None:
        options["volumes"] = {service.mount.name: {"bind": service.mount.path, "mode": "rw"}}
    return daemon.containers.create(
        tag,
        name=service.container_name,
        environment={name: Template(value).substitute(values) for name, value in variables.items()},
        labels=service.labels(tag),
        healthcheck={
            # As compose reads it: `$$` is a dollar that the container's shell sees.
            "test": [part.replace("$$", "$") for part in service.health.test],
            "interval": service.health.interval * _SECOND,
            "timeout": service.health.timeout * _SECOND,
            "retries": service.health.retries,
            "start_period": service.health.start_period * _SECOND,
        },
        network=NETWORK,
        networking_config={NETWORK: daemon.api.create_endpoint_config(aliases=[service.container_name, service.name])},
        **options,
    )


def _wait(
    daemon: docker.DockerClient,
    waited_for: Sequence[Container],
    started: set[str],
    since: float,
    say: Callable[[str], None],
) -> None:
    """Until all are healthy. Docker's events wake it, from before the start on, so that none is missed.

    One of `started` that ends is an error at once; after a boot Docker itself starts a container until it stays.
    """
    left = {container.id: container for container in waited_for if not _healthy(container)}
    if not left:
        return
    say(f"waiting for {_names(left.values())}")
    filters = {"container": [container.name for container in left.values()], "event": ["health_status", "die"]}
    for event in daemon.events(since=int(since), until=int(since + LIMIT_SECONDS), filters=filters, decode=True):
        container = left.get(event["Actor"]["ID"])
        if container is None:
            continue
        if event["Action"] == "die" and container.name in started and event["time"] >= since:
            raise UserError(f"The lab's {container.name} ended at its start: {_last_log_line(container)}")
        if _healthy(container):
            del left[event["id"]]
            if not left:
                return
            say(f"waiting for {_names(left.values())}")
    container = next(iter(left.values()))
    raise UserError(
        f"The lab's {container.name} was not healthy after {LIMIT_SECONDS} s: {_last_log_line(container)}; "
        "run 'make up' again, or 'make down' first"
    )


def _healthy(container: Container) -> bool:
    container.reload()
    return container.attrs["State"].get("Health", {}).get("Status") == "healthy" and container.status == "running"


def _last_log_line(container: Container) -> str:
    lines = container.logs(tail=20).decode(errors="replace").strip().splitlines()
    return lines[-1][:300] if lines else "its log is empty"


def _names(containers: Iterable[Container]) -> str:
    return ", ".join(sorted(str(container.name) for container in containers))


def _labels(**kinds: str) -> dict[str, str]:
    return {
        "com.docker.compose.project": PROJECT,
        **{f"com.docker.compose.{kind}": name for kind, name in kinds.items()},
    }
