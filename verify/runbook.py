"""Links into the runbook: one heading for each gate and for each result of a backend."""

from __future__ import annotations

import re

_HOST_LINK = re.compile(r" \(docs/runbook\.md#hostctl-[\w-]+\)")


def of_gate(name: str) -> str:
    return f"docs/runbook.md#gate-{name}"


def of_result(result: str) -> str:
    return f"docs/runbook.md#result-{result}"


def without_host_link(sentence: str) -> str:
    """The sentence without the link to the host's verb: the gate's own heading says more, and one link is enough."""
    return _HOST_LINK.sub("", sentence)
