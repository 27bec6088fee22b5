"""Files that a container needs, written on the host and mounted read-only.

Owns: one folder for each set of contents, named by their hash: a changed file is a new folder and, by the mount and the
label, a new container, while the old container keeps the files that it runs with. With an `identity`, its hash names
the folder instead, and any other change replaces a file in place, in one step. The container must then mount the whole
folder, since a file that is mounted alone would stay the old one.

Deliberately does not: use the plugin's `uploads`, which Docker refuses on a container with a read-only root (measured).
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass

import pulumi

from components.base.joined import joined
from components.host import Host, Operation

_LENGTH_OF_HASH = 12


@dataclass(frozen=True)
class HostFile:
    """One file for a container: its content, its mode in octal as text, and its owner where it is another one."""

    content: pulumi.Input[str]
    mode: str = "0400"
    owner: int | None = None


@dataclass(frozen=True, kw_only=True)
class HostFilesArgs:
    """Files by name, for one uid and gid (`owner`). The contents name the folder, or `identity` in their place."""

    files: Mapping[str, HostFile]
    owner: int
    host: Host
    identity: Mapping[str, str] | None = None


class HostFiles(pulumi.ComponentResource):
    """A set of files for one service, readable by their owner inside its container.

    `hash` names their contents, or their `identity`; `path(file)` is a file's path on the host.
    """

    hash: pulumi.Output[str]

    def __init__(self, name: str, args: HostFilesArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("sentinel-cutover:index:HostFiles", name, None, opts)
        host, owner = args.host, args.owner
        contents = joined({file: value.content for file, value in args.files.items()})
        hashed = contents if args.identity is None else joined(args.identity)
        owners = {file: value.owner for file, value in args.files.items() if value.owner is not None}
        # A file never changes its owner under a container that has it mounted.
        self.hash = pulumi.Output.unsecret(hashed.apply(lambda known: _hash(known, owners)))
        self._folder = self.hash.apply(lambda digest: f"{host.folder}/{name}-{digest}")
        self.written = host.action(
            f"{name}-written",
            Operation("files", create="write", delete="remove"),
            {
                "folder": self._folder,
                "uid": owner,
                "gid": owner,
                "files": [
                    {"name": file, "content": value.content, "mode": value.mode, "uid": uid, "gid": uid}
                    for file, value in sorted(args.files.items())
                    for uid in [owner if value.owner is None else value.owner]
                ],
            },
            parent=self,
            secret=True,
            triggers=[self.hash],
        )
        self.register_outputs({"hash": self.hash})

    def path(self, file: str) -> pulumi.Output[str]:
        """The file's absolute path on the host, known once it is written."""
        return self.folder.apply(lambda folder: f"{folder}/{file}")

    @property
    def folder(self) -> pulumi.Output[str]:
        """The folder's absolute path on the host, known once the files in it are written."""
        written = self.written.resource.urn
        return pulumi.Output.all(self._folder, written).apply(lambda known: str(known[0]))


def _hash(contents: Mapping[str, str], owners: Mapping[str, int]) -> str:
    named: list[object] = [contents, owners] if owners else [contents]
    return hashlib.sha256("".join(json.dumps(one, sort_keys=True) for one in named).encode()).hexdigest()[
        :_LENGTH_OF_HASH
    ]
