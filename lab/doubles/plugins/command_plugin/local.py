"""`command.local.Command` and the invoke `command.local.run`.

Owns: interpreter, folder, environment and standard input of a local command; the assets it leaves.
Deliberately does not: decide when it runs.
"""

from __future__ import annotations

import hashlib
import os
import re
from collections.abc import Iterator
from pathlib import Path

from pulumi.runtime import rpc

from lab.doubles.plugins.command_plugin.common import Run, command_schema
from lab.doubles.plugins.command_plugin.process import Children
from lab.doubles.plugins.frame.values import ASSET_SIGN, Plain, PlainMap, mapping, strings, text

SCHEMA = command_schema(
    "create", "update", "delete", "dir", "environment", "interpreter", "stdin", "logging", "addPreviousOutputInEnv",
    "assetPaths", "archivePaths",
)  # fmt: skip
_SHELL = ["/bin/sh", "-c"]


def run(children: Children, request: Run, command: str) -> PlainMap:
    """Runs the command and returns the outputs that it makes."""
    inputs = request.inputs
    folder = Path(text(inputs.get("dir")) or os.getcwd())
    output = children.run(
        [*(strings(inputs.get("interpreter")) or _SHELL), command],
        what=command,
        stdin=text(inputs.get("stdin")).encode(),
        environment={**os.environ, **mapping(inputs.get("environment")), **request.previous_output()},
        folder=folder,
        echo_stdout=request.echo_stdout(),
        echo_stderr=request.echo_stderr(),
    )
    made: PlainMap = {"stdout": output.stdout, "stderr": output.stderr}
    if inputs.get("assetPaths") is not None:
        made["assets"] = _assets(folder, strings(inputs["assetPaths"]))
    if inputs.get("archivePaths") is not None:
        made["archive"] = {
            ASSET_SIGN: rpc._special_archive_sig,  # pyright: ignore[reportPrivateUsage]
            "assets": _assets(folder, strings(inputs["archivePaths"])),
        }
    return made


def _assets(folder: Path, globs: list[str]) -> dict[str, Plain]:
    found: dict[str, Plain] = {}
    for path in _files(folder):
        for pattern in globs:
            if re.fullmatch(_expression(pattern.removeprefix("!")), path):
                found.pop(path, None)
                if not pattern.startswith("!"):
                    found[path] = {
                        ASSET_SIGN: rpc._special_asset_sig,  # pyright: ignore[reportPrivateUsage]
                        "hash": hashlib.sha256((folder / path).read_bytes()).hexdigest(),
                        "path": str(folder / path),
                    }
    return found


def _files(folder: Path) -> Iterator[str]:
    for path in sorted(folder.rglob("*")):
        if path.is_file():
            yield path.relative_to(folder).as_posix()


def _expression(pattern: str) -> str:
    """`*` stops at a slash, `**` does not, `{a,b}` is either; the plugin's own notation."""
    tokens = re.findall(r"\*\*|\*|\?|\{[^}]*\}|\[[^]]*\]|.", pattern)
    return "".join(_token(token) for token in tokens)


def _token(token: str) -> str:
    known = {"**": ".*", "*": "[^/]*", "?": "[^/]"}
    if token in known:
        return known[token]
    if token.startswith("{"):
        return "(?:" + "|".join(_expression(choice) for choice in token[1:-1].split(",")) + ")"
    return token if token.startswith("[") else re.escape(token)
