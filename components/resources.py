"""Memory and CPU of the stack's containers, in one of two ways.

Owns: `Statistics`, a look of `hostctl` at Docker's statistics once a minute, which Prometheus reads as a file: no
container more, no socket mounted, and the memory of bridge and gateway alone, which is what the target means.
`Cadvisor`, where an operator wants its resolution: it reads the whole host, Docker's socket included, and can see
containers only.

Deliberately does not: take part in the cutover, or draw (`dashboards/resources.py`).
"""

from __future__ import annotations

import pulumi
import pulumi_docker as docker

from components.container import ContainerSpec, HealthCheck, hardened_container
from components.host import Host, Operation
from components.networks import Networks
from components.prometheus import CADVISOR, RESOURCES, Prometheus
from components.settings import Settings

__all__ = ["Cadvisor", "Statistics"]

_MOUNTS = {"/rootfs": "/", "/var/run": "/var/run", "/sys": "/sys", "/var/lib/docker": "/var/lib/docker"}
_COLLECTORS = (
    "advtcp,cpu_topology,cpuset,disk,diskIO,hugetlb,memory_numa,network,percpu,process,referenced_memory,resctrl,"
    "sched,tcp,udp"
)
"""What no panel shows, and cAdvisor would gather all the same."""


class Statistics(pulumi.ComponentResource):
    """Docker's statistics as a file of metrics. Its delete takes the timer away."""

    def __init__(
        self,
        name: str,
        settings: Settings,
        *,
        host: Host,
        prometheus: Prometheus,
        opts: pulumi.ResourceOptions | None = None,
    ) -> None:
        super().__init__("sentinel-cutover:index:Statistics", name, None, opts)
        host.action(
            f"{name}-kept",
            Operation("resources", create="keep", delete="forget"),
            {
                "folder": f"{host.folder}/{name}",
                "program": f"{host.folder}/hostctl.pyz",
                "file": f"{prometheus.marks}/{RESOURCES}",
                "target_mb": settings.alerts.memory_target_mb,
                "trigger": settings.resources.trigger,
            },
            parent=self,
            depends_on=[prometheus],
        )
        self.register_outputs({})


class Cadvisor(pulumi.ComponentResource):
    """cAdvisor on the internal network alone: it publishes nothing. It needs root to read other users' cgroups."""

    container: docker.Container

    def __init__(
        self,
        name: str,
        settings: Settings,
        *,
        host: Host,
        networks: Networks,
        opts: pulumi.ResourceOptions | None = None,
    ) -> None:
        super().__init__("sentinel-cutover:index:Cadvisor", name, None, opts)
        image = docker.RemoteImage(
            f"{name}-image", name=settings.resources.image, keep_locally=True, opts=host.docker_options(self)
        )
        alias, _, port = CADVISOR.partition(":")
        spec = ContainerSpec(
            image=image.image_id,
            name=name,
            user="0:0",
            memory_mb=settings.resources.memory_mb,
            network=networks.internal,
            aliases=[alias],
            command=[
                "--docker_only=true",
                "--store_container_labels=false",
                "--whitelisted_container_labels=sentinel-cutover",
                "--housekeeping_interval=30s",
                f"--disable_metrics={_COLLECTORS}",
            ],
            files=_MOUNTS,
            health=HealthCheck(
                command=["wget", "-q", "-O", "/dev/null", f"http://127.0.0.1:{port}/healthz"],
                interval=10,
                timeout=3,
                retries=6,
                start_period=30,
            ),
        )
        self.container = hardened_container(
            f"{name}-container", spec, host.docker_options(self, delete_before_replace=True)
        )
        self.register_outputs({"container": self.container.name})
