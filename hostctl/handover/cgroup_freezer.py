"""The kernel's freezer of one container, used past Docker, which cannot unpause it while a command begins in it.

Source: the kernel's documentation of control groups, version 2 (`cgroup.freeze`, `cgroup.events`), and of version 1's
freezer (`freezer.state`), which is the one at work where it is mounted.
"""

from __future__ import annotations

import time
from dataclasses import dataclass
from pathlib import Path

MOUNT = Path("/sys/fs/cgroup")
WITHIN_SECONDS = 2.0
_POLL_SECONDS = 0.005


@dataclass(frozen=True)
class Freezer:
    """The file to write, and the line of the kernel's report that says that the whole group is paused."""

    file: Path
    paused: str
    thawed: str
    report: Path
    reported: str

    def thaw(self) -> None:
        """Let the group run; raises OSError, as for anybody but root."""
        self.file.write_text(self.thawed)

    def pause(self) -> None:
        """Pause the group and return when all of it is; raises OSError, also when that takes more than two seconds."""
        self.file.write_text(self.paused)
        end = time.monotonic() + WITHIN_SECONDS
        while self.reported not in self.report.read_text().splitlines():
            if time.monotonic() > end:
                raise TimeoutError(f"{self.report} does not say '{self.reported}' within {WITHIN_SECONDS:g} s")
            time.sleep(_POLL_SECONDS)


def of(process: int, proc: Path = Path("/proc"), mount: Path = MOUNT) -> Freezer:
    """The freezer of the group that the process is in; raises OSError when there is none."""
    groups: dict[str, str] = {}
    for line in (proc / str(process) / "cgroup").read_text().splitlines():
        _, controllers, path = line.split(":", 2)
        groups.update(dict.fromkeys(controllers.split(","), path.lstrip("/")))
    # A container of version 2 is in the root of version 1's, which holds everything else too and cannot be paused.
    if groups.get("freezer"):
        state = mount / "freezer" / groups["freezer"] / "freezer.state"
        return Freezer(state, "FROZEN", "THAWED", state, "FROZEN")
    # Beside version 1, version 2 has a mount of its own.
    second = mount / "unified" if (mount / "unified").is_dir() else mount
    folder = second / groups.get("", "")
    return Freezer(folder / "cgroup.freeze", "1", "0", folder / "cgroup.events", "frozen 1")
