"""The fields of `docker.Container`: what they are and what a difference in them does.

Owns: the table. Which field replaces is from `provider-plugins.md`; `healthcheck`, `tmpfs` and `init` are reported as
updates in place although nothing happens to the container, as the published plugin does.
Deliberately does not: compare or act.
"""

from __future__ import annotations

from lab.doubles.plugins.frame.schema import Field, Schema
from lab.doubles.plugins.frame.values import Plain

_NETWORK: dict[str, Plain] = {
    "aliases": [],
    "driverOpts": [],
    "gwPriority": 0,
    "ipv4Address": "",
    "ipv6Address": "",
    "linkLocalIps": [],
    "macAddress": "",
    "name": "",
}
_MOUNT: dict[str, Plain] = {
    "bindOptions": None,
    "readOnly": False,
    "source": "",
    "target": "",
    "tmpfsOptions": None,
    "type": "",
    "volumeOptions": None,
}
_VOLUME: dict[str, Plain] = {
    "containerPath": "",
    "fromContainer": "",
    "hostPath": "",
    "readOnly": False,
    "selinuxRelabel": "",
    "volumeName": "",
}
_UPLOAD: dict[str, Plain] = {
    "content": "",
    "contentBase64": "",
    "executable": False,
    "file": "",
    "permissions": "",
    "source": "",
    "sourceHash": "",
}
_DURATIONS: dict[str, Plain] = {"interval": "0s", "timeout": "0s", "startPeriod": "0s", "startInterval": "0s"}

_REPLACING = [
    "cgroupParent",
    "cpuPeriod",
    "cpuQuota",
    "cpus",
    "domainname",
    "gpus",
    "image",
    "name",
    "pidMode",
    "privileged",
    "publishAllPorts",
    "readOnly",
    "stdinOpen",
    "tty",
    "user",
    "usernsMode",
    "workingDir",
]
_COMPUTED = [
    "cgroupnsMode",
    "hostname",
    "ipcMode",
    "logDriver",
    "networkMode",
    "platform",
    "runtime",
    "shmSize",
    "stopSignal",
    "stopTimeout",
]
_IN_PLACE = [
    "attach",
    "containerReadRefreshTimeoutMilliseconds",
    "destroyGraceSeconds",
    "logs",
    "mustRun",
    "removeVolumes",
    "rm",
    "start",
    "wait",
    "waitTimeout",
]
_IN_PLACE_NUMBERS = ["cpuShares", "maxRetryCount", "memory", "memoryReservation", "memorySwap"]

CONTAINER = Schema(
    fields={
        **{key: Field() for key in _REPLACING},
        **{key: Field(computed=True) for key in _COMPUTED},
        **{key: Field(replace=False) for key in _IN_PLACE},
        **{key: Field(replace=False, blank=0) for key in _IN_PLACE_NUMBERS},
        **{key: Field("set") for key in ("dns", "dnsOpts", "dnsSearches", "groupAdds", "hosts", "ulimits", "devices")},
        **{key: Field("set") for key in ("deviceReadBps", "deviceReadIops", "deviceWriteBps", "deviceWriteIops")},
        **{key: Field("map") for key in ("storageOpts", "sysctls")},
        "command": Field("list", computed=True),
        "entrypoints": Field("list", computed=True),
        "envs": Field("set", computed=True),
        "securityOpts": Field("set", computed=True),
        "labels": Field("set", computed=True),
        "logOpts": Field("map", computed=True),
        "cpuSet": Field(replace=False, blank=""),
        "restart": Field(replace=False, blank="no"),
        "init": Field(computed=True, replace=False),
        "healthcheck": Field("block", computed=True, replace=False, defaults=_DURATIONS),
        "tmpfs": Field("map", replace=False),
        "capabilities": Field("block", filling={"adds": [], "drops": []}),
        "mounts": Field("set", filling=_MOUNT),
        "volumes": Field("set", filling=_VOLUME),
        "uploads": Field("set", filling=_UPLOAD),
        "networksAdvanced": Field("set", filling=_NETWORK),
        "ports": Field("list", order="internal", defaults={"ip": "0.0.0.0", "protocol": "tcp"}),
    },
    defaults={
        "containerReadRefreshTimeoutMilliseconds": 15000,
        "mustRun": True,
        "networkMode": "bridge",
        "removeVolumes": True,
        "restart": "no",
        "start": True,
        "waitTimeout": 60,
    },
)
