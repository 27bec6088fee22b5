"""Threat: a token of the predecessor's that is not Claude's, or Claude's own after its grace period.

Clients that were open before the cutover still have the predecessor's token and its names of the tools. One exact token
is recognized by its SHA-256 hash, until the time that the host wrote beside it.

Owns: `predecessor.json`, which the host replaces while the bridge runs, and the counts of the token's use.
Deliberately does not: verify the predecessor's signature: nothing else that its key has signed is accepted.
"""

from __future__ import annotations

import hashlib
import hmac
import json
import logging
import time
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

from .tokens import Caller, TokenRefused

FILE = "predecessor.json"
CALLER = Caller("predecessor", predecessor=True)
_OVER = "the predecessor's token is no longer accepted: run /mcp in Claude Code, or restart it, to connect again"
_UNUSABLE = "%s cannot be used (%s): no token of the predecessor's is accepted"
_SESSIONS, _CALLS = "sentinel_grace_sessions_total", "sentinel_grace_calls_total"
_LAST_USE, _END = "sentinel_grace_last_use_timestamp_seconds", "sentinel_grace_end_timestamp_seconds"

_log = logging.getLogger("bridge")


@dataclass(frozen=True)
class _Known:
    """`tokens`: the end of each one's grace period, in seconds since 1970, by its hash."""

    tokens: Mapping[str, float]
    names: frozenset[str]


_NOTHING = _Known({}, frozenset())


class Predecessor:
    """Without a folder, or without a whole file in it, nothing of the predecessor's is known."""

    def __init__(self, folder: Path | None) -> None:
        self._file = folder / FILE if folder is not None else None
        self._version: tuple[int, int] | None = None
        self._read = _NOTHING
        self._sessions = self._calls = 0
        self._last_use = 0.0

    @property
    def names(self) -> Collection[str]:
        """Its names of the tools."""
        return self._known().names

    def caller(self, token: str) -> Caller | None:
        """The caller behind the recorded token, None for any other; raises TokenRefused once its time is over."""
        digest = hashlib.sha256(token.encode(errors="surrogateescape")).hexdigest()
        # Every hash is compared, in constant time: the answer's time says nothing of them.
        ends = [end for recorded, end in self._known().tokens.items() if hmac.compare_digest(digest, recorded)]
        if not ends:
            return None
        if time.time() >= max(ends):
            raise TokenRefused(_OVER)
        self._last_use = time.time()
        return CALLER

    def count_session(self) -> None:
        self._sessions += 1

    def count_call(self) -> None:
        self._calls += 1

    def text(self) -> str:
        """Its metrics in Prometheus's text format 0.0.4."""
        end = max(self._known().tokens.values(), default=0.0)
        families = (
            (_SESSIONS, "counter", "Sessions that were opened with the predecessor's token", self._sessions),
            (_CALLS, "counter", "Tool calls in sessions with the predecessor's token", self._calls),
            (_LAST_USE, "gauge", "Time of the last request with the predecessor's token, 0 for none", self._last_use),
            (_END, "gauge", "Time until which the predecessor's token is accepted, 0 without one", end),
        )
        return "".join(
            f"# HELP {name} {about}\n# TYPE {name} {kind}\n{name} {value}\n" for name, kind, about, value in families
        )

    def _known(self) -> _Known:
        if self._file is None:
            return _NOTHING
        try:
            status = self._file.stat()
            version = (status.st_mtime_ns, status.st_ino)
            if version != self._version:
                self._version, self._read = version, _NOTHING
                self._read = _read(json.loads(self._file.read_bytes()))
        except FileNotFoundError:
            self._version, self._read = None, _NOTHING
        except OSError as error:
            self._version, self._read = None, _NOTHING
            _log.error(_UNUSABLE, self._file, error)
        except (ValueError, TypeError, KeyError) as error:
            _log.error(_UNUSABLE, self._file, error)
        return self._read


def _read(document: Any) -> _Known:
    tokens = {str(row["sha256"]): float(row["until"]) for row in cast("list[dict[str, Any]]", document["tokens"])}
    return _Known(tokens, frozenset(str(name) for name in document["names"]))
