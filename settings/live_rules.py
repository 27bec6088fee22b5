"""Rules over the settings that the running gateway takes over: the kill switch and the rate limits.

A backend's tools are not known here: the gateway's own list has them, and only when it runs.
"""

from __future__ import annotations

import difflib
from collections.abc import Callable, Iterator

from settings.backends import Backend
from settings.errors import Problem
from settings.model import Settings

KEY = "sentinel.kill_switch"


def is_switched_off(settings: Settings, backend: Backend) -> bool:
    """True for a backend whose harmless call the kill switch refuses."""
    switch = settings.sentinel.kill_switch
    return backend.name in switch.disabled_backends or backend.tool in switch.disabled_tools


def require_backends_to_switch_off(settings: Settings) -> Iterator[Problem]:
    names = [backend.name for backend in settings.backends]
    for number, name in enumerate(settings.sentinel.kill_switch.disabled_backends):
        if name not in names:
            near = difflib.get_close_matches(name, names, n=1)
            allowed = f"the name of a backend: {', '.join(names)}"
            value = near[0] if near else "<backend>"
            yield Problem(f"{KEY}.disabled_backends[{number}]", name, allowed, value, related=("backends",))


def require_something_left_to_serve(settings: Settings) -> Iterator[Problem]:
    disabled = settings.sentinel.kill_switch.disabled_backends
    if {backend.name for backend in settings.backends} <= set(disabled):
        allowed = "at least one backend left: with every one disabled nothing proves that the gateway works"
        yield Problem(f"{KEY}.disabled_backends", ", ".join(disabled), allowed, None, related=("backends",))


RULES: tuple[Callable[[Settings], Iterator[Problem]], ...] = (
    require_backends_to_switch_off,
    require_something_left_to_serve,
)
