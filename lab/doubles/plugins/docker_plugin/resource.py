"""The interface that the provider needs of each resource.

Owns: the interface, and what network, volume, image and container share in reading.
Deliberately does not: know which resource it is.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any, Protocol

import docker.errors

from lab.doubles.plugins.frame.schema import Schema
from lab.doubles.plugins.frame.serve import PluginError
from lab.doubles.plugins.frame.values import PlainMap

DockerApi = Any
"""`docker.APIClient`, of whose answers the published types know nothing."""


class CreatedBadlyError(Exception):
    """The thing exists in Docker but did not become what was declared."""

    def __init__(self, reason: str, resource_id: str, state: PlainMap) -> None:
        super().__init__(reason)
        self.resource_id = resource_id
        self.state = state


class DockerResource(Protocol):
    @property
    def schema(self) -> Schema: ...

    @property
    def meta(self) -> str: ...

    @property
    def computed(self) -> tuple[str, ...]:
        """Outputs that a preview of a create cannot know."""
        ...

    def create(self, client: DockerApi, inputs: PlainMap) -> tuple[str, PlainMap]: ...

    def read(self, client: DockerApi, resource_id: str, state: PlainMap) -> PlainMap | None: ...

    def update(self, client: DockerApi, resource_id: str, state: PlainMap, inputs: PlainMap) -> PlainMap: ...

    def delete(self, client: DockerApi, resource_id: str, state: PlainMap) -> None: ...

    def deletes_first(self, state: PlainMap, inputs: PlainMap) -> bool: ...


def same_explicit_name(state: PlainMap, inputs: PlainMap) -> bool:
    """The bridge deletes first where the successor would need the very name that is taken."""
    defaults = inputs.get("__defaults")
    automatic = isinstance(defaults, list) and "name" in defaults
    return not automatic and inputs.get("name") == state.get("name")


def listed(found: Any) -> list[Any]:
    """Docker says null for an empty list."""
    return found or []


def labels_of(found: dict[str, str] | None) -> list[PlainMap]:
    return [{"label": label, "value": value} for label, value in sorted((found or {}).items())]


def explained(error: docker.errors.APIError) -> str:
    return str(error.explanation or error)


def remove_when_free(remove: Callable[[], None], what: str, seconds: float) -> None:
    """Removes, trying again while something still uses it; gone already is as good."""
    until = time.monotonic() + seconds
    while True:
        try:
            remove()
        except docker.errors.NotFound:
            return
        except docker.errors.APIError as error:
            if error.status_code not in (403, 409) or time.monotonic() > until:
                raise PluginError(f"Unable to remove {what}: {explained(error)}") from error
            time.sleep(0.5)
        else:
            return
