"""The one error that reaches the operator.

Owns: `Refusal`. Deliberately does not: carry tracebacks or secrets.
"""

from __future__ import annotations


class Refusal(Exception):
    """One sentence for the operator: what went wrong, where, and how to fix it."""
