"""With the handover broken inside, ContextForge has the port again within the same command, and the command says so."""

from __future__ import annotations

import pytest

from tests.lab.broken_cutover.conftest import GATEWAY, Staged
from tests.soak import only_soak

pytestmark = [pytest.mark.lab, pytest.mark.timeout(600)]

DOES_AT_CONNECT = """
import os, signal, subprocess, sys, time
server = subprocess.Popen(["sentinel-bridge", *sys.argv[1:]])
signal.signal(signal.SIGHUP, lambda *_: server.send_signal(signal.SIGHUP))
signal.signal(signal.SIGTERM, lambda *_: (server.kill(), os._exit(0)))
while server.poll() is None:
    if os.path.exists("/sys/class/net/eth1"):
        {act}
    time.sleep(0.002)
sys.exit(server.returncode)
"""
ACTS = {
    "the_container_dies_at_connect": "server.kill(); os._exit(1)",
    "the_first_answer_never_comes": "os.kill(-1, signal.SIGSTOP); server.wait()",
}


@pytest.mark.parametrize(
    "act",
    [
        "the_container_dies_at_connect",
        pytest.param("the_first_answer_never_comes", marks=only_soak("a minute; tests/docker undoes such a handover")),
    ],
)
def test_contextforge_has_the_port_again_within_the_same_command(staged: Staged, act: str) -> None:
    program = DOES_AT_CONNECT.format(act=ACTS[act]).replace("\n", "\\n").replace('"', '\\"')
    image = staged.image(
        f'RUN printf "{program}" > /usr/local/bin/breaking.py',
        'ENTRYPOINT ["python3", "/usr/local/bin/breaking.py"]',
        base=staged.lab.inspect(staged.lab.outputs()["sentinel"])["Image"],
    )

    def breaking(sections: dict[str, dict[str, object]]) -> None:
        sections["sentinel"].update(image=image, layers="none")

    before = staged.as_it_is()
    with staged.cutting_over(breaking):
        code, said = staged.up()
    assert code != 0, said
    after = staged.as_it_is()
    same = ("started", "paused", "restart", "ports")
    assert {key: after[key] for key in same} == {key: before[key] for key in same}
    assert after["endpoints"] != before["endpoints"], said
    assert GATEWAY in said and "Traceback" not in said
    seen = staged.lab.verified()
    assert (seen["active"], {one["result"] for one in seen["backends"] if "why_allowed" not in one}) == (
        "contextforge",
        {"ok"},
    )
