"""An ordinary user of this machine with a home of their own: no root, no sudo, and umask 027."""

from __future__ import annotations

import json
import os
import shutil
import stat
import subprocess
import tempfile
from collections.abc import Generator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

UID = 64207
"""Of nobody on this machine."""
GID = 64208
PYTHON = shutil.which("python3", path="/usr/bin:/usr/local/bin") or "python3"
"""The host's own: this program's may lie where only root may go."""
_CRONTAB = """#!/bin/sh
# crontab(1) with the table in a file of the user's.
table=$HOME/table
case $1 in
    -l) [ -e "$table" ] || { echo "no crontab for operator" >&2; exit 1; }; cat "$table" ;;
    -r) rm "$table" ;;
    -) cat > "$table" ;;
esac
"""
_NAME = """
import os, pwd, runpy, sys
pwd.getpwuid = lambda uid: pwd.struct_passwd(("operator", "x", uid, uid, "", os.environ["HOME"], "/bin/sh"))
"""
"""A name for the user, who has none on this machine."""
_RUN = """
sys.argv = sys.argv[1:]
runpy.run_path(sys.argv[0], run_name="__main__")
"""


@dataclass(frozen=True)
class OrdinaryUser:
    """`home` is below a folder that everybody may enter; `archive` is the program, which the user may read."""

    home: Path
    archive: Path
    groups: tuple[int, ...] = ()

    @property
    def crontab(self) -> str:
        """The user's own crontab, empty where there is none."""
        table = self.home / "table"
        return table.read_text() if table.exists() else ""

    def start(self, program: str, *arguments: str) -> subprocess.Popen[bytes]:
        """A program that finds `hostctl` in its last argument, as the user."""
        command = [PYTHON, "-I", "-S", "-c", f"{_NAME}{program}", *arguments, str(self.archive)]
        return subprocess.Popen(self._as_user(command), env=self._variables)

    def run(self, *verb: str, **document: Any) -> subprocess.CompletedProcess[str]:
        """One verb of `hostctl`, as the user."""
        return subprocess.run(
            self._as_user([PYTHON, "-I", "-S", "-c", f"{_NAME}{_RUN}", str(self.archive), *verb]),
            input=json.dumps(document),
            capture_output=True,
            text=True,
            env=self._variables,
            check=False,
        )

    @property
    def _variables(self) -> Mapping[str, str]:
        return {"HOME": str(self.home), "PATH": f"{self.home}/bin:{os.environ['PATH']}"}

    def _as_user(self, command: Sequence[str]) -> list[str]:
        groups = ["--groups", ",".join(map(str, self.groups))] if self.groups else ["--clear-groups"]
        user = ["setpriv", "--reuid", str(UID), "--regid", str(GID), *groups]
        return [*user, "sh", "-c", 'umask 027; exec "$@"', "sh", *command]

    def answer(self, *verb: str, **document: Any) -> dict[str, Any]:
        """The document of a verb that must succeed."""
        done = self.run(*verb, **document)
        assert done.returncode == 0, done.stderr
        return json.loads(done.stdout)

    def mode(self, name: str) -> str:
        """A path's mode below the home, in octal."""
        return f"{stat.S_IMODE((self.home / name).stat().st_mode):04o}"


@contextmanager
def ordinary_user(archive: Path, groups: tuple[int, ...] = ()) -> Generator[OrdinaryUser]:
    """The user with an empty home and a crontab program."""
    with tempfile.TemporaryDirectory(prefix="home-") as folder:
        top = Path(folder)
        top.chmod(0o755)
        user = OrdinaryUser(top / "operator", top / "hostctl.pyz", groups)
        (user.home / "bin").mkdir(parents=True)
        (user.home / "bin" / "crontab").write_text(_CRONTAB)
        (user.home / "bin" / "crontab").chmod(0o755)
        shutil.copy(archive, user.archive)
        user.archive.chmod(0o644)
        os.chown(user.home, UID, GID)
        yield user
