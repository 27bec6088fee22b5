"""`command.remote.CopyToRemote`.

Owns: a file, text or folder copied to a remote host by sshd's SFTP subsystem, without which it fails as the published
plugin does.
Deliberately does not: delete anything on destroy; the published plugin does not either.
"""

from __future__ import annotations

import tempfile
from pathlib import Path, PurePosixPath

from lab.doubles.plugins.command_plugin.common import command_schema
from lab.doubles.plugins.command_plugin.process import Children
from lab.doubles.plugins.command_plugin.ssh import reached
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
    with (
        reached(children, hosts, connection if isinstance(connection, dict) else {}) as ssh,
        tempfile.NamedTemporaryFile("w") as content,
    ):
        if "text" in source:
            content.write(text(source["text"]))
            content.flush()
            parents = reversed(PurePosixPath(target).parents)
            ssh.sftp([*(f"-mkdir {_quoted(str(folder))}" for folder in parents), _put(content.name, target)])
        elif Path(text(source["path"])).is_dir():
            ssh.sftp([f"-mkdir {_quoted(target)}", *_put_folder(text(source["path"]), target)])
        else:
            ssh.sftp([_put(text(source["path"]), target)])


def _content_hash(values: PlainMap) -> str:
    source = values.get("source")
    return text(source.get("hash")) if isinstance(source, dict) else ""


def _put_folder(source: str, target: str) -> list[str]:
    # As the published plugin: without a final slash the folder itself is copied, with one only what is in it.
    copied = sorted(str(path) for path in Path(source).iterdir()) if source.endswith("/") else [source]
    return [_put(path, target, "-R ") for path in copied]


def _put(source: str, target: str, options: str = "") -> str:
    return f"put {options}{_quoted(source)} {_quoted(target)}"


def _quoted(path: str) -> str:
    return '"' + path.replace("\\", "\\\\").replace('"', '\\"') + '"'
