"""The view from inside a server: its environment, and what it can read of the others."""

from __future__ import annotations

import os
from collections.abc import Generator
from pathlib import Path

import pytest

from tests.integration.bridge.postgres import Database
from tests.integration.launcher.parts import BRIDGE_USER, House, decoded, house, started_pids

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="only root can start a process as another user")
SECRET = "only-alphas-0123456789"


@pytest.fixture(scope="module")
def inside(database: Database) -> Generator[House]:
    with house(database.url(), {"alpha": {"MODE": "x"}, "beta": {}}, {"alpha": {"ALPHA_KEY": SECRET}}) as made:
        yield made


def test_its_environment_is_its_own_and_nothing_else(inside: House) -> None:
    variables = decoded(inside.call("alpha", "environment"))
    home = str(inside.folder / "home-alpha")
    passed = {name: os.environ[name] for name in ("PATH", "LANG", "TZ", "NODE_PATH") if name in os.environ}
    assert variables.pop("LC_CTYPE", "C.UTF-8") == "C.UTF-8"
    for name in [
        name for name in variables if "proxy" in name.lower() or name in ("SSL_CERT_FILE", "NODE_EXTRA_CA_CERTS")
    ]:
        assert variables.pop(name) == os.environ[name]
    variables.pop("SSL_CERT_DIR", "")
    assert variables == {
        **passed, "HOME": home, "TMPDIR": home, "SERVER": "alpha", "MODE": "x", "ALPHA_KEY": SECRET,
    }  # fmt: skip
    assert SECRET not in inside.call("beta", "environment")


def test_each_process_has_a_user_of_its_own(inside: House) -> None:
    alpha, beta = (started_pids(inside.log(), name)[-1] for name in ("alpha", "beta"))
    assert inside.processes() == {alpha: inside.first_user, beta: inside.first_user + 1}
    status = Path(f"/proc/{alpha}/status").read_text()
    assert "Gid:" + f"\t{inside.first_user}" * 4 in status
    assert "Groups:\t \n" in status and "CapEff:\t0000000000000000" in status


@pytest.mark.parametrize(
    "path",
    [
        "{folder}/alpha.ALPHA_KEY",
        "{folder}/jwt_secret",
        "{folder}/database_url",
        "{folder}/bridge.json",
        "{folder}/sentinel.toml",
        "/proc/{alpha}/environ",
        "/proc/{alpha}/mem",
        "/proc/{alpha}/fd/0",
        "/proc/{bridge}/environ",
        "/proc/{gateway}/environ",
        "{folder}/home-alpha/.npmrc",
        "{folder}/bridge/launcher",
    ],
)
def test_a_server_can_read_no_secret_of_another_of_the_bridge_or_of_the_gateway(inside: House, path: str) -> None:
    supervisor = inside.bridge.program.process.pid
    alpha = started_pids(inside.log(), "alpha")[-1]
    below = {pid: Path(f"/proc/{pid}").stat().st_uid for pid in _children(supervisor)}
    bridge = next(pid for pid, user in below.items() if user == BRIDGE_USER)
    places = {"folder": inside.folder, "alpha": alpha, "bridge": bridge, "gateway": _children(bridge)[0]}
    assert inside.call("beta", "read", path.format(**places)) == "refused: Permission denied"


def _children(pid: int) -> list[int]:
    return [int(child) for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]
