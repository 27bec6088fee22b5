"""The product's two networks: an internal one, and the edge, which has egress and publishes loopback ports.

Owns: `sentinel` (internal) and `sentinel-edge`. Deliberately does not: connect a gateway to the edge. The handover
does; a container's own declaration joins it to the internal network only.
"""

from __future__ import annotations

from dataclasses import dataclass

import pulumi
import pulumi_docker as docker

from components.host import Host
from settings.names import EDGE_NETWORK, INTERNAL_NETWORK


@dataclass(frozen=True, kw_only=True)
class NetworksArgs:
    """The host that gets the networks."""

    host: Host


class Networks(pulumi.ComponentResource):
    """Both networks of the product; `internal` and `edge` are their names on the host, and the ids are Docker's."""

    internal: pulumi.Output[str]
    internal_id: pulumi.Output[str]
    edge: pulumi.Output[str]
    edge_id: pulumi.Output[str]

    def __init__(self, name: str, args: NetworksArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("sentinel-cutover:index:Networks", name, None, opts)
        options = args.host.docker_options(self)
        internal = docker.Network(f"{name}-internal", name=INTERNAL_NETWORK, internal=True, opts=options)
        edge = docker.Network(f"{name}-edge", name=EDGE_NETWORK, opts=options)
        self.internal, self.internal_id = internal.name, internal.id
        self.edge, self.edge_id = edge.name, edge.id
        self.register_outputs({"internal": self.internal, "edge": self.edge})
