"""From the inputs of `docker.Container` to what Docker's API takes.

Owns: the body of `POST /containers/create`, the endpoint of each network, the archive of each upload.
Deliberately does not: talk to Docker.
"""

from __future__ import annotations

import base64
import io
import re
import tarfile
from pathlib import Path
from typing import Any

from lab.doubles.plugins.frame.serve import PluginError
from lab.doubles.plugins.frame.values import PlainMap, items, mapping, number, strings, text

_MEBIBYTE = 1024 * 1024
_NANOSECONDS = {"ns": 1, "us": 10**3, "µs": 10**3, "ms": 10**6, "s": 10**9, "m": 60 * 10**9, "h": 3600 * 10**9}


def create_body(inputs: PlainMap) -> dict[str, Any]:
    body: dict[str, Any] = {
        "Image": text(inputs["image"]),
        "Hostname": text(inputs.get("hostname")),
        "Domainname": text(inputs.get("domainname")),
        "User": text(inputs.get("user")),
        "WorkingDir": text(inputs.get("workingDir")),
        "Tty": bool(inputs.get("tty")),
        "OpenStdin": bool(inputs.get("stdinOpen")),
        "Env": strings(inputs.get("envs")),
        "Labels": {text(item["label"]): text(item.get("value")) for item in items(inputs.get("labels"))},
        "ExposedPorts": {_port_key(port): {} for port in items(inputs.get("ports"))},
        "HostConfig": _host_config(inputs),
    }
    for key, target in (("command", "Cmd"), ("entrypoints", "Entrypoint")):
        if inputs.get(key):
            body[target] = strings(inputs[key])
    if inputs.get("stopSignal"):
        body["StopSignal"] = text(inputs["stopSignal"])
    if inputs.get("stopTimeout"):
        body["StopTimeout"] = number(inputs["stopTimeout"])
    health = inputs.get("healthcheck")
    if isinstance(health, dict):
        body["Healthcheck"] = {
            "Test": strings(health.get("tests")),
            "Interval": nanoseconds(text(health.get("interval"))),
            "Timeout": nanoseconds(text(health.get("timeout"))),
            "StartPeriod": nanoseconds(text(health.get("startPeriod"))),
            "Retries": number(health.get("retries")),
        }
    return body


def endpoint(network: PlainMap) -> dict[str, Any]:
    addresses = {"IPv4Address": text(network.get("ipv4Address")), "IPv6Address": text(network.get("ipv6Address"))}
    return {
        "Aliases": strings(network.get("aliases")),
        "IPAMConfig": {key: value for key, value in addresses.items() if value},
    }


def upload_archive(upload: PlainMap) -> bytes:
    content = _upload_content(upload)
    member = tarfile.TarInfo(text(upload["file"]))
    executable = 0o744 if upload.get("executable") else 0o644
    member.mode = int(text(upload.get("permissions")), 8) if upload.get("permissions") else executable
    member.size = len(content)
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w") as archive:
        archive.addfile(member, io.BytesIO(content))
    return packed.getvalue()


def nanoseconds(duration: str) -> int:
    """`1m30s` in nanoseconds; Go's own notation."""
    parts = re.findall(r"([0-9.]+)(ns|us|µs|ms|s|m|h)", duration)
    if duration not in ("", "0") and "".join(figure + unit for figure, unit in parts) != duration:
        raise PluginError(f"healthcheck: {duration!r} is no duration; write it like 10s or 1m30s.")
    return sum(int(float(figure) * _NANOSECONDS[unit]) for figure, unit in parts)


def _host_config(inputs: PlainMap) -> dict[str, Any]:
    capabilities = inputs.get("capabilities")
    capabilities = capabilities if isinstance(capabilities, dict) else {}
    swap = number(inputs.get("memorySwap"))
    config: dict[str, Any] = {
        "Privileged": bool(inputs.get("privileged")),
        "PublishAllPorts": bool(inputs.get("publishAllPorts")),
        "RestartPolicy": {
            "Name": text(inputs.get("restart")) or "no",
            "MaximumRetryCount": number(inputs.get("maxRetryCount")),
        },
        "AutoRemove": bool(inputs.get("rm")),
        "ReadonlyRootfs": bool(inputs.get("readOnly")),
        "Init": bool(inputs.get("init")),
        "LogConfig": {"Type": text(inputs.get("logDriver")), "Config": mapping(inputs.get("logOpts"))},
        "NetworkMode": text(inputs.get("networkMode")),
        "PortBindings": _bindings(items(inputs.get("ports"))),
        "Binds": [_bind(volume) for volume in items(inputs.get("volumes")) if _source(volume)],
        "VolumesFrom": [
            text(item["fromContainer"]) for item in items(inputs.get("volumes")) if item.get("fromContainer")
        ],
        "Mounts": [_mount(mount) for mount in items(inputs.get("mounts"))],
        "Tmpfs": mapping(inputs.get("tmpfs")),
        "ExtraHosts": [f"{text(item['host'])}:{text(item['ip'])}" for item in items(inputs.get("hosts"))],
        "CapAdd": strings(capabilities.get("adds")),
        "CapDrop": strings(capabilities.get("drops")),
        "SecurityOpt": strings(inputs.get("securityOpts")),
        "Dns": strings(inputs.get("dns")),
        "DnsOptions": strings(inputs.get("dnsOpts")),
        "DnsSearch": strings(inputs.get("dnsSearches")),
        "GroupAdd": strings(inputs.get("groupAdds")),
        "Sysctls": mapping(inputs.get("sysctls")),
        "StorageOpt": mapping(inputs.get("storageOpts")) or None,
        "Memory": number(inputs.get("memory")) * _MEBIBYTE,
        "MemoryReservation": number(inputs.get("memoryReservation")) * _MEBIBYTE,
        "MemorySwap": swap * _MEBIBYTE if swap > 0 else swap,
        "ShmSize": number(inputs.get("shmSize")) * _MEBIBYTE,
        "CpuShares": number(inputs.get("cpuShares")),
        "CpuPeriod": number(inputs.get("cpuPeriod")),
        "CpuQuota": number(inputs.get("cpuQuota")),
        "NanoCpus": int(float(text(inputs.get("cpus")) or 0) * 10**9),
        "CpusetCpus": text(inputs.get("cpuSet")),
        "PidMode": text(inputs.get("pidMode")),
        "IpcMode": text(inputs.get("ipcMode")),
        "UsernsMode": text(inputs.get("usernsMode")),
        "CgroupnsMode": text(inputs.get("cgroupnsMode")),
        "CgroupParent": text(inputs.get("cgroupParent")),
        "Runtime": text(inputs.get("runtime")),
        "Ulimits": [
            {"Name": text(item["name"]), "Soft": number(item.get("soft")), "Hard": number(item.get("hard"))}
            for item in items(inputs.get("ulimits"))
        ],
    }
    return {key: value for key, value in config.items() if value not in ("", None)}


def _port_key(port: PlainMap) -> str:
    return f"{text(port['internal'])}/{text(port.get('protocol')) or 'tcp'}"


def _bindings(ports: list[PlainMap]) -> dict[str, list[dict[str, str]]]:
    bindings: dict[str, list[dict[str, str]]] = {}
    for port in ports:
        held = {"HostIp": text(port.get("ip")), "HostPort": text(port.get("external"))}
        bindings.setdefault(_port_key(port), []).append(held)
    return bindings


def _source(volume: PlainMap) -> str:
    return text(volume.get("hostPath")) or text(volume.get("volumeName"))


def _bind(volume: PlainMap) -> str:
    flags = ["ro" if volume.get("readOnly") else "rw"]
    if volume.get("selinuxRelabel"):
        flags.append(text(volume["selinuxRelabel"]))
    return f"{_source(volume)}:{text(volume.get('containerPath'))}:{','.join(flags)}"


def _mount(mount: PlainMap) -> dict[str, Any]:
    body: dict[str, Any] = {
        "Type": text(mount["type"]),
        "Target": text(mount["target"]),
        "Source": text(mount.get("source")),
        "ReadOnly": bool(mount.get("readOnly")),
    }
    bind, tmpfs, volume = (mount.get(key) for key in ("bindOptions", "tmpfsOptions", "volumeOptions"))
    if isinstance(bind, dict) and bind.get("propagation"):
        body["BindOptions"] = {"Propagation": text(bind["propagation"])}
    if isinstance(tmpfs, dict):
        body["TmpfsOptions"] = {"SizeBytes": number(tmpfs.get("sizeBytes")), "Mode": number(tmpfs.get("mode"))}
    if isinstance(volume, dict):
        body["VolumeOptions"] = {"NoCopy": bool(volume.get("noCopy"))}
    return body


def _upload_content(upload: PlainMap) -> bytes:
    sources = [key for key in ("content", "contentBase64", "source") if upload.get(key)]
    if len(sources) != 1:
        raise PluginError(
            f"error with upload content: exactly one of 'content', 'content_base64' or 'source' must be set for "
            f"{text(upload.get('file'))}, not {len(sources)}"
        )
    value = text(upload[sources[0]])
    if sources[0] == "content":
        return value.encode()
    return base64.b64decode(value) if sources[0] == "contentBase64" else Path(value).read_bytes()
