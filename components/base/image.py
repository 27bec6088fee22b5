"""Images on the host, before a container runs one.

Owns: `hostctl images ready`, which pulls a missing image or says how to get it; `hostctl images build-context`, which
has Docker build it on the host from the operator's sources; the plugin's own resource, which knows the image's id; and
`hostctl images build`, which builds on such an image with a few files.
Deliberately does not: remove an image; a rollback may need the earlier one.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import pulumi
import pulumi_docker as docker

from components.host import Host, Operation
from hostctl.images.build import packed_files


@dataclass(frozen=True)
class Layer:
    """The files that are built on a base, by their path in the build; "Dockerfile" among them is FROM ${BASE}."""

    name: str
    files: Mapping[str, str]


@dataclass(frozen=True)
class Base:
    """An image by its id, and for an error its name and the configuration key that sets it."""

    id: pulumi.Input[str]
    name: str
    setting: str


def image_on_host(
    name: str, image: str, setting: str, *, host: Host, parent: pulumi.Resource, context: str | None = None
) -> docker.RemoteImage:
    """The image of that configuration key, such as `sentinel.image`; built from the folder `context` where given."""
    if context is None:
        pulling = Operation("images", create="ready")
        ready = host.action(f"{name}-ready", pulling, {"image": image, "setting": setting}, parent=parent)
    else:
        building = Operation("images", create="build-context")
        ready = host.action(f"{name}-context", building, {"image": image, "folder": context}, parent=parent)
    options = host.docker_options(parent, depends_on=[ready.resource])
    return docker.RemoteImage(name, name=image, keep_locally=True, opts=options)


def image_built_on_host(
    name: str, layer: Layer, base: Base, *, host: Host, parent: pulumi.Resource
) -> pulumi.Output[str]:
    """The id of the image of that layer over that base: built unless the host has one with the same content."""
    document = {
        "name": f"sentinel-cutover/{layer.name}",
        "base": base.id,
        "base_name": base.name,
        "setting": base.setting,
        "files": packed_files(layer.files),
    }
    built = host.action(name, Operation("images", create="build"), document, parent=parent)
    return built.result.apply(lambda answer: str(answer["id"]))
