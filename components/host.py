"""The operator's host and the actions on it, the same for `local` and for `ssh`.

Owns: the Docker provider, `hostctl.pyz` on the host, and the shape of every action: a `command` resource that pipes one
JSON document into one verb of `hostctl`.

An action of `verify` runs on the machine where Pulumi runs instead, since the official MCP SDK is here and not there;
it reaches the host on its own (`verify/host.py`).

Deliberately does not: read or write the host itself, decide what a verb does, or pass anything in arguments or in
environment variables; both show in the process list, and sshd refuses the latter.
"""

from __future__ import annotations

import json
import shlex
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, cast

import pulumi
import pulumi_command as command
import pulumi_docker as docker
from pydantic import BaseModel

from components.base.joined import joined
from components.base.request import request
from hostctl.build import RUNNING
from hostctl.core import requests
from hostctl.core.packing import packed
from hostctl.schedule.job import Scheduler
from settings import Settings
from settings.gateway_sections import Host as HostSettings
from verify.link.start import command_line
from verify.link.target import Target, bracketed

_PYTHON = ".venv/bin/python"
"""Relative to the project's folder, where the engine runs actions, so that a moved checkout changes no state."""

_NEW_ID = f"{_PYTHON} -c 'import secrets; print(secrets.token_hex(8))'"
"""Run once for each state: the state keeps the answer."""


@dataclass(frozen=True)
class Operation:
    """A verb of `hostctl` with the actions that create and delete a resource; None leaves the host as it is."""

    verb: str
    create: str
    delete: str | None = None


@dataclass(frozen=True)
class Action:
    """A registered action: the resource to depend on, its JSON request and its JSON answer."""

    resource: pulumi.Resource
    result: pulumi.Output[dict[str, object]]
    request: pulumi.Output[dict[str, object]]


@dataclass(frozen=True, kw_only=True)
class HostArgs:
    """`archive` is the built `hostctl` zipapp, whole."""

    settings: HostSettings
    archive: bytes


class Host(pulumi.ComponentResource):
    """The operator's host: its Docker daemon, and `hostctl` in the product's folder on it.

    Its first action claims the host for this state and installs `hostctl`, and refuses a host that belongs to another
    state. The next one checks that the daemon enforces memory limits; every other action waits for it.

    Leaves alone: Docker's own configuration and everything outside the product's folder.
    """

    def __init__(self, name: str, args: HostArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("sentinel-cutover:index:Host", name, None, opts)
        self._name = name
        self._settings = args.settings
        self._program = f"{args.settings.folder}/hostctl.pyz"
        self.docker = docker.Provider(
            f"{name}-docker",
            host=_docker_host(args.settings),
            ssh_opts=_ssh_options(args.settings),
            opts=pulumi.ResourceOptions(parent=self),
        )
        own_id = command.local.Command(
            f"{name}-state-id",
            create=_NEW_ID,
            add_previous_output_in_env=False,
            opts=pulumi.ResourceOptions(parent=self, ignore_changes=["create"]),
        ).stdout
        document = request(
            "stack",
            ("claim", "release"),
            {
                "folder": args.settings.folder,
                "stack": pulumi.get_stack(),
                "id": own_id,
                "docker_socket": args.settings.docker_socket,
            },
        )
        # Run from stdin: the first action neither finds this program on the host nor may replace another state's.
        runner = ["python3", "-I", "-c", RUNNING, "stack"]
        program = packed(args.archive).decode()
        installed = self._command(
            f"{name}-hostctl",
            create=[*runner, "claim"],
            delete=[*runner, "release"],
            stdin=document.apply(lambda known: f"{program}\n{json.dumps(known)}"),
            logging="none",
            opts=pulumi.ResourceOptions(parent=self),
        )
        self._first: Sequence[pulumi.Resource] = [installed]
        limits = self.action(f"{name}-docker-limits", Operation("docker", create="check"), {}, parent=self)
        self._first = [installed, limits.resource]
        claimed = installed.stdout.apply(_document)
        self.register_outputs(
            {"folder": args.settings.folder, "machine": claimed.apply(lambda claim: claim.get("machine", ""))}
        )

    @property
    def folder(self) -> str:
        """The product's own folder on the host, absolute."""
        return self._settings.folder

    @property
    def scheduler(self) -> dict[str, object]:
        """The host's scheduler, as a member of a request."""
        return requests.write(Scheduler(self._settings.scheduler, cron_folder=self._settings.cron_folder))

    @property
    def docker_socket(self) -> str:
        """Docker's socket as seen on the host itself, where `hostctl` runs."""
        return self._settings.docker_socket

    def docker_options(
        self,
        parent: pulumi.Resource,
        *,
        delete_before_replace: bool | None = None,
        ignore_changes: list[str] | None = None,
        retain_on_delete: bool | None = None,
        depends_on: list[pulumi.Resource] | None = None,
    ) -> pulumi.ResourceOptions:
        """Options for a Docker resource of `parent`: this host's daemon, and only what the caller means to pass on."""
        return pulumi.ResourceOptions(
            parent=parent,
            provider=self.docker,
            delete_before_replace=delete_before_replace,
            ignore_changes=ignore_changes,
            retain_on_delete=retain_on_delete,
            depends_on=depends_on,
        )

    def action(
        self,
        name: str,
        operation: Operation,
        members: pulumi.Input[Mapping[str, pulumi.Input[Any]]],
        *,
        parent: pulumi.Resource,
        depends_on: Sequence[pulumi.Resource] = (),
        secret: bool = False,
        triggers: Sequence[pulumi.Input[str]] | None = None,
    ) -> Action:
        """Register one verb of `hostctl` as a resource; `members` are those of its request beside the Docker socket.

        With `secret` the document and both outputs are secrets and nothing is logged: the published plugin shows and
        stores a command's output in plain text, even if its input was secret. Otherwise the verb's progress on stderr
        is shown.
        """
        verb, actions = operation.verb, (operation.create, *([operation.delete] if operation.delete else []))
        socket: dict[str, object] = {"docker_socket": self.docker_socket}
        known = request(verb, actions, members).apply(lambda known: known | socket)
        requested = pulumi.Output.secret(known) if secret else known
        resource = self._command(
            name,
            create=self._argv(verb, operation.create),
            delete=self._argv(verb, operation.delete) if operation.delete else None,
            stdin=requested.apply(json.dumps),
            logging="none" if secret else "stderr",
            triggers=triggers,
            opts=pulumi.ResourceOptions(
                parent=parent,
                depends_on=[*self._first, *depends_on],
                additional_secret_outputs=["stdout", "stderr"] if secret else None,
            ),
        )
        return Action(resource, resource.stdout.apply(_document), requested)

    def verify_action(
        self,
        name: str,
        verb: str,
        model: type[BaseModel],
        members: Mapping[str, pulumi.Input[object]],
        *,
        parent: pulumi.Resource,
        depends_on: Sequence[pulumi.Resource] = (),
    ) -> Action:
        """Register one command of `python -m verify`, run on this machine; its table and its progress are shown.

        `members` are those of the request beside `host`. Neither the request nor the answer holds a secret: the tokens
        that it reads stay in its memory.
        """
        line = f"{_PYTHON} -m verify {verb}"
        known = joined({"host": host_for_verify(self._settings), **members})
        requested = known.apply(lambda known: model.model_validate(known).model_dump(mode="json"))
        resource = command.local.Command(
            name,
            create=line,
            update=line,
            stdin=requested.apply(json.dumps),
            logging=command.local.Logging("stderr"),
            add_previous_output_in_env=False,
            opts=pulumi.ResourceOptions(parent=parent, depends_on=[*self._first, *depends_on]),
        )
        return Action(resource, resource.stdout.apply(_document), requested)

    def _argv(self, verb: str, action: str) -> list[str]:
        return ["python3", "-I", "-S", self._program, verb, action]

    def _command(
        self,
        name: str,
        *,
        create: list[str],
        delete: list[str] | None,
        stdin: pulumi.Input[str],
        logging: str,
        opts: pulumi.ResourceOptions,
        triggers: Sequence[pulumi.Input[str]] | None = None,
    ) -> command.local.Command:
        if self._settings.kind == "ssh":
            former = pulumi.ResourceOptions(aliases=[pulumi.Alias(type_="command:remote:Command")])
            opts = pulumi.ResourceOptions.merge(opts, former)
        return command.local.Command(
            name,
            create=line_for(self._settings, create),
            # An update creates again, since every verb is idempotent.
            update=line_for(self._settings, create),
            delete=line_for(self._settings, delete) if delete else None,
            stdin=stdin,
            logging=command.local.Logging(logging),
            add_previous_output_in_env=False,
            triggers=triggers,
            opts=opts,
        )


@dataclass(frozen=True, kw_only=True)
class StackArgs:
    """The arguments that the components on the host share."""

    settings: Settings
    host: Host


def line_for(settings: HostSettings, words: Sequence[str]) -> str:
    """The words of an action as a line for the shell; over ssh it uses the one connection (`verify/link`)."""
    if settings.kind == "local":
        return shlex.join(words)
    return shlex.join([_PYTHON, *command_line(Target.of(settings), words)])


def host_for_verify(settings: HostSettings) -> dict[str, object]:
    """The host as a member of a request of `verify`: `verify.documents.Host`."""
    members: dict[str, object] = {
        "kind": settings.kind,
        "program": f"{settings.folder}/hostctl.pyz",
        "docker_socket": settings.docker_socket,
    }
    if settings.kind == "ssh":
        members |= settings.model_dump(include={"address", "user", "port", "private_key_file", "host_key"})
    return members


def _document(stdout: str) -> dict[str, object]:
    return cast("dict[str, object]", json.loads(stdout)) if stdout else {}


def _docker_host(settings: HostSettings) -> str:
    if settings.kind == "local":
        return f"unix://{settings.docker_socket}"
    return f"ssh://{settings.user}@{bracketed(settings.address or '')}:{settings.port}"


def _ssh_options(settings: HostSettings) -> list[str] | None:
    """Options of the `ssh` by which the provider reaches Docker."""
    return None if settings.kind == "local" else Target.of(settings).options()
