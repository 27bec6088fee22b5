"""The stack's settings and its exported state as values, secrets still encrypted."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any, cast

from pulumi import automation

from components.base.handover_members import handover_members
from console.errors import UserError
from ops.engine.run import PROJECT, as_user_error, command
from settings import Settings, SettingsError, load

SECRET = "4dabf18193072939515e22adb298388d"
"""The member by which the state marks a value that is not plain (sdk/go/common/resource/sig.go)."""

COMPONENT = f"{PROJECT}:index:"

Resource = Mapping[str, Any]
Resources = Sequence[Resource]
Operation = Mapping[str, Any]
"""One of the state's `pending_operations`: `type` (creating, updating, deleting …) and the `resource`."""
UNKNOWN = "04da6b54-80e4-46f7-96ec-b56ff0331ba9"
"""The engine's mark for an output that is not known yet, which a run with targets leaves in the state
(sdk/go/common/resource/plugin/rpc.go)."""


@dataclass(frozen=True)
class Snapshot:
    """Settings and exported state of a stack at one moment."""

    settings: Settings
    deployment: Mapping[str, Any]


def snapshot_of(opened: automation.Stack, stack: str) -> Snapshot:
    """Both, read together; a command reads them again after a question, which a person may take minutes to answer."""
    with ThreadPoolExecutor() as pool:
        deployment = pool.submit(deployment_of, opened, stack)
        settings = settings_of(opened, stack)
    return Snapshot(settings, deployment.result())


def configuration_of(opened: automation.Stack, stack: str) -> automation.ConfigMap:
    """The stack's raw configuration, secrets in plain text."""
    with as_user_error(f"reading the configuration of stack {stack}"):
        return opened.get_all_config()


def settings_of(opened: automation.Stack, stack: str) -> Settings:
    """The checked settings; raises UserError with every problem."""
    config = configuration_of(opened, stack)
    try:
        return load(
            {name: entry.value for name, entry in config.items()},
            {name for name, entry in config.items() if entry.secret},
            stack=stack,
        )
    except SettingsError as error:
        raise UserError(str(error)) from None


def deployment_of(opened: automation.Stack, stack: str, *, secrets: bool = False) -> Mapping[str, Any]:
    """The state as `pulumi stack export` prints it: secrets encrypted, unlike in the Automation API's own export."""
    arguments = ["stack", "export", "--stack", stack, *(["--show-secrets"] if secrets else [])]
    with as_user_error(f"reading the state of stack {stack}"):
        return cast("Mapping[str, Any]", json.loads(command(opened, arguments))["deployment"])


def resources_of(opened: automation.Stack, stack: str) -> Resources:
    """The state's resources, secrets still encrypted."""
    return resources_in(deployment_of(opened, stack))


def resources_in(deployment: Mapping[str, Any]) -> Resources:
    """The resources of an exported state; none before the first run."""
    return cast("Resources", deployment.get("resources") or [])


def outputs_of(opened: automation.Stack, stack: str) -> dict[str, Any]:
    """The stack's plain outputs, as the last run left them."""
    return outputs_in(deployment_of(opened, stack))


def outputs_in(deployment: Mapping[str, Any]) -> dict[str, Any]:
    """The stack's plain outputs in an exported state; none before the first run."""
    return _outputs(resources_in(deployment), "pulumi:pulumi:Stack")


def deployed_outputs(opened: automation.Stack, stack: str) -> dict[str, Any]:
    """The same; raises UserError for a stack that is not deployed."""
    return require_deployed(stack, outputs_of(opened, stack))


def require_deployed(stack: str, outputs: dict[str, Any]) -> dict[str, Any]:
    """The outputs unchanged; raises UserError where they say that the stack is not deployed."""
    if not outputs.get("active"):
        raise _not_deployed(stack)
    return outputs


def require_begun(stack: str, deployment: Mapping[str, Any]) -> None:
    """Raise UserError for a stack of which no run has made anything yet."""
    if not resources_in(deployment):
        raise _not_deployed(stack)


def _not_deployed(stack: str) -> UserError:
    return UserError(f"Stack {stack} is not deployed; `make up STACK={stack}` deploys it.")


def require_same_host(stack: str, deployment: Mapping[str, Any], settings: Settings) -> None:
    """Raise UserError where the settings name another kind of host than the stack is deployed on.

    The engine would replace every action: create all of them over the new connection, then delete all of them over the
    old one, the handover too, and so give the port to the predecessor.
    """
    deployed = outputs_in(deployment).get("host")
    if deployed and deployed != settings.host.kind:
        raise UserError(
            f"Stack {stack} is deployed with host.kind {deployed} and cannot change it to "
            f"{settings.host.kind} in place: keep it (`pulumi config set host.kind {deployed}`, or an update of "
            f"`make history` that ran with it), or take the stack down first (`make down STACK={stack}`)."
        )


def is_of_no_host(resources: Resources) -> bool:
    """True for a state whose first action on a host was never made, or was refused."""
    return not any(str(resource["urn"]).endswith("::host-hostctl") for resource in resources)


def identity(resources: Resources) -> str:
    """The state's own id, by which its host knows it; empty in the state of a program that had none."""
    own = (resource for resource in resources if str(resource["urn"]).endswith("::host-state-id"))
    outputs = (cast("Mapping[str, Any]", resource.get("outputs") or {}) for resource in own)
    return next((str(known.get("stdout") or "") for known in outputs), "")


def component(resources: Resources, name: str) -> dict[str, Any]:
    """The plain outputs that a component such as `Handover` registered; empty where the state does not have it."""
    return _outputs(resources, COMPONENT + name)


def document_of(stdin: Any) -> dict[str, Any] | None:
    """The request of an action's verb, a secret unwrapped; None for an action that is no verb of `hostctl`."""
    if isinstance(stdin, Mapping):
        stdin = json.loads(cast("Mapping[str, str]", stdin).get("plaintext", "null"))
    if not isinstance(stdin, str) or not stdin.startswith("{"):
        return None
    return cast("dict[str, Any]", json.loads(stdin))


def folders_of_files(resources: Resources, settings: Settings) -> list[str]:
    """The folders on the host that the state's `HostFiles` have, as `components/base/files.py` names them."""
    sets = [
        (str(resource["urn"]).rpartition("::")[2], cast("Mapping[str, Any]", resource.get("outputs") or {}).get("hash"))
        for resource in resources
        if resource["type"] == f"{COMPONENT}HostFiles" and not resource.get("delete")
    ]
    return [f"{settings.host.folder}/{name}-{contents}" for name, contents in sets if contents]


def predecessor_record(resources: Resources) -> dict[str, Any]:
    """The predecessor as it was before anything changed."""
    return component(resources, "Predecessor").get("record") or {"kind": "absent"}


def handover_request(resources: Resources, settings: Settings) -> dict[str, Any]:
    """The request of the handover's verbs: the program's own, else what is known before a cutover."""
    registered = component(resources, "Handover").get("request")
    if registered:
        return registered
    return {**handover_members(settings), "container": "", "predecessor": predecessor_record(resources)}


def _outputs(resources: Resources, kind: str) -> dict[str, Any]:
    """Plain outputs of the one resource of that type; of two, the one that is not pending deletion."""
    matching = sorted(
        (resource for resource in resources if resource.get("type") == kind),
        key=lambda resource: bool(resource.get("delete")),
    )
    outputs = cast("Mapping[str, Any]", (matching[0].get("outputs") if matching else None) or {})
    known = {name: value for name, value in outputs.items() if value != UNKNOWN}
    return {name: value for name, value in known.items() if not (isinstance(value, dict) and SECRET in value)}
