"""A double acts on the lab's hosts only, wherever another one is named."""

from __future__ import annotations

from typing import Any

import pytest
from contract_engine import Resources
from contract_subjects import Daemon, NewStack, Plugins

FOREIGN = "unix:///run/somebody-elses/docker.sock"


@pytest.fixture(autouse=True)
def _only_doubles_refuse(plugins: Plugins) -> None:  # pyright: ignore[reportUnusedFunction]
    if not plugins.doubles:
        pytest.skip("the plugins under test are the published ones, which act on any host they are given")


def _volume(daemon: Daemon, **options: Any) -> Resources:
    return {"volume": {"kind": "docker.Volume", "arguments": {"name": f"{daemon.prefix}-foreign"}, "options": options}}


def test_a_host_given_to_the_provider_is_refused(new_stack: NewStack, daemon: Daemon) -> None:
    provider: Resources = {"other": {"kind": "docker.Provider", "arguments": {"host": FOREIGN}}}
    outcome = new_stack().preview(provider | _volume(daemon, provider="other"))
    assert outcome.status != 0
    assert f"refuses the Docker host {FOREIGN}" in outcome.text


def test_a_host_from_the_environment_is_refused(new_stack: NewStack, daemon: Daemon) -> None:
    outcome = new_stack(DOCKER_HOST=FOREIGN).preview(_volume(daemon))
    assert outcome.status != 0
    assert f"refuses the Docker host {FOREIGN}" in outcome.text


def test_a_host_from_the_configuration_is_refused(new_stack: NewStack, daemon: Daemon) -> None:
    stack = new_stack()
    stack.configure("docker:host", "ssh://root@192.0.2.9:22")
    outcome = stack.preview(_volume(daemon))
    assert outcome.status != 0
    assert "refuses the Docker host ssh://root@192.0.2.9:22" in outcome.text


def test_the_default_host_is_refused(new_stack: NewStack, daemon: Daemon) -> None:
    outcome = new_stack(DOCKER_HOST="").preview(_volume(daemon))
    assert outcome.status != 0
    assert "refuses the Docker host unix:///var/run/docker.sock" in outcome.text


def test_a_foreign_ssh_host_is_refused_before_it_is_called(new_stack: NewStack) -> None:
    command: dict[str, Any] = {
        "kind": "command.remote.Command",
        "arguments": {"connection": {"host": "192.0.2.9", "private_key": "none"}, "create": "true"},
    }
    outcome = new_stack().up({"remote": command})
    assert outcome.status != 0
    assert "refuses the ssh host 192.0.2.9" in outcome.text
