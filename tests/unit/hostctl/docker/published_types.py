"""Documents of a Docker with other people's containers on it, as the Engine API's published types allow them.

Two versions: 1.41 (Docker 20.10) and 1.52 (Docker 29), which leaves out members that the former always has. A pointer,
a map and a list of Go may be null. Source: the Engine API's reference and moby's api/types.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from hypothesis import strategies as st

OLD, NEW = "1.41", "1.52"
Strategy = st.SearchStrategy[Any]

TEXT = st.sampled_from(
    ["", "x", "n8n", "sentinel", "a b", "ä", "../x", "true", "172.18.0.2", "fd00::2", "80", "8000-8010"]
)
NAME = st.sampled_from(["web", "Caddy_1", "auth.elia", "x-1", "sentinel-postgres-of-others", "n8n"])
NUMBER = st.sampled_from([0, 1, 80, 9200, 65535, 1 << 40])


def absent_or_null(of: Strategy) -> Strategy:
    """A Go pointer, map or list: null where there is none."""
    return st.one_of(st.none(), of)


def members(always: Mapping[str, Strategy], **sometimes: Strategy) -> Strategy:
    """An object; the others are left out as `omitempty` does."""
    return st.fixed_dictionaries(dict(always), optional=sometimes)


LABELS = absent_or_null(
    st.dictionaries(st.sampled_from(["com.docker.compose.project", "sentinel", "", "x"]), TEXT, max_size=3)
)
STRINGS = absent_or_null(st.lists(TEXT, max_size=2))
PORT_KEY = st.sampled_from(["80/tcp", "443/udp", "9000/sctp", "8000"])
BINDING = st.fixed_dictionaries({"HostIp": TEXT, "HostPort": st.sampled_from(["", "0", "80", "8443", "8000-8010"])})
BINDINGS = absent_or_null(st.dictionaries(PORT_KEY, absent_or_null(st.lists(BINDING, max_size=2)), max_size=2))
ENDPOINT = absent_or_null(
    members(
        {"NetworkID": TEXT, "EndpointID": TEXT, "Aliases": STRINGS, "Links": STRINGS, "DriverOpts": LABELS},
        IPAMConfig=absent_or_null(members({}, IPv4Address=TEXT, IPv6Address=TEXT, LinkLocalIPs=STRINGS)),
        IPAddress=TEXT,
        GlobalIPv6Address=TEXT,
        MacAddress=TEXT,
        GwPriority=NUMBER,
        DNSNames=STRINGS,
    )
)
NETWORK_MODE = st.sampled_from(["default", "bridge", "host", "none", "container:0123456789ab", "web_default", ""])
MOUNT = members(
    {
        "Type": st.sampled_from(["bind", "volume", "tmpfs", "npipe", "cluster", "image"]),
        "Destination": TEXT,
        "RW": st.booleans(),
    },
    Name=TEXT,
    Source=st.sampled_from(["", "/", "/etc", "/nowhere/x"]),
    Driver=TEXT,
    Mode=TEXT,
    Propagation=TEXT,
)


def listed(version: str) -> Strategy:
    """One row of "List containers"."""
    new: dict[str, Strategy] = {"ImageManifestDescriptor": absent_or_null(members({"digest": TEXT}))}
    new |= {"Health": absent_or_null(members({"Status": TEXT, "FailingStreak": NUMBER}))}
    return members(
        {
            "Names": absent_or_null(st.lists(NAME.map("/{}".format), max_size=2)),
            "Image": TEXT,
            "ImageID": TEXT,
            "Command": TEXT,
            "Created": NUMBER,
            "Ports": absent_or_null(
                st.lists(members({"PrivatePort": NUMBER, "Type": TEXT}, IP=TEXT, PublicPort=NUMBER), max_size=2)
            ),
            "Labels": LABELS,
            "State": st.sampled_from(["created", "running", "paused", "restarting", "removing", "exited", "dead"]),
            "Status": TEXT,
            "HostConfig": members({}, NetworkMode=NETWORK_MODE, Annotations=LABELS),
            "NetworkSettings": absent_or_null(
                members({"Networks": absent_or_null(st.dictionaries(NAME, ENDPOINT, max_size=2))})
            ),
            "Mounts": absent_or_null(st.lists(MOUNT, max_size=2)),
        },
        **(new if version == NEW else {}),
        SizeRw=NUMBER,
        SizeRootFs=NUMBER,
    )


def inspected(version: str) -> Strategy:
    """ "Inspect a container"."""
    settings: dict[str, Strategy] = {
        "Ports": BINDINGS,
        "Networks": absent_or_null(st.dictionaries(NAME, ENDPOINT, max_size=2)),
    }
    if version == OLD:
        # The default bridge's own, which Docker 29 leaves out.
        settings |= {"Bridge": TEXT, "IPAddress": TEXT, "MacAddress": TEXT, "SecondaryIPAddresses": STRINGS}
    state = members(
        {
            "Status": TEXT,
            "Running": st.booleans(),
            "Paused": st.booleans(),
            "Restarting": st.booleans(),
            "Pid": NUMBER,
            "ExitCode": st.sampled_from([0, 1, 137, -1]),
            "Error": TEXT,
            "StartedAt": TEXT,
        },
        Health=absent_or_null(
            members({"Status": TEXT, "FailingStreak": NUMBER, "Log": absent_or_null(st.just([None]))})
        ),
    )
    host = members(
        {
            "NetworkMode": NETWORK_MODE,
            "PortBindings": BINDINGS,
            "Memory": NUMBER,
            "PidsLimit": absent_or_null(NUMBER),
            "RestartPolicy": members({"Name": TEXT, "MaximumRetryCount": NUMBER}),
            "LogConfig": members(
                {"Type": st.sampled_from(["json-file", "local", "journald", "none", "syslog"]), "Config": LABELS}
            ),
            "Binds": STRINGS,
            "CapAdd": STRINGS,
            "CapDrop": STRINGS,
            "SecurityOpt": STRINGS,
        },
        Mounts=absent_or_null(st.lists(MOUNT, max_size=1)),
        Init=absent_or_null(st.booleans()),
        DeviceRequests=st.none(),
    )
    config = members(
        {
            "Labels": LABELS,
            "Env": STRINGS,
            "Cmd": STRINGS,
            "Image": TEXT,
            "User": TEXT,
            "Volumes": LABELS,
            "OnBuild": STRINGS,
        },
        Healthcheck=absent_or_null(members({}, Test=STRINGS, Interval=NUMBER)),
        Entrypoint=STRINGS,
        MacAddress=TEXT,
    )
    return members(
        {
            "Created": TEXT,
            "Path": TEXT,
            "Args": STRINGS,
            "State": absent_or_null(state),
            "Image": TEXT,
            "Name": NAME.map("/{}".format),
            "RestartCount": NUMBER,
            "Driver": TEXT,
            "Platform": TEXT,
            "HostConfig": absent_or_null(host),
            "Mounts": absent_or_null(st.lists(MOUNT, max_size=2)),
            "Config": absent_or_null(config),
            "NetworkSettings": absent_or_null(st.fixed_dictionaries(settings)),
        },
        ExecIDs=STRINGS,
        GraphDriver=absent_or_null(members({"Name": TEXT, "Data": LABELS})),
        Storage=st.none(),
    )


def network(version: str) -> Strategy:
    """ "Inspect a network", which "List networks" gives too."""
    subnet = members({}, Subnet=TEXT, Gateway=TEXT, IPRange=TEXT, AuxiliaryAddresses=LABELS)
    new: dict[str, Strategy] = {
        "EnableIPv4": st.booleans(),
        "Status": absent_or_null(members({"IPAM": absent_or_null(members({}))})),
    }
    return members(
        {
            "Created": st.sampled_from(
                ["2026-01-01T00:00:00Z", "2026-01-01T00:00:00.123456789+02:00", "0001-01-01T00:00:00Z"]
            ),
            "Scope": TEXT,
            "Driver": st.sampled_from(["bridge", "host", "null", "overlay", "macvlan", "own/plugin:latest"]),
            "EnableIPv6": st.booleans(),
            "Internal": st.booleans(),
            "Attachable": st.booleans(),
            "Ingress": st.booleans(),
            "IPAM": members(
                {"Driver": TEXT, "Options": LABELS, "Config": absent_or_null(st.lists(subnet, max_size=2))}
            ),
            "Options": LABELS,
            "Labels": LABELS,
            "ConfigOnly": st.booleans(),
            "ConfigFrom": members({"Network": TEXT}),
        },
        Containers=absent_or_null(st.dictionaries(NAME, members({"Name": TEXT, "IPv4Address": TEXT}), max_size=1)),
        **(new if version == NEW else {}),
    )


def info(version: str) -> Strategy:
    """ "Get system information", of a Docker that can limit memory."""
    always: dict[str, Strategy] = {
        "ServerVersion": TEXT,
        "Driver": TEXT,
        "DockerRootDir": st.sampled_from(["/", "/var/lib/docker", "/nowhere"]),
        "MemoryLimit": st.just(True),
        "SwapLimit": st.just(True),
        "CgroupDriver": TEXT,
        "CgroupVersion": st.sampled_from(["1", "2"]),
        "SecurityOptions": absent_or_null(
            st.lists(st.sampled_from(["name=apparmor", "name=seccomp,profile=builtin", "name=cgroupns"]))
        ),
        "Runtimes": LABELS,
        "Warnings": STRINGS,
        "Labels": STRINGS,
        "DriverStatus": absent_or_null(st.just([["x", "y"], []])),
        "Swarm": members({"NodeID": TEXT, "RemoteManagers": st.none()}),
    }
    new: dict[str, Strategy] = {
        "FirewallBackend": absent_or_null(
            members(
                {"Driver": st.sampled_from(["iptables", "nftables", "iptables+firewalld"])},
                Info=absent_or_null(st.lists(STRINGS, max_size=1)),
            )
        ),
        "DiscoveredDevices": st.none(),
        "Containerd": absent_or_null(members({"Address": TEXT})),
        "NRI": absent_or_null(LABELS),
    }
    return members(always, **(new if version == NEW else {}))


@dataclass(frozen=True)
class Host:
    """Everything that a Docker of other people's answers, by the end of the path."""

    answers: dict[str, Any]
    containers: tuple[str, ...]


@st.composite
def hosts(draw: st.DrawFn, version: str) -> Host:
    """A Docker of this version with up to three containers and networks of others."""
    ids = [f"{number}" * 64 for number in range(draw(st.integers(0, 3)))]
    documents = {identifier: {"Id": identifier, **draw(inspected(version))} for identifier in ids}
    rows = [{"Id": identifier, **draw(listed(version))} for identifier in ids]
    networks = [
        {"Id": f"net{number}", "Name": name, **draw(network(version))}
        for number, name in enumerate(draw(st.lists(NAME, max_size=3)))
    ]
    answers: dict[str, Any] = {f"/containers/{known}/json": document for known, document in documents.items()}
    answers |= {"/containers/json": rows, "/networks": networks}
    answers |= {"/info": draw(info(version)), "/version": {"ApiVersion": version, "MinAPIVersion": "1.24"}}
    answers["/volumes"] = {"Volumes": draw(absent_or_null(st.just([{"Name": "v", "Labels": None, "Options": None}])))}
    answers["/system/df"] = {"Volumes": draw(absent_or_null(st.just([{"Name": "v", "UsageData": None}])))}
    return Host(answers, tuple(ids))
