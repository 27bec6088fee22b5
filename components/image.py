"""An image on the host, there before anything is made from it.

Owns: `hostctl images ready`, which says how to get an image that is neither there nor to be had, and the plugin's own
resource, which knows the image's id. Deliberately does not: remove an image; the former one is part of the way back.
"""

from __future__ import annotations

import pulumi
import pulumi_docker as docker

from components.host import Host, Operation

__all__ = ["image_on_host"]


def image_on_host(name: str, image: str, setting: str, *, host: Host, parent: pulumi.Resource) -> docker.RemoteImage:
    """The image of that configuration key, such as `sentinel.image`."""
    ready = host.action(
        f"{name}-ready", Operation("images", create="ready"), {"image": image, "setting": setting}, parent=parent
    )
    options = pulumi.ResourceOptions(depends_on=[ready.resource])
    return docker.RemoteImage(
        name, name=image, keep_locally=True, opts=pulumi.ResourceOptions.merge(host.docker_options(parent), options)
    )
