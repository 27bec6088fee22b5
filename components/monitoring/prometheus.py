"""Prometheus, which scrapes Sentinel from standby on.

Owns: its configuration, the check of it by the image's own `promtool` before the running container is touched, its
container, its volume, the wait until Sentinel's target is up, and the mark of a cutover on the dashboard.

Deliberately does not: evaluate rules or send alerts (Grafana does), take part in the handover, or end with a rollback.
A changed configuration makes a new container over the same volume; `pulumi destroy` keeps the volume.

Retention is set by flags: 3.13 deprecates and still honours them, 2.53 has nothing else, and versions before 3.11
misread the setting in the configuration file (`reference/formats.md`, section 7).

It joins the edge and the internal network at once. Docker publishes its port on the edge, whatever their order: the
published plugin keeps networks as a set and connects before it starts (measured on the lab's Docker).
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import pulumi
import pulumi_docker as docker
import yaml

from components.base.container import ContainerSpec, HealthCheck, Port, hardened_container
from components.base.files import HostFile, HostFiles, HostFilesArgs
from components.base.joined import joined
from components.handover import Handover
from components.host import Operation, StackArgs
from components.networks import Networks
from components.sentinel.configuration import ALIAS as GATEWAY
from components.sentinel.gateway import Sentinel
from hostctl.nightly.results import TARGET_FILE
from settings import Settings, secret_output
from settings.limits import MONITORING_STOP_SECONDS, PROMETHEUS_MEMORY_MB
from settings.names import LOOPBACK

NAME = "sentinel-prometheus"
"""The component's and the container's name."""

ALIAS = "prometheus"
PORT = 9090
MARKS_SUFFIX = "-marks"
"""The end of the name of the folder of marks, after the component's name."""

USER = 65534
"""`nobody`, who owns the image's folder."""

_CONFIGURATION = "/etc/prometheus/prometheus.yml"
_TOKEN = "/run/secrets/health_token"
_MARKS = "/etc/prometheus/marks"
_DATA = "/prometheus"
_VOLUME = "sentinel-prometheus"
_MARK = "cutover.json"
_SAMPLE_LIMIT = 5000
_RETENTION_DAYS, _RETENTION_MB = 15, 512
"""Age of the oldest series, and the disk space of all; the oldest go first."""

RESOURCES = "resources.txt"
"""The host's file of metrics among the marks, whose folder Prometheus serves itself."""


def prometheus_yml(settings: Settings) -> str:
    """The configuration, in the form that 2.53 and 3.x share.

    The job `cutover` has a target only while a mark lies in its folder: Prometheus itself, with every sample dropped,
    so that nothing but `up`, with the mark's labels, is kept. The jobs `host` and `resources` scrape the files that the
    host's own jobs write there: Prometheus itself serves the folder, below `/user`, so that no exporter is needed.
    """
    seconds = settings.prometheus.scrape_seconds
    sentinel: dict[str, Any] = {
        "job_name": "sentinel",
        "sample_limit": _SAMPLE_LIMIT,
        "body_size_limit": "10MB",
        "static_configs": [{"targets": [f"{GATEWAY}:{settings.sentinel.health_port}"]}],
    }
    if settings.health_token is not None:
        sentinel["authorization"] = {"type": "Bearer", "credentials_file": _TOKEN}
    prometheus = {"job_name": "prometheus", "static_configs": [{"targets": [f"127.0.0.1:{PORT}"]}]}
    cutover: dict[str, Any] = {
        "job_name": "cutover",
        "file_sd_configs": [{"files": [f"{_MARKS}/{_MARK}"], "refresh_interval": f"{seconds}s"}],
        "metric_relabel_configs": [{"action": "drop", "source_labels": ["__name__"], "regex": ".+"}],
    }
    host: dict[str, Any] = {
        "job_name": "host",
        "file_sd_configs": [{"files": [f"{_MARKS}/{TARGET_FILE}"], "refresh_interval": f"{seconds}s"}],
    }
    times = {"scrape_interval": f"{seconds}s", "scrape_timeout": f"{min(10, seconds)}s"}
    jobs = [sentinel, prometheus, cutover, host, *_resources(settings)]
    return yaml.safe_dump({"global": times, "scrape_configs": jobs}, sort_keys=False)


def _resources(settings: Settings) -> list[dict[str, Any]]:
    """The job for memory and CPU of the containers, none where no file is written."""
    if not settings.resources.enabled:
        return []
    static = [{"targets": [f"127.0.0.1:{PORT}"]}]
    return [{"job_name": "resources", "metrics_path": f"/user/{RESOURCES}", "static_configs": static}]


@dataclass(frozen=True, kw_only=True)
class PrometheusArgs(StackArgs):
    """Prometheus's dependencies. Where `standby` is false Sentinel is stopped on purpose, and nothing waits for it."""

    networks: Networks
    sentinel: Sentinel
    standby: bool


class Prometheus(pulumi.ComponentResource):
    """One Prometheus; once it is done, its `jobs` are up. `marks` is its folder of marks on the host."""

    container: docker.Container
    marks: str
    jobs: list[str]

    def __init__(self, name: str, args: PrometheusArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("sentinel-cutover:index:Prometheus", name, None, opts)
        self._name, self._args = name, args
        host, settings = args.host, args.settings.prometheus
        self.marks = f"{host.folder}/{name}{MARKS_SUFFIX}"
        self.jobs = ["sentinel", "prometheus"] if args.standby else ["prometheus"]
        image = docker.RemoteImage(
            f"{name}-image", name=settings.image, keep_locally=True, opts=host.docker_options(self)
        )
        volume = docker.Volume(f"{name}-data", name=_VOLUME, opts=host.docker_options(self, retain_on_delete=True))
        files = self._files()
        mounted = self._mounted(files)
        marks = host.action(
            f"{name}-marks",
            Operation("files", create="write", delete="remove"),
            {"folder": self.marks, "folder_mode": "0755", "uid": USER, "gid": USER},
            parent=self,
        )
        checked = host.action(
            f"{name}-check",
            Operation("one-shot", create="run"),
            {
                "image": image.image_id,
                "command": ["promtool", "check", "config", _CONFIGURATION],
                "files": mounted,
                "user": f"{USER}:{USER}",
            },
            parent=self,
        )
        spec = ContainerSpec(
            image=image.image_id,
            name=name,
            command=self._command(),
            user=f"{USER}:{USER}",
            memory_mb=PROMETHEUS_MEMORY_MB,
            network=args.networks.internal,
            aliases=[ALIAS],
            edge=args.networks.edge,
            files={**mounted, _MARKS: self.marks},
            volumes={_DATA: volume.name},
            ports=[Port(LOOPBACK, settings.port, PORT)],
            health=HealthCheck(
                command=["promtool", "check", "ready", f"--url=http://127.0.0.1:{PORT}"],
                interval=5,
                timeout=3,
                retries=6,
                start_period=30,
            ),
            labels={"sentinel-cutover.files": files.hash},
            stop_seconds=MONITORING_STOP_SECONDS,
        )
        self.container = hardened_container(
            f"{name}-container",
            spec,
            host.docker_options(self, delete_before_replace=True, depends_on=[checked.resource, marks.resource]),
        )
        self._wait()
        self.register_outputs({"container": self.container.name, "volume": volume.name})

    def _files(self) -> HostFiles:
        settings = self._args.settings
        files = {"prometheus.yml": HostFile(prometheus_yml(settings))}
        if settings.health_token is not None:
            files["health_token"] = HostFile(secret_output(settings.health_token))
        return HostFiles(
            f"{self._name}-files",
            HostFilesArgs(
                files=files,
                owner=USER,
                host=self._args.host,
            ),
            pulumi.ResourceOptions(parent=self),
        )

    def _mounted(self, files: HostFiles) -> Mapping[str, pulumi.Input[str]]:
        token = {_TOKEN: files.path("health_token")} if self._args.settings.health_token is not None else {}
        return {_CONFIGURATION: files.path("prometheus.yml"), **token}

    def _command(self) -> list[str]:
        settings = self._args.settings.prometheus
        return [
            f"--config.file={_CONFIGURATION}",
            f"--storage.tsdb.path={_DATA}",
            f"--storage.tsdb.retention.time={_RETENTION_DAYS}d",
            f"--storage.tsdb.retention.size={_RETENTION_MB}MB",
            # What the host's own jobs write there is served below /user, and scraped from there.
            f"--web.user-assets={_MARKS}",
            f"--web.external-url=http://127.0.0.1:{settings.port}/",
        ]

    def _wait(self) -> None:
        settings = self._args.settings.prometheus
        self._args.host.action(
            f"{self._name}-up",
            Operation("prometheus", create="wait"),
            {
                "address": "127.0.0.1",
                "port": settings.port,
                "jobs": self.jobs,
                "limit_seconds": 30 + 2 * settings.scrape_seconds,
                "containers": [self.container.id, self._args.sentinel.container_id],
            },
            parent=self,
        )


@dataclass(frozen=True, kw_only=True)
class CutoverMarkArgs(StackArgs):
    """The gateway that serves since the handover, and the Prometheus that shows it."""

    prometheus: Prometheus
    sentinel: Sentinel
    handover: Handover


class CutoverMark(pulumi.ComponentResource):
    """A file that shows Prometheus, without touching its container, that Sentinel holds the port.

    It is made after the cutover and removed before the rollback, so the dashboard shows both.
    """

    def __init__(self, name: str, args: CutoverMarkArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("sentinel-cutover:index:CutoverMark", name, None, opts)
        labels = {"container": args.sentinel.container_name, "image": args.settings.sentinel.image}
        content = joined([{"targets": [f"127.0.0.1:{PORT}"], "labels": labels}]).apply(json.dumps)
        args.host.action(
            f"{name}-file",
            Operation("files", create="write", delete="remove"),
            {
                "folder": args.prometheus.marks,
                "folder_mode": "0755",
                "uid": USER,
                "gid": USER,
                "files": [{"name": _MARK, "content": content, "mode": "0444", "uid": USER, "gid": USER}],
                # Prometheus has the folder mounted, and runs without a mark.
                "live": True,
            },
            parent=self,
            depends_on=[args.handover, args.prometheus],
        )
        self.register_outputs({"container": args.sentinel.container_name})
