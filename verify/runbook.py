"""The headings of the runbook that say what to do, one for each gate and for each word that a backend's result can be.

Owns: how such a link is spelled. Deliberately does not: know the headings; a test opens each.
"""

from __future__ import annotations

import re

_HOST_LINK = re.compile(r" \(docs/runbook\.md#hostctl-[\w-]+\)")


def of_gate(name: str) -> str:
    return f"docs/runbook.md#gate-{name}"


def of_result(word: str) -> str:
    return f"docs/runbook.md#result-{word}"


def without_host_link(sentence: str) -> str:
    """Where a heading of ours says more than the one of the step on the host: a sentence has one link."""
    return _HOST_LINK.sub("", sentence)
