"""The program's registrations, taken by mocks: what it declares and in which order, without an engine or a host.

Mocks only fill what a provider would compute; nothing here stands in for behaviour.
"""

from __future__ import annotations

import asyncio
import functools
import json
import runpy
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NoReturn, cast

from pulumi.runtime import config as pulumi_config
from pulumi.runtime import mocks, settings, stack

from settings import SECRET_KEYS
from tests.unit.settings.cases import SMALLEST

ROOT = Path(__file__).resolve().parents[3]
RECORD = {"path": "/srv/sentinel/claude/record.json", "sha256": "0" * 64}
"""The answer of `hostctl claude record`: the place and the hash of the record on the host."""
BASELINE: Mapping[str, Any] = {"entry": "contextforge", "transport": "http", "tools": [], "backends": []}


@dataclass(frozen=True)
class Registered:
    """One resource as the engine registers it. `after` are the URNs that it waits for, its parent's included."""

    urn: str
    type: str
    name: str
    parent: str
    inputs: Mapping[str, Any]
    after: frozenset[str]
    options: Any


@dataclass
class Registration(mocks.Mocks):
    """Collects what a run of the program registers."""

    resources: dict[str, Registered] = field(default_factory=dict[str, Registered])
    inputs: dict[str, dict[str, Any]] = field(default_factory=dict[str, dict[str, Any]])
    outputs: dict[str, dict[str, Any]] = field(default_factory=dict[str, dict[str, Any]])

    def new_resource(self, args: mocks.MockResourceArgs) -> tuple[str | None, dict[str, Any]]:
        inputs = cast(dict[str, Any], args.inputs)  # pyright: ignore[reportUnknownMemberType] - Pulumi says just dict
        self.inputs[args.name] = dict(inputs)
        outputs = dict(inputs)
        if args.typ == "docker:index/remoteImage:RemoteImage":
            outputs["imageId"] = f"sha256:{args.name}"
        if args.typ.startswith("command:"):
            answer = {"verb": args.name, "interfaces": ["eth0"], "id": f"sha256:{args.name}", "record": RECORD}
            outputs["stdout"] = json.dumps(BASELINE if args.name == "baseline-recorded" else answer)
        if args.typ == "docker:index/container:Container":
            outputs.setdefault("name", f"{args.name}-1a2b3c4")
        self.outputs[args.name] = outputs
        return f"{args.name}-id", outputs

    def call(self, args: mocks.MockCallArgs) -> NoReturn:
        raise AssertionError(f"the program calls no function of a provider, yet it called {args.token}")

    def named(self, name: str) -> Registered:
        """The one resource of that name."""
        return next(one for one in self.resources.values() if one.name == name)

    def stack(self) -> Registered:
        """The root of all."""
        return next(one for one in self.resources.values() if one.type == "pulumi:pulumi:Stack")

    def all_before(self, urn: str) -> set[str]:
        """The URNs that the engine has finished before it starts this one, near and far."""
        seen: set[str] = set()
        ahead = [urn]
        while ahead:
            new = self.resources[ahead.pop()].after - seen
            seen |= new
            ahead += new
        return seen


class _Monitor(mocks.MockMonitor):
    """The mock monitor, keeping the whole request: the mocks' own arguments leave out options and dependencies."""

    def __init__(self, registration: Registration) -> None:
        super().__init__(registration)
        self._registration = registration

    def RegisterResource(self, request: Any) -> Any:
        answer = super().RegisterResource(request)  # pyright: ignore[reportUnknownMemberType] - Pulumi types no request
        urn = str(answer.urn)
        self._registration.resources[urn] = Registered(
            urn=urn,
            type=str(request.type),
            name=str(request.name),
            parent=str(request.parent),
            inputs=self._registration.inputs.get(str(request.name), {}),
            after=frozenset(
                filter(None, [*request.dependencies, request.parent, request.provider.rpartition("::")[0]])
            ),
            options=request,
        )
        return answer


def register(configuration: Mapping[str, Any] | None = None) -> Registration:
    """Runs `__main__.py` once against mocks, with the given keys over a minimal configuration."""
    merged = SMALLEST | dict(configuration or {})
    return _registered(tuple((f"sentinel-cutover:{key}", _text(value)) for key, value in merged.items()))


@functools.cache
def _registered(configuration: tuple[tuple[str, str], ...]) -> Registration:
    """One configuration runs once in a session: it takes a third of a second, and no test changes the result."""
    registration = Registration()
    pulumi_config.set_all_config(
        dict(configuration),
        secret_keys=[f"sentinel-cutover:{key}" for key in SECRET_KEYS],
    )
    loop = asyncio.new_event_loop()
    asyncio.set_event_loop(loop)
    try:
        mocks.set_mocks(registration, project="sentinel-cutover", stack="test", monitor=_Monitor(registration))

        async def program() -> None:
            runpy.run_path(str(ROOT / "__main__.py"))

        loop.run_until_complete(stack.run_pulumi_func(program))
    finally:
        settings.reset_options()
        loop.close()
        asyncio.set_event_loop(None)
    return registration


def _text(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value)
