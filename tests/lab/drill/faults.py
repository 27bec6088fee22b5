"""The faults of the disaster drill, each with its heading in the runbook.

Owns: causing them on the lab as they happen to an operator: by Docker, by the file system, by a kill.
Deliberately does not: fix one; the runbook's own commands do.
"""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

from console.paths import LOGS
from console.progress import Progress
from hostctl.nightly import backup_catalog
from lab import box as vps
from lab import small_disk
from lab.box import Place, lifecycle
from tests.lab.cutover.limits import GATEWAY
from tests.lab.rollback.driver import Driver


def nothing(driver: Driver) -> None:
    """Most faults leave nothing behind."""


SMALL_MB = 64


@dataclass(frozen=True)
class Fault:
    """A fault, the runbook's heading for it, and the act that causes it while Sentinel serves.

    `found` is false for one that heals by itself, or that only the next command of the runbook sees. `undo` takes away
    from the lab what no command of the runbook does.
    """

    name: str
    heading: str
    cause: Callable[[Driver], None]
    found: bool = True
    undo: Callable[[Driver], None] = nothing


def lose_the_state(driver: Driver) -> None:
    """As a clone that never had it: no checkpoint and no history, with the stack's file and the passphrase."""
    shutil.rmtree(driver.state_file().parents[2])


def lose_the_host(driver: Driver) -> None:
    """A new machine on which ContextForge was restored: it serves, and nothing of the stack is there."""
    back = driver.lab.on_host(
        [sys.executable, "-I", "-S", f"{driver.lab.box.folder}/hostctl.pyz", "handover", "back", "force"]
    )
    subprocess.run(back, check=True, capture_output=True, timeout=300)
    for one in driver.lab.docker("ps", "-aq", "--filter", "label=sentinel-cutover=true").split():
        driver.lab.docker("rm", "-f", "-v", one)
    for network in ("sentinel", "sentinel-edge"):
        for one in json.loads(driver.lab.docker("network", "inspect", network))[0]["Containers"]:
            driver.lab.docker("network", "disconnect", "-f", network, one)
        driver.lab.docker("network", "rm", network)
    for volume in driver.lab.docker("volume", "ls", "-q", "--filter", "name=^sentinel-").split():
        driver.lab.docker("volume", "rm", volume)
    driver.lab.docker("restart", GATEWAY)
    shutil.rmtree(driver.lab.box.folder)


def lose_the_volume(driver: Driver) -> None:
    driver.lab.docker("rm", "-f", "sentinel-postgres")
    driver.lab.docker("volume", "rm", "sentinel-postgres")


def remove_a_container(driver: Driver) -> None:
    driver.lab.docker("rm", "-f", "sentinel-prometheus")


def stop_what_serves(driver: Driver) -> None:
    driver.lab.docker("stop", driver.holder())


def edit_a_file(driver: Driver) -> None:
    """A secret of the database's, with an editor that saves in place."""
    (file,) = Path(driver.lab.box.folder).glob("sentinel-postgres-files-*/postgres_password")
    file.chmod(0o600)
    file.write_text("by hand\n")


def prune_an_image(driver: Driver) -> None:
    """The name goes; Docker keeps what a container runs."""
    image = driver.lab.inspect("sentinel-postgres")["Image"]
    for name in json.loads(driver.lab.docker("image", "inspect", image))[0]["RepoTags"]:
        driver.lab.docker("rmi", "-f", name)


def kill_docker(driver: Driver) -> None:
    box = vps.status(Place()).box
    assert box is not None
    for process in box.processes:
        if process.name == "dockerd":
            os.kill(process.pid, signal.SIGKILL)
    vps.up(Place(), Progress(LOGS))


def cut_the_power_in_the_window(driver: Driver) -> None:
    """`hostctl` dies between the two gateways, and the machine boots."""
    command = [sys.executable, "-I", "-S", f"{driver.lab.box.folder}/hostctl.pyz", "handover", "back"]
    died = subprocess.run(
        ["env", "HOSTCTL_DIE_AT=rollback.answer", *driver.lab.on_host(command)], capture_output=True, timeout=300
    )
    assert died.returncode, "it was to die with nobody on the port's other side"
    lifecycle.reboot(Place(), Progress(LOGS))


def set_the_clock_ahead(driver: Driver) -> None:
    """A backup of a day to come, as a clock that was a year ahead leaves it."""
    folder = backups_of(driver)
    newest = backup_catalog.newest(str(folder))
    assert newest is not None
    ahead = folder / backup_catalog.name_at(datetime.now(UTC) + timedelta(days=365))
    shutil.copy(newest.path, ahead)
    shutil.copy(backup_catalog.beside(newest.path), backup_catalog.beside(str(ahead)))


def remove_what_is_ahead(driver: Driver) -> None:
    for path in backups_of(driver).glob(f"sentinel-{datetime.now(UTC).year + 1}*"):
        path.unlink()


def fill_the_disk(driver: Driver) -> None:
    """That with the backups: a small one in their place, with the newest backup, and an old one that takes the rest."""
    folder = backups_of(driver)
    newest = backup_catalog.newest(str(folder))
    assert newest is not None
    kept = [Path(newest.path), Path(backup_catalog.beside(newest.path))]
    contents = [(path.name, path.read_bytes()) for path in kept]
    small_disk.mount(folder, SMALL_MB)
    for name, content in contents:
        (folder / name).write_bytes(content)
    small_disk.fill(folder / "sentinel-20260101T031700Z.dump")


def take_the_small_disk_away(driver: Driver) -> None:
    small_disk.unmount(backups_of(driver))


def backups_of(driver: Driver) -> Path:
    return Path(driver.lab.box.home) / "backups" / "sentinel"


FAULTS = (
    Fault("state lost", "The state is lost", lose_the_state),
    Fault("host lost", "The host is lost", lose_the_host),
    Fault("volume lost", "The volume is lost", lose_the_volume),
    Fault("container removed", "A container was stopped or removed by hand", remove_a_container),
    Fault("gateway stopped", "A container was stopped or removed by hand", stop_what_serves),
    Fault("file edited", "A file was edited by hand", edit_a_file),
    Fault("image pruned", "An image was pruned", prune_an_image),
    Fault("dockerd killed", "Docker was killed", kill_docker, found=False),
    Fault("power cut in the window", "The power was cut while the port changed hands", cut_the_power_in_the_window),
    Fault("disk full", "The disk is full", fill_the_disk, undo=take_the_small_disk_away),
    Fault("clock a year ahead", "The clock was ahead", set_the_clock_ahead, False, remove_what_is_ahead),
)
