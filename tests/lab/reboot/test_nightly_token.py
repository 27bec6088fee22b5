"""A token that the nightly job renewed on the host: nobody is refused at any moment, and the program sees no change.

This file comes before the boots, since it begins where they do, with Sentinel on the port.
"""

from __future__ import annotations

import json
import subprocess
import time
from pathlib import Path
from typing import Any

import pytest

from hostctl.tokens import signed
from lab.real.contextforge.http_call import call
from tests.lab.cutover.conftest import Lab
from tests.lab.reboot.conftest import serve

pytestmark = [pytest.mark.lab, pytest.mark.timeout(600)]

HELLO: dict[str, Any] = {
    "jsonrpc": "2.0",
    "id": 1,
    "method": "initialize",
    "params": {"protocolVersion": "2025-06-18", "capabilities": {}, "clientInfo": {"name": "nightly", "version": "1"}},
}
DAY = 86400


def status(lab: Lab, token: str) -> int:
    return call(lab.box, "POST", "/mcp", token=token, body=HELLO).status


def renewed(lab: Lab) -> dict[str, bool]:
    """Renew as the nightly job does: on the host, without the program."""
    folder = Path(lab.box.folder)
    done = subprocess.run(
        lab.on_host(["python3", "-I", "-S", str(folder / "hostctl.pyz"), "token", "renew"]),
        input=json.dumps({"folder": str(folder / "tokens")}),
        capture_output=True,
        text=True,
        check=True,
    )
    return {row["name"]: row["renewed"] for row in json.loads(done.stdout)["tokens"]}


def with_days_left(lab: Lab, days: int) -> str:
    """Claude's token as it is so many days before its end."""
    issued = json.loads((Path(lab.box.folder) / "tokens" / "claude.json").read_text())
    expires = int(time.time()) + days * DAY
    claims = {"sub": issued["subject"], "role": issued["role"], "iss": issued["issuer"], "aud": issued["audience"]}
    secret = Path(issued["secret_file"]).read_bytes().rstrip(b"\r\n")
    token = signed({**claims, "iat": expires - issued["days"] * DAY, "exp": expires}, secret)
    Path(issued["path"]).write_text(token + "\n")
    return token


def test_old_and_new_token_are_good_side_by_side_and_the_program_sees_no_change(lab: Lab) -> None:
    serve(lab, "sentinel")
    assert renewed(lab) == {"claude": False, "handover": False}
    old = with_days_left(lab, 5)
    assert lab.ops("status")["token_days_left"] == pytest.approx(5, abs=0.1)
    owner = (Path(lab.box.home) / ".mcp-token").stat()
    assert renewed(lab) == {"claude": True, "handover": False}
    file = Path(lab.box.home) / ".mcp-token"
    new = file.read_text().strip()
    assert new != old and (file.stat().st_mode, file.stat().st_uid) == (owner.st_mode, owner.st_uid)
    assert [status(lab, token) for token in (old, new, "none.at.all")] == [200, 200, 401]
    assert lab.planned().keys() == {"same"}
    verified = lab.verified()
    assert (verified["ok"], verified["claude"]["ok"]) == (True, True)
    assert lab.ops("status")["token_days_left"] > 80
