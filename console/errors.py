"""The only error that a person may see: a sentence that says what, where, and how to fix it."""

from __future__ import annotations


class UserError(Exception):
    """One sentence for the operator; shown without a traceback, exit status 1."""
