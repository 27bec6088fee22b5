"""The verdict on each backend, by what it answers to a probe."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence

import pytest

from bridge import backend_health
from bridge.backend_health import BackendHealth
from bridge.backend_session import BackendFailed
from bridge.messages import Message

TOOLS: Message = {"result": {"tools": []}}


class OneBackend:
    """A backend `b` that gives the answers one after the other; an exception is raised, None is no answer."""

    names: Sequence[str] = ("b",)

    def __init__(self, *answers: Message | BackendFailed | None, busy: bool = False) -> None:
        self._answers = list(answers)
        self._busy = busy

    async def probe(self, name: str) -> Message:
        if not self._answers:
            await asyncio.Event().wait()
        answer = self._answers.pop(0)
        if answer is None:
            await asyncio.Event().wait()
        if isinstance(answer, BackendFailed):
            raise answer
        return answer or {}

    def is_busy(self, name: str) -> bool:
        return self._busy


@pytest.fixture(autouse=True)
def short_times(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("_AGAIN_SECONDS", "_ANSWER_SECONDS"):
        monkeypatch.setattr(backend_health, name, 0.02)


def verdict(backend: OneBackend, until: Callable[[bool | None], bool]) -> bool | None:
    """The first verdict that is waited for, or the last one after a while."""

    async def watched() -> bool | None:
        health = BackendHealth([backend], 0.02)
        health.watch()
        for _ in range(50):
            await asyncio.sleep(0.01)
            if until(health.verdicts.get("b")):
                break
        health.stop()
        return health.verdicts.get("b")

    return asyncio.run(watched())


@pytest.mark.parametrize(
    ("answer", "healthy"),
    [
        (TOOLS, True),
        ({"error": {"code": -32000, "message": "no"}}, False),
        ({"result": {}}, False),
        (BackendFailed("connection refused"), False),
        (None, False),
    ],
    ids=["tools", "error", "no-tools", "failed", "silent"],
)
def test_only_a_list_of_tools_in_time_is_healthy(answer: Message | BackendFailed | None, healthy: bool) -> None:
    assert verdict(OneBackend(answer), lambda found: found is not None) is healthy


def test_a_backend_that_answers_again_is_healthy_again() -> None:
    assert verdict(OneBackend(BackendFailed("away"), TOOLS), bool) is True


def test_a_backend_with_a_call_under_way_is_not_judged_by_its_silence() -> None:
    assert verdict(OneBackend(TOOLS, None, busy=True), lambda found: found is False) is True
