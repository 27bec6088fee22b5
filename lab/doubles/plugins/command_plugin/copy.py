"""`command.remote.CopyToRemote`.

Owns: a file, text or folder copied to a remote host.
Deliberately does not: delete anything on destroy; the published plugin does not either.
"""

from __future__ import annotations

import io
import shlex
import tarfile
from pathlib import Path

from lab.doubles.plugins.command_plugin.common import command_schema
from lab.doubles.plugins.command_plugin.process import Children
from lab.doubles.plugins.command_plugin.ssh import Ssh, reached
from lab.doubles.plugins.frame.facts import AllowedHosts
from lab.doubles.plugins.frame.serve import PluginError
from lab.doubles.plugins.frame.values import PlainMap, text

SCHEMA = command_schema("connection", "remotePath", "source")


def must_copy(state: PlainMap, inputs: PlainMap) -> bool:
    return _content_hash(state) != _content_hash(inputs) or state.get("remotePath") != inputs.get("remotePath")


def copy(children: Children, hosts: AllowedHosts, inputs: PlainMap) -> None:
    connection, source = inputs.get("connection"), inputs.get("source")
    if not isinstance(source, dict) or not ("path" in source or "text" in source):
        raise PluginError("source: asset must be a path-based file asset or a text asset, or an archive of a path")
    target = text(inputs["remotePath"])
    with reached(children, hosts, connection if isinstance(connection, dict) else {}) as ssh:
        if "text" in source:
            _write(ssh, text(source["text"]).encode(), target)
        elif Path(text(source["path"])).is_dir():
            _write_folder(ssh, text(source["path"]), target)
        else:
            path = Path(text(source["path"]))
            quoted = shlex.quote(target)
            kind = ssh.run(f"test -d {quoted} && echo folder || true").stdout
            _write(ssh, path.read_bytes(), f"{target}/{path.name}" if kind else target)


def _content_hash(values: PlainMap) -> str:
    source = values.get("source")
    return text(source.get("hash")) if isinstance(source, dict) else ""


def _write(ssh: Ssh, content: bytes, target: str) -> None:
    ssh.run(f"cat > {shlex.quote(target)}", stdin=content)


def _write_folder(ssh: Ssh, source: str, target: str) -> None:
    # As the published plugin: without a final slash the folder itself is copied, with one only what is in it.
    inside = "." if source.endswith("/") else Path(source).name
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w") as archive:
        archive.add(source, arcname=inside)
    quoted = shlex.quote(target)
    ssh.run(f"mkdir -p {quoted} && tar -xf - --no-same-owner -C {quoted}", stdin=packed.getvalue())
