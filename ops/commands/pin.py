"""`make pin STACK=prod`: the digest of every image of the stack's file, as its registry gives it for the tag.

Owns: the digests in `Pulumi.STACK.yaml`; every other byte of the file is the operator's.
Deliberately does not: change a tag, pull an image, log in, or pin an image that the host builds (`context`).
Anonymous access is enough for public images; for one of your own `docker buildx imagetools inspect NAME:TAG` prints it
where you are logged in.
Source of requests and headers: the OCI distribution specification 1.1 (manifests, HEAD) and Docker's token protocol.
"""

from __future__ import annotations

import json
import re
import urllib.error
import urllib.parse
import urllib.request
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

import yaml

from console.errors import UserError
from console.paths import ROOT
from console.progress import Progress
from console.result import Result
from hostctl.core import atomic_file

SECONDS = 15.0
_IMAGE = re.compile(r"^(?P<before>[ \t]*image:[ \t]*)(?P<name>[^\s@#]+)(?:@sha256:[0-9a-f]{64})?", re.MULTILINE)
_DIGEST = re.compile(r"sha256:[0-9a-f]{64}")
_HUB = ("docker.io", "registry-1.docker.io")
"""Docker Hub in an image's name, and the address of its registry."""
_MANIFESTS = ", ".join(
    (
        "application/vnd.oci.image.index.v1+json",
        "application/vnd.docker.distribution.manifest.list.v2+json",
        "application/vnd.oci.image.manifest.v1+json",
        "application/vnd.docker.distribution.manifest.v2+json",
    )
)
"""An index first: its digest serves every architecture."""


class Unknown(Exception):
    """A registry did not give the digest; the text says why."""


@dataclass(frozen=True)
class Reference:
    """An image's name taken apart, such as Reference("registry-1.docker.io", "library/postgres", "16")."""

    registry: str
    repository: str
    tag: str

    @classmethod
    def of(cls, name: str) -> Reference:
        """By Docker's rule: a first part with a dot or a colon, or `localhost`, is a registry."""
        first, _, remainder = name.partition("/")
        own = bool(remainder) and ("." in first or ":" in first or first == "localhost")
        registry, path = (first, remainder) if own else (_HUB[0], name)
        repository, _, tag = path.partition(":")
        if registry == _HUB[0]:
            registry, repository = _HUB[1], repository if "/" in repository else f"library/{repository}"
        return cls(registry, repository, tag or "latest")

    @property
    def address(self) -> str:
        """Plain HTTP for a registry on loopback, as Docker itself does."""
        local = self.registry.split(":")[0] in ("localhost", "127.0.0.1")
        return f"{'http' if local else 'https'}://{self.registry}/v2/{self.repository}/manifests/{self.tag}"


def pin(stack: str, progress: Progress, folder: Path = ROOT) -> Result:
    """Write the digests into the stack's file; what cannot be found stays as it is, and the result is not ok."""
    file = folder / f"Pulumi.{stack}.yaml"
    if not file.exists():
        raise UserError(f"There is no {file.name}: name a stack that has a file, such as STACK=prod.")
    text = file.read_text(encoding="utf-8")
    rows: list[dict[str, Any]] = []
    built = _built(text)

    def pinned(match: re.Match[str]) -> str:
        if match["name"] in built:
            return match[0]
        progress.line(f"Requesting the digest of {match['name']} …")
        row, written = _pinned(match)
        rows.append(row)
        return written

    changed = _IMAGE.sub(pinned, text)
    if changed != text:
        atomic_file.write(str(file), changed.encode())
    ok = all(row["result"] != "unknown" for row in rows)
    lines = [f"{row['image']:<34} {row['result']:<9} {row['digest'] or row['reason']}" for row in rows]
    return Result({"ok": ok, "images": rows}, "\n".join(lines) or f"{file.name} names no image.", ok)


def digest(name: str) -> str:
    """The digest that the image's registry gives for its tag; raises Unknown."""
    reference = Reference.of(name)
    try:
        try:
            answer = _head(reference, {})
        except urllib.error.HTTPError as error:
            if error.code != 401:
                raise
            answer = _head(reference, {"Authorization": f"Bearer {_token(error.headers.get('WWW-Authenticate', ''))}"})
    except urllib.error.HTTPError as error:
        raise Unknown(
            f"{reference.registry} answered {error.code} for {reference.repository}:{reference.tag}"
        ) from None
    except (OSError, ValueError) as error:
        reason = getattr(error, "reason", None) or error
        raise Unknown(f"{reference.registry} cannot be reached from here ({reason})") from None
    if not _DIGEST.fullmatch(answer):
        raise Unknown(f"{reference.registry} gave no digest for {reference.repository}:{reference.tag}")
    return answer


def _pinned(match: re.Match[str]) -> tuple[dict[str, Any], str]:
    row: dict[str, Any] = {"image": match["name"], "result": "unknown", "digest": "", "reason": ""}
    try:
        row["digest"] = digest(match["name"])
    except Unknown as why:
        return row | {"reason": str(why)}, match[0]
    written = f"{match['before']}{match['name']}@{row['digest']}"
    return row | {"result": "same" if written == match[0] else "pinned"}, written


def _built(text: str) -> set[str]:
    """The images that no registry has, since their section names a folder to build them from."""
    read = cast("dict[str, Any] | None", yaml.safe_load(text)) or {}
    sections = cast("dict[str, Any]", read.get("config") or {}).values()
    return {section["image"] for section in sections if isinstance(section, dict) and "context" in section}


def _head(reference: Reference, headers: dict[str, str]) -> str:
    request = urllib.request.Request(reference.address, method="HEAD", headers={"Accept": _MANIFESTS} | headers)
    with urllib.request.urlopen(request, timeout=SECONDS) as answer:
        return str(answer.headers.get("Docker-Content-Digest", ""))


def _token(challenge: str) -> str:
    """An anonymous token, from where `WWW-Authenticate: Bearer realm=…,service=…,scope=…` points."""
    parameters = dict(re.findall(r'(\w+)="([^"]*)"', challenge))
    realm = parameters.pop("realm", "")
    if not challenge.startswith("Bearer ") or not realm.startswith(("http://", "https://")):
        raise ValueError("it demands a login that is not Docker's token protocol")
    with urllib.request.urlopen(f"{realm}?{urllib.parse.urlencode(parameters)}", timeout=SECONDS) as answer:
        document = json.load(answer)
    return str(document.get("token") or document.get("access_token") or "")
