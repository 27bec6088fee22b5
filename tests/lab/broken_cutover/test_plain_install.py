"""`predecessor.kind: absent`: a plain install, with the same gates and verification, and nobody to go back to."""

from __future__ import annotations

from typing import Any

import pytest

from tests.lab.broken_cutover.conftest import Staged

pytestmark = [pytest.mark.lab, pytest.mark.timeout(600)]


def test_where_contextforge_has_not_got_the_port_sentinel_is_installed_and_taken_away_again(staged: Staged) -> None:
    lab = staged.lab

    def absent(sections: dict[str, Any]) -> None:
        sections["predecessor"]["kind"] = "absent"

    # As far as the port goes, it is not there.
    with staged.contextforge_off_its_network():
        with staged.cutting_over(absent):
            code, said = staged.up()
            assert code == 0, said
            seen = lab.outputs()["verification"]
            assert (seen["ok"], seen["compared"]) == (True, {"ok": True, "detail": "not compared"})
        with staged.configured(absent):
            code, said = staged.up()
            assert code == 0, said
        published = lab.inspect(lab.outputs()["sentinel"])["NetworkSettings"]["Ports"]
        assert not any(published.values())
