"""The state of `docker.Container` from what Docker reports of a container.

Owns: what is read back and what is taken over from before (`envs`, `labels`, `networksAdvanced`, `volumes`, `uploads`
are never read back).
Deliberately does not: talk to Docker.
"""

from __future__ import annotations

from typing import Any

from lab.doubles.plugins.docker_plugin.container_schema import CONTAINER
from lab.doubles.plugins.docker_plugin.resource import listed
from lab.doubles.plugins.frame.schema import filled
from lab.doubles.plugins.frame.values import Plain, PlainMap

_MEBIBYTE = 1024 * 1024
_KEPT = [
    "attach",
    "cgroupParent",
    "cgroupnsMode",
    "containerLogs",
    "containerReadRefreshTimeoutMilliseconds",
    "cpuPeriod",
    "cpuQuota",
    "cpus",
    "destroyGraceSeconds",
    "envs",
    "gpus",
    "labels",
    "logs",
    "networksAdvanced",
    "removeVolumes",
    "start",
    "storageOpts",
    "uploads",
    "volumes",
    "wait",
    "waitTimeout",
]
_NULL_UNTIL_REFRESHED = {"dns": "Dns", "dnsOpts": "DnsOptions", "dnsSearches": "DnsSearch", "groupAdds": "GroupAdd"}
_MAPS_UNTIL_REFRESHED = {"storageOpts": "StorageOpt", "sysctls": "Sysctls", "tmpfs": "Tmpfs"}


def state_of(found: Any, before: PlainMap, *, refreshed: bool) -> PlainMap:
    """The whole state; `before` holds the inputs on a create and the last state on a refresh."""
    config, host, running = found["Config"], found["HostConfig"], found["State"]["Running"]
    state: PlainMap = {
        **{key: _kept(key, before, refreshed=refreshed) for key in _KEPT},
        **_of_config(config, before),
        **_of_host(host),
        "bridge": found["NetworkSettings"].get("Bridge", ""),
        "exitCode": before.get("exitCode") if running else found["State"]["ExitCode"],
        "id": found["Id"],
        "image": before["image"] if config["Image"] == before.get("image") else found["Image"],
        # So that the next diff shows a container that was stopped by hand.
        "mustRun": bool(before.get("mustRun")) and running,
        "name": found["Name"].lstrip("/"),
        "networkDatas": _networks(found["NetworkSettings"]["Networks"]),
        "platform": found.get("Platform", "linux"),
        # A container that must run shows what it publishes, which is nothing while it does not run.
        "ports": _ports(found, before) if running or before.get("mustRun") else _clean(before.get("ports")),
    }
    for key, source in _NULL_UNTIL_REFRESHED.items():
        state[key] = host.get(source) or ([] if refreshed else None)
    for key, source in _MAPS_UNTIL_REFRESHED.items():
        state[key] = host.get(source) or ({} if refreshed else None)
    return dict(sorted(state.items()))


def go_duration(nanoseconds: int) -> str:
    """As Go prints it: 60 s are `1m0s`, 1500 ms are `1.5s`."""
    if nanoseconds == 0:
        return "0s"
    if nanoseconds < 10**9:
        return f"{nanoseconds / 10**6:g}ms" if nanoseconds >= 10**6 else f"{nanoseconds / 10**3:g}µs"
    minutes, left = divmod(nanoseconds, 60 * 10**9)
    seconds = f"{left / 10**9:g}s"
    hours, minutes = divmod(minutes, 60)
    if hours:
        return f"{hours}h{minutes}m{seconds}"
    return f"{minutes}m{seconds}" if minutes else seconds


def _kept(key: str, before: PlainMap, *, refreshed: bool) -> Plain:
    if key in ("attach", "logs", "wait"):
        return bool(before.get(key))
    value = before.get(key)
    if key in ("envs", "labels", "volumes", "uploads", "networksAdvanced"):
        return filled(CONTAINER.fields[key], _clean(value), unset=not refreshed)
    return value


def _clean(value: Plain) -> Plain:
    if not isinstance(value, list):
        return []
    return [
        dict(sorted((key, member) for key, member in item.items() if key != "__defaults"))
        if isinstance(item, dict)
        else item
        for item in value
    ]


def _of_config(config: Any, before: PlainMap) -> PlainMap:
    return {
        "command": config.get("Cmd") or [],
        "domainname": config["Domainname"],
        "entrypoints": config.get("Entrypoint") or [],
        "healthcheck": _health(config.get("Healthcheck")),
        "hostname": config["Hostname"],
        "stdinOpen": config["OpenStdin"],
        "stopSignal": config.get("StopSignal") or "",
        "stopTimeout": config.get("StopTimeout") or 0,
        "tty": config["Tty"],
        # An image's own user and folder are not the program's business; the bridge takes "" for "whatever".
        "user": config["User"],
        "workingDir": config["WorkingDir"],
    }


def _of_host(host: Any) -> PlainMap:
    added, dropped = listed(host.get("CapAdd")), listed(host.get("CapDrop"))
    swap = host["MemorySwap"]
    return {
        "capabilities": {"adds": added, "drops": dropped} if added or dropped else None,
        "cpuSet": host["CpusetCpus"],
        "cpuShares": host["CpuShares"],
        **{key: [] for key in ("deviceReadBps", "deviceReadIops", "deviceWriteBps", "deviceWriteIops")},
        "deviceRequests": [],
        "devices": [],
        "hosts": [
            {"host": name, "ip": address}
            for name, _, address in (str(item).partition(":") for item in listed(host["ExtraHosts"]))
        ],
        "init": bool(host.get("Init")),
        "ipcMode": host["IpcMode"],
        "logDriver": host["LogConfig"]["Type"],
        "logOpts": host["LogConfig"].get("Config") or {},
        "maxRetryCount": host["RestartPolicy"]["MaximumRetryCount"],
        "memory": host["Memory"] // _MEBIBYTE,
        "memoryReservation": host["MemoryReservation"] // _MEBIBYTE,
        "memorySwap": swap // _MEBIBYTE if swap > 0 else swap,
        "mounts": [_mount(mount) for mount in listed(host.get("Mounts"))],
        "networkMode": host["NetworkMode"],
        "pidMode": host["PidMode"] or None,
        "privileged": host["Privileged"],
        "publishAllPorts": host["PublishAllPorts"],
        "readOnly": host["ReadonlyRootfs"],
        "restart": host["RestartPolicy"]["Name"] or "no",
        "rm": host["AutoRemove"],
        "runtime": host["Runtime"],
        "securityOpts": host["SecurityOpt"] or [],
        "shmSize": host["ShmSize"] // _MEBIBYTE,
        "ulimits": [
            {"hard": item["Hard"], "name": item["Name"], "soft": item["Soft"]} for item in listed(host.get("Ulimits"))
        ],
        "usernsMode": host["UsernsMode"],
    }


def _health(found: Any) -> Plain:
    if not found or not found.get("Test"):
        return None
    return {
        "interval": go_duration(found.get("Interval", 0)),
        "retries": found.get("Retries", 0),
        "startInterval": go_duration(found.get("StartInterval", 0)),
        "startPeriod": go_duration(found.get("StartPeriod", 0)),
        "tests": found["Test"],
        "timeout": go_duration(found.get("Timeout", 0)),
    }


def _mount(mount: Any) -> Plain:
    tmpfs = mount.get("TmpfsOptions")
    bind = mount.get("BindOptions")
    propagation = bind.get("Propagation") if bind else None
    return {
        "bindOptions": {"propagation": propagation} if propagation else None,
        "readOnly": True if mount.get("ReadOnly") else None,
        "source": mount.get("Source", ""),
        "target": mount["Target"],
        "tmpfsOptions": {"mode": tmpfs.get("Mode", 0), "sizeBytes": tmpfs.get("SizeBytes", 0)} if tmpfs else None,
        "type": mount["Type"],
        "volumeOptions": None,
    }


def _networks(networks: Any) -> list[Plain]:
    return [
        {
            "gateway": network["Gateway"],
            "globalIpv6Address": network["GlobalIPv6Address"],
            "globalIpv6PrefixLength": network["GlobalIPv6PrefixLen"],
            "ipAddress": network["IPAddress"],
            "ipPrefixLength": network["IPPrefixLen"],
            "ipv6Gateway": network["IPv6Gateway"],
            "macAddress": network["MacAddress"],
            "networkName": name,
        }
        for name, network in sorted(networks.items())
    ]


def _ports(found: Any, before: PlainMap) -> list[Plain]:
    """In ascending order, however they were declared."""
    if not before.get("ports"):
        return []
    ports: dict[str, Any] = found["NetworkSettings"]["Ports"] or {}
    return [
        {
            "external": int(each["HostPort"]),
            "internal": int(port.split("/")[0]),
            "ip": each["HostIp"],
            "protocol": port.split("/")[1],
        }
        for port in sorted(ports, key=lambda port: int(port.split("/")[0]))
        for each in listed(ports[port])
    ]
