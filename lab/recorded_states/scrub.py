"""Takes secrets, machine paths, identifiers and times out of an exported deployment, so that it can be committed.

What is put in their place is fixed, and whatever was computed from them is computed again: the names of the folders of
`components/base/files.py` are hashes of contents, and Grafana's database file is named by a hash of its key. So a
scrubbed deployment and a scrubbed configuration fit together as the real ones did.

Owns: the replacements, and the refusal of a text in which something of the real ones is left.
Deliberately does not: run the engine (__main__.py), nor know which resources there are.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Callable, Mapping
from typing import Any, cast

from console.errors import UserError

Deployment = dict[str, Any]

HASH_LENGTH = 12
"""As components/base/files.py and components/monitoring/grafana.py shorten theirs."""
TODAY = "taken from today's program"
"""In place of the program's own files, which are in a state only to travel to the host."""
_TIME, _SECONDS = "2026-01-01T00:00:00Z", 1767225600
_TIMES = re.compile(r"\b20\d\d-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d+)?(?:Z|[+-]\d\d:\d\d)")
_EPOCHS = re.compile(r"\b1[789]\d{8}(?:\.\d+)?\b")
_DIGESTS = re.compile(r"\b[0-9a-f]{64}\b")
_SHORT = 12
_IDENTIFIERS = re.compile(rf"\b(?:[0-9a-f]{{64}}|[0-9a-f]{{{_SHORT}}})\b")
_TOKENS = re.compile(r"\beyJ[\w-]{8,}\.[\w-]{8,}")
_OF_THE_RUN = ("created", "modified", "sourcePosition", "stackTrace")
_MANIFEST = "manifest"
"""It holds a digest of its own, by which the engine checks the deployment."""


def scrubbed(deployment: Deployment, secrets: Mapping[str, str], paths: Mapping[str, str]) -> Deployment:
    """The deployment with `secrets` (real value to fixed value) and `paths` replaced, without times and identifiers.

    The deployment is one that shows its secrets (`pulumi stack export --show-secrets`), and so does the result. Raises
    UserError where a secret, a token or a path is still in it.
    """
    digests = {_digest(real): _digest(fixed) for real, fixed in secrets.items()}
    whole = json.loads(json.dumps(deployment))
    whole["deployment"].pop("secrets_providers", None)
    whole["deployment"].pop("metadata", None)
    for resource in whole["deployment"].get("resources", []):
        for key in _OF_THE_RUN:
            resource.pop(key, None)
        _leave_out_own_files(resource)
    changed = substituted(whole, {**secrets, **digests, **paths})
    changed = cast(Deployment, _each_text(changed, _without_times))
    changed["deployment"] = _with_fixed_identifiers(changed["deployment"])
    refuse_leaks(json.dumps(changed), [*secrets, *digests, *paths])
    return changed


def substituted(deployment: Deployment, replacements: Mapping[str, str]) -> Deployment:
    """The deployment with each text replaced wherever it stands, and the folders of files renamed by their contents.

    Resources stand in the order of their dependencies, so a folder's new name is known before others mention it.
    """
    chosen = {old: new for old, new in replacements.items() if old != new}
    result: Deployment = json.loads(json.dumps(deployment))
    resources: list[Any] = result["deployment"].get("resources") or []
    for position, resource in enumerate(resources):
        before = _written_files(resource)
        resources[position] = resource = _each_text(resource, lambda text: _replaced(text, chosen))
        after = _written_files(resource)
        if before is None or after is None:
            continue
        named, contents = before
        renamed = _files_hash(after[1])
        if named == _files_hash(contents) and renamed != named:
            chosen[named] = renamed
            resources[position] = _each_text(resource, lambda text: _replaced(text, chosen))
    return cast(Deployment, _each_text(result, lambda text: _replaced(text, chosen)))


def refuse_leaks(text: str, unwanted: list[str]) -> None:
    """Raises UserError where the text holds one of `unwanted`, or a signed token."""
    for number, one in enumerate(unwanted):
        if one and (one in text or json.dumps(one)[1:-1] in text):
            raise UserError(f"The scrubbed state still holds text {number} of what must not be in it; nothing written.")
    if _TOKENS.search(text):
        raise UserError("The scrubbed state holds a signed token; nothing was written.")


def _leave_out_own_files(resource: dict[str, Any]) -> None:
    """Take out the archive of `hostctl` and an image layer's files: they change with every edit, the graph does not."""
    for side in ("inputs", "outputs"):
        values: dict[str, Any] = resource.get(side) or {}
        if resource["urn"].endswith("::host-hostctl"):
            values["stdin"] = TODAY
            continue
        document = stdin_document(values)
        if document and {"base", "files"} <= document.keys():
            values["stdin"] = json.dumps({**document, "files": TODAY})


def stdin_document(values: Mapping[str, Any]) -> dict[str, Any] | None:
    """The document that a command gets, where it is not a secret one; None where the resource is no command."""
    stdin = values.get("stdin")
    if not isinstance(stdin, str) or not stdin.startswith("{"):
        return None
    return cast("dict[str, Any]", json.loads(stdin))


def _written_files(resource: Any) -> tuple[str, dict[str, str]] | None:
    """The hash in the name of a folder of files, and the files' contents."""
    inputs: dict[str, Any] = resource.get("inputs") or {}
    stdin: Any = inputs.get("stdin")
    if not isinstance(stdin, dict) or "plaintext" not in stdin:
        return None
    shown: Any = json.loads(cast("dict[str, str]", stdin)["plaintext"])
    document: dict[str, Any] = json.loads(shown) if isinstance(shown, str) and shown.startswith("{") else {}
    if not {"folder", "folder_mode", "files"} <= document.keys():
        return None
    files: list[dict[str, str]] = document["files"]
    return str(document["folder"]).rpartition("-")[2], {one["name"]: one["content"] for one in files}


def _files_hash(contents: Mapping[str, str]) -> str:
    """As components/base/files.py names a folder."""
    return hashlib.sha256(json.dumps(contents, sort_keys=True).encode()).hexdigest()[:HASH_LENGTH]


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()[:HASH_LENGTH]


def _replaced(text: str, replacements: Mapping[str, str]) -> str:
    """Longest first, so that a path is replaced before a folder above it; as it stands, and inside of a JSON text."""
    for old in sorted(replacements, key=len, reverse=True):
        text = text.replace(old, replacements[old])
    return text


def _without_times(text: str) -> str:
    return _EPOCHS.sub(str(_SECONDS), _TIMES.sub(_TIME, text))


def _with_fixed_identifiers(deployment: dict[str, Any]) -> dict[str, Any]:
    """Identifiers of containers, networks and images, numbered in the order in which they appear.

    Docker shortens a container's own to twelve digits for its host name.
    """
    fixed: dict[str, str] = {}
    for found in _DIGESTS.findall(json.dumps({key: one for key, one in deployment.items() if key != _MANIFEST})):
        if found not in fixed:
            fixed[found] = hashlib.sha256(f"identifier {len(fixed)}".encode()).hexdigest()
    fixed |= {old[:_SHORT]: new[:_SHORT] for old, new in fixed.items()}

    def renamed(text: str) -> str:
        return _IDENTIFIERS.sub(lambda found: fixed.get(found[0], found[0]), text)

    return {key: one if key == _MANIFEST else _each_text(one, renamed) for key, one in deployment.items()}


def _each_text(value: Any, change: Callable[[str], str]) -> Any:
    if isinstance(value, str):
        return change(value)
    if isinstance(value, dict):
        return {change(str(key)): _each_text(one, change) for key, one in cast("dict[Any, Any]", value).items()}
    if isinstance(value, list):
        return [_each_text(one, change) for one in cast("list[Any]", value)]
    return value
