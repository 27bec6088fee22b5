"""`docker.Container`.

Owns: the order of steps of a create (as in the published plugin: create, networks, uploads, start, wait), what an
update really changes, the removal.
Deliberately does not: change health check, tmpfs or init of a container in place, though an update of them "succeeds".
"""

from __future__ import annotations

import time
from typing import Any

import docker.errors

from lab.doubles.plugins.docker_plugin.container_body import create_body, endpoint, upload_archive
from lab.doubles.plugins.docker_plugin.container_schema import CONTAINER
from lab.doubles.plugins.docker_plugin.container_state import state_of
from lab.doubles.plugins.docker_plugin.resource import CreatedBadlyError, DockerApi, explained
from lab.doubles.plugins.frame.serve import PluginError
from lab.doubles.plugins.frame.values import PlainMap, items, number, text

_META = '{"e2bfb730-ecaa-11e6-8f88-34363bc7c4c0":{"create":1200000000000,"delete":1200000000000,"update":1200000000000}'
_REALLY_UPDATED = ("restart", "maxRetryCount", "cpuShares", "cpuSet", "memory", "memorySwap", "memoryReservation")
_POLL_SECONDS = 1.0
"""As the published plugin: it sees a container healthy up to a second late."""
_MEBIBYTE = 1024 * 1024


class Container:
    schema = CONTAINER
    meta = _META + ',"schema_version":"2"}'
    computed = ("bridge", "command", "containerLogs", "entrypoints", "envs", "exitCode", "healthcheck", "hostname")
    computed += ("init", "ipcMode", "labels", "logDriver", "networkDatas", "platform", "runtime", "securityOpts")
    computed += ("shmSize", "stopSignal", "stopTimeout")

    def create(self, client: DockerApi, inputs: PlainMap) -> tuple[str, PlainMap]:
        image = text(inputs["image"])
        try:
            made = client.create_container_from_config(create_body(inputs), text(inputs["name"]))["Id"]
        except docker.errors.ImageNotFound as error:
            raise PluginError(f"Unable to create container with image {image}: {explained(error)}") from error
        except docker.errors.APIError as error:
            raise PluginError(f"Unable to create container: {explained(error)}") from error
        try:
            _join_networks(client, made, inputs)
            _upload(client, made, inputs)
            _start(client, made, inputs)
        except PluginError as error:
            state = self.read(client, made, inputs) or {"id": made, "name": inputs["name"]}
            raise CreatedBadlyError(str(error), made, state) from error
        found = client.inspect_container(made)
        if inputs.get("mustRun") and not found["State"]["Running"]:
            reason = "container failed to be in running state" if inputs.get("start") else "container is not running"
            raise CreatedBadlyError(reason, made, state_of(found, inputs, refreshed=False))
        return made, state_of(found, inputs, refreshed=False)

    def read(self, client: DockerApi, resource_id: str, state: PlainMap) -> PlainMap | None:
        try:
            found = client.inspect_container(resource_id)
        except docker.errors.NotFound:
            return None
        return state_of(found, state, refreshed=True)

    def update(self, client: DockerApi, resource_id: str, state: PlainMap, inputs: PlainMap) -> PlainMap:
        planned = self.schema.planned(state, inputs)
        if inputs.get("mustRun") and not state.get("mustRun") and inputs.get("start"):
            client.start(resource_id)
        if any((state.get(key) or 0) != (planned.get(key) or 0) for key in _REALLY_UPDATED):
            try:
                client.update_container(resource_id, **_limits(inputs))
            except docker.errors.APIError as error:
                raise PluginError(f"Unable to update a container: {explained(error)}") from error
        return planned

    def delete(self, client: DockerApi, resource_id: str, state: PlainMap) -> None:
        if state.get("rm"):
            return
        try:
            grace = number(state.get("destroyGraceSeconds"))
            if grace > 0 and not state.get("attach"):
                client.stop(resource_id, timeout=grace)
            client.remove_container(resource_id, v=bool(state.get("removeVolumes")), force=True)
        except docker.errors.NotFound:
            return
        except docker.errors.APIError as error:
            raise PluginError(f"Error deleting container {resource_id}: {explained(error)}") from error

    def deletes_first(self, state: PlainMap, inputs: PlainMap) -> bool:
        return True


def _join_networks(client: DockerApi, container: str, inputs: PlainMap) -> None:
    networks = items(inputs.get("networksAdvanced"))
    if not networks:
        return
    try:
        if text(inputs.get("networkMode")) in ("", "bridge", "default"):
            client.disconnect_container_from_network(container, "bridge")
        for network in networks:
            settings: dict[str, Any] = endpoint(network)
            client.connect_container_to_network(
                container,
                text(network["name"]),
                aliases=settings["Aliases"] or None,
                ipv4_address=settings["IPAMConfig"].get("IPv4Address"),
                ipv6_address=settings["IPAMConfig"].get("IPv6Address"),
            )
    except docker.errors.APIError as error:
        raise PluginError(f"Unable to connect to network: {explained(error)}") from error


def _upload(client: DockerApi, container: str, inputs: PlainMap) -> None:
    for upload in items(inputs.get("uploads")):
        try:
            client.put_archive(container, "/", upload_archive(upload))
        except docker.errors.APIError as error:
            raise PluginError(f"Unable to upload volume content: {explained(error)}") from error


def _start(client: DockerApi, container: str, inputs: PlainMap) -> None:
    if not inputs.get("start"):
        return
    try:
        client.start(container)
    except docker.errors.APIError as error:
        raise PluginError(f"Unable to start container: {explained(error)}") from error
    if inputs.get("wait"):
        _wait_until_healthy(client, container, number(inputs.get("waitTimeout"), 60))
    if inputs.get("attach"):
        client.wait(container)


def _wait_until_healthy(client: DockerApi, container: str, seconds: int) -> None:
    until = time.monotonic() + seconds
    while True:
        health = client.inspect_container(container)["State"].get("Health")
        if health is None:
            raise PluginError(
                "you specified the wait but the container has no healthcheck: give it one or leave `wait` out"
            )
        if health["Status"] == "healthy":
            return
        if (left := until - time.monotonic()) <= 0:
            raise PluginError("container failed to be in healthy state")
        time.sleep(min(_POLL_SECONDS, left))


def _limits(inputs: PlainMap) -> dict[str, Any]:
    swap = number(inputs.get("memorySwap"))
    limits = {
        "cpu_shares": number(inputs.get("cpuShares")),
        "cpuset_cpus": text(inputs.get("cpuSet")),
        "mem_limit": number(inputs.get("memory")) * _MEBIBYTE,
        "mem_reservation": number(inputs.get("memoryReservation")) * _MEBIBYTE,
        "memswap_limit": swap * _MEBIBYTE if swap > 0 else swap,
    }
    policy = {
        "Name": text(inputs.get("restart")) or "no",
        "MaximumRetryCount": number(inputs.get("maxRetryCount")),
    }
    return {key: value for key, value in limits.items() if value} | {"restart_policy": policy}
