"""The traps of `docker.Container` that `provider-plugins.md` names, each as its outcome."""

from __future__ import annotations

import copy
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from contract_engine import Outcome, Resources, Stack
from contract_subjects import Daemon, NewStack


@dataclass(frozen=True)
class Life:
    stack: Stack
    first: Outcome
    second_preview: Outcome
    changed: Outcome
    before: dict[str, Any]
    """Docker's facts of `trap` before the change, and after it: `after`."""
    after: dict[str, Any]
    finished: Outcome
    forced: Outcome
    ended: Path
    """Written by a container when it had to end."""


@pytest.fixture(scope="module")
def life(new_stack: NewStack, daemon: Daemon, tmp_path_factory: pytest.TempPathFactory) -> Life:
    stack, folder = new_stack(), tmp_path_factory.mktemp("ended")
    daemon.api.tag(daemon.images[0], f"{daemon.prefix}/thrown", "one")
    program = _program(daemon, folder)
    first = stack.up(program)
    second_preview = stack.preview()
    name = f"{daemon.prefix}-trap"
    before = daemon.inspect(name)
    program = copy.deepcopy(program)
    program["trap"]["arguments"] |= {"tmpfs": {"/run": "size=2m"}, "init": True, "cpu_shares": 512}
    program["trap"]["arguments"]["healthcheck"]["retries"] = 7
    changed = stack.up(program)
    after = daemon.inspect(name)
    finished = stack.preview()
    program["trap"]["options"] = {
        "replace_on_changes": ["healthcheck", "tmpfs", "init"],
        "delete_before_replace": True,
    }
    program["trap"]["arguments"]["healthcheck"]["retries"] = 8
    del program["graceful"], program["thrown"]
    forced = stack.up(program)
    return Life(
        stack,
        first,
        second_preview,
        changed,
        before,
        after,
        finished,
        forced,
        folder / "ended",
    )


def _program(daemon: Daemon, folder: Path) -> Resources:
    def container(name: str, **arguments: Any) -> dict[str, Any]:
        common = {"image": daemon.images[0], "command": ["sleep", "1000"], "memory": 32, "memory_swap": 32}
        return {"kind": "docker.Container", "arguments": common | {"name": f"{daemon.prefix}-{name}"} | arguments}

    health = {"tests": ["CMD", "test", "-e", "/etc/mark"], "timeout": "1s", "retries": 5, "start_period": "0s"}
    return {
        "trap": container(
            "trap",
            healthcheck=health | {"interval": "60s"},
            tmpfs={"/run": "size=1m"},
            init=False,
            destroy_grace_seconds=1,
        ),
        "minute": container("minute", healthcheck=health | {"interval": "1m0s"}, destroy_grace_seconds=1),
        "labelled": container("labelled", labels=[{"label": "b", "value": "2"}, {"label": "a", "value": "1"}]),
        "graceful": container(
            "graceful",
            command=[
                "sh",
                "-c",
                "trap 'echo ended > /ended/ended; exit' TERM; touch /tmp/ready; while :; do sleep 0.1; done",
            ],
            healthcheck=health | {"tests": ["CMD", "test", "-e", "/tmp/ready"], "interval": "1s"},
            wait=True,
            destroy_grace_seconds=10,
            volumes=[{"host_path": str(folder), "container_path": "/ended"}],
        ),
        "thrown": {"kind": "docker.RemoteImage", "arguments": {"name": f"{daemon.prefix}/thrown:one"}},
        "secret": container("secret", envs=[{"secret": "PASSWORD=hunter22"}]),
    }


def test_everything_came_up(life: Life) -> None:
    assert (life.first.status, life.changed.status, life.forced.status) == (0, 0, 0), life.first.text + life.forced.text


def test_a_duration_not_in_gos_notation_shows_an_update_and_one_in_it_none(life: Life) -> None:
    assert life.first.resources["trap"]["outputs"]["healthcheck"]["interval"] == "1m0s"
    assert life.second_preview.operation("trap").detailed == {"healthcheck.interval": "update"}


def test_explicit_swap_shows_no_difference(life: Life) -> None:
    assert life.second_preview.changed() == [("update", "trap")]
    assert life.first.resources["minute"]["outputs"]["memorySwap"] == 32


def test_an_image_may_be_given_as_a_tag(life: Life, daemon: Daemon) -> None:
    assert daemon.inspect(life.first.resources["minute"]["id"])["Image"] == daemon.image_id(0)


def test_a_change_of_healthcheck_tmpfs_or_init_is_shown_as_an_update_and_changes_nothing(life: Life) -> None:
    operation = life.changed.operation("trap")
    assert operation.op == "update"
    assert {"healthcheck", "init", "tmpfs"} <= set(operation.differing)
    assert life.changed.resources["trap"]["outputs"]["healthcheck"]["retries"] == 7
    assert life.after["Id"] == life.before["Id"]
    assert life.after["Config"]["Healthcheck"] == life.before["Config"]["Healthcheck"]
    assert life.after["HostConfig"]["Tmpfs"] == life.before["HostConfig"]["Tmpfs"]
    assert life.after["HostConfig"]["Init"] == life.before["HostConfig"]["Init"]


def test_cpu_shares_are_really_changed_in_place(life: Life) -> None:
    assert life.after["HostConfig"]["CpuShares"] == 512


def test_the_spurious_update_of_a_duration_is_over_once_it_was_applied(life: Life) -> None:
    assert life.finished.operations == []


def test_replace_on_changes_makes_the_trap_fields_take_effect(life: Life, daemon: Daemon) -> None:
    assert "create-replacement" in {item.op for item in life.forced.operations if item.name == "trap"}
    assert daemon.inspect(f"{daemon.prefix}-trap")["Config"]["Healthcheck"]["Retries"] == 8


def test_a_removed_container_is_ended_by_its_signal_within_its_grace(life: Life) -> None:
    assert ("delete", "graceful") in life.forced.changed()
    assert life.ended.read_text() == "ended\n"


def test_an_image_that_is_not_kept_is_removed(life: Life, daemon: Daemon) -> None:
    assert "thrown" in life.first.resources
    assert not daemon.api.images(f"{daemon.prefix}/thrown:one")


def test_labels_are_a_list_of_label_and_value(life: Life) -> None:
    labels = life.first.resources["labelled"]["outputs"]["labels"]
    assert sorted(label["label"] for label in labels) == ["a", "b"]
    assert all(set(label) == {"label", "value"} for label in labels)


def test_a_secret_input_is_secret_in_the_outputs_too(life: Life) -> None:
    assert "hunter22" not in life.stack.state_text()
    assert "hunter22" not in life.first.text
