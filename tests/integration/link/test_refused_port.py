"""A port that the host refuses: the client hears the reason before its connection closes, whichever thread is first."""

from __future__ import annotations

import os
import threading
from typing import Any, cast

import pytest

from hostctl.link.streams import FAILED, Trunk
from verify.link.mux import Client, Wanted
from verify.link.near_end import _Stream  # pyright: ignore[reportPrivateUsage]


class SlowClient:
    """Notes what it is sent; `close` may come from another thread."""

    def __init__(self) -> None:
        self.sent: list[str] = []
        self.may_be_refused = threading.Event()

    def refuse(self, number: int, reason: str) -> None:
        assert self.may_be_refused.wait(10)
        self.sent.append(reason)

    def opened(self, number: int) -> None:
        self.sent.append("opened")

    def close(self) -> None:
        self.sent.append("closed")


@pytest.mark.timeout(30)
@pytest.mark.parametrize("lost", [False, True], ids=["refused", "connection lost"])
def test_the_reason_comes_before_the_end(lost: bool) -> None:
    client, (_, to_host) = SlowClient(), os.pipe()
    given, taken = os.open(os.devnull, os.O_RDONLY), os.open(os.devnull, os.O_WRONLY)
    wanted = Wanted(1, {"host": "127.0.0.1", "port": "9"}, [given, taken])
    stream: Any = _Stream(Trunk(to_host, to_host), 1, cast(Client, client), wanted)
    opened: list[bool] = []
    opening = threading.Thread(target=lambda: opened.append(stream.open()))
    opening.start()
    if lost:
        stream.lost("Connection refused")
    else:
        stream.deliver(FAILED, b"Connection refused")
    client.may_be_refused.set()
    opening.join()
    assert (opened, client.sent) == ([False], ["Connection refused"])
