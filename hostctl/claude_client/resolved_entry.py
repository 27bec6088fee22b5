"""`claude show`: an entry of Claude's file as Claude would use it, its header included.

Owns: expanding `${VAR}`, and running the program that prints Claude's header, as Claude does.
Deliberately does not: write anything. **Its answer holds a secret**, as only that of `token show` does too: it goes
through a pipe to `verify`, which keeps it in memory, and is never an action of the program.
Source: Claude Code 2.1.330 (`headersHelper` gets CLAUDE_CODE_MCP_SERVER_URL and CLAUDE_CODE_MCP_SERVER_NAME and prints
one JSON object of headers; `${VAR}` and `${VAR:-x}` expand in url, headers, command, args and env; an unset variable is
sent as it is written).
"""

from __future__ import annotations

import os
import pwd
import re
import subprocess
from collections.abc import Mapping, Sequence
from typing import Any, cast

from hostctl.claude_client.record import read_file
from hostctl.claude_client.recorded_client import recorded_client
from hostctl.claude_client.request import Place
from hostctl.claude_client.variables import expanded
from hostctl.core.documents import parsed, rows, table
from hostctl.core.errors import Refusal
from hostctl.docker.redacted_logs import HIDDEN

HELPER_SECONDS = 10.0
_LONG = re.compile(r"[A-Za-z0-9._~+/=-]{40,}")


def show(place: Place) -> dict[str, Any]:
    """The entry, resolved, and the header values of the predecessor's entry; raises Refusal that names the cause."""
    entry = _entry(place)
    unset: set[str] = set()
    resolved = expanded(entry, unset)
    answer: dict[str, Any] = {
        "file": place.file,
        "entry": place.entry,
        "before": list(recorded_client(place.folder).authorizations),
    }
    if isinstance(resolved.get("command"), str):
        environment = {str(key): str(value) for key, value in table(resolved.get("env")).items()}
        arguments = [str(argument) for argument in rows(resolved.get("args"))]
        answer |= {"transport": "stdio", "command": resolved["command"], "args": arguments, "env": environment}
    elif isinstance(resolved.get("url"), str) and resolved.get("type", "http") in ("http", "streamable-http"):
        headers = {str(key): str(value) for key, value in table(resolved.get("headers")).items()}
        helper = resolved.get("headersHelper")
        if isinstance(helper, str) and helper:
            headers = {**headers, **_from_helper(place, helper, resolved["url"])}
        answer |= {"transport": "http", "url": resolved["url"], "headers": headers, "helper": helper or ""}
    else:
        raise Refusal(
            f"the entry {place.entry} in {place.file} is of a kind that cannot be called "
            f"({resolved.get('type', 'no type')}): make it an http or a stdio entry"
        )
    return {**answer, "unset": sorted(unset)}


def _entry(place: Place) -> dict[str, Any]:
    text = read_file(place.file)
    if text is None:
        raise Refusal(f"Claude's file {place.file} does not exist: start Claude Code once, or correct client.file")
    document = parsed(text)
    if document is None:
        raise Refusal(f"Claude's file {place.file} is broken JSON: fix it, then run again; it was left as it is")
    for key in place.path:
        document = table(document.get(key))
    entry = table(document.get(place.entry))
    if not entry:
        raise Refusal(
            f"Claude's file {place.file} has no entry {place.entry} (it was lost or never existed): "
            "'make up' writes ours again, or correct client.entry or predecessor.entry"
        )
    return entry


def _from_helper(place: Place, helper: str, url: str) -> dict[str, str]:
    """The headers that the program prints, run as the owner of Claude's file: root may read more than Claude."""
    variables = {"CLAUDE_CODE_MCP_SERVER_URL": url, "CLAUDE_CODE_MCP_SERVER_NAME": place.entry}
    owner = _as_owner(place.file, variables)
    program = f"Claude's program for the header of entry {place.entry} ({helper})"
    try:
        code, out, err = _run(["/bin/sh", "-c", helper], owner)
    except subprocess.TimeoutExpired:
        raise Refusal(f"{program} printed no header within {HELPER_SECONDS:.0f} s: fix it") from None
    except OSError as error:
        raise Refusal(f"{program} cannot be run ({error.strerror}): fix it") from None
    if code:
        # Its stderr may hold a token: only the first line is reported, without anything that could be one.
        lines = err.decode("utf-8", "replace").strip().splitlines()
        reason = _LONG.sub(_masked, lines[0]) if lines else "no message"
        raise Refusal(
            f"{program} failed with exit code {code} ({reason}): Claude itself would report a confusing OAuth "
            "error; run 'make up', or fix the program or the token file"
        )
    headers = parsed(out)
    if headers is None or not all(isinstance(value, str) for value in headers.values()):
        raise Refusal(f"{program} did not print one JSON object of headers: fix it")
    return headers


def _masked(found: re.Match[str]) -> str:
    """A path stays, without what is as long as a token in it."""
    text = found.group()
    if not os.path.isdir("/".join(text.split("/")[:2])):
        return HIDDEN
    return "/".join(HIDDEN if len(part) >= 40 else part for part in text.split("/"))


def _run(argv: Sequence[str], owner: Mapping[str, Any]) -> tuple[int, bytes, bytes]:
    options: dict[str, Any] = {"stdin": subprocess.DEVNULL, "stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
    with cast("subprocess.Popen[bytes]", subprocess.Popen(argv, **options, **owner)) as process:
        try:
            out, err = process.communicate(timeout=HELPER_SECONDS)
        except subprocess.TimeoutExpired:
            process.kill()
            raise
        return process.returncode, out, err


def _as_owner(path: str, variables: Mapping[str, str]) -> dict[str, Any]:
    environment = {**os.environ, **variables}
    owner = os.stat(os.path.realpath(path))
    if os.geteuid() != 0 or owner.st_uid == 0:
        return {"env": environment}
    try:
        environment["HOME"] = pwd.getpwuid(owner.st_uid).pw_dir
    except KeyError:
        environment["HOME"] = os.path.dirname(path)
    return {"env": environment, "user": owner.st_uid, "group": owner.st_gid, "extra_groups": []}
