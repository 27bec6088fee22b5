"""Grafana's database, as far as the product meets it: the admin's password and a use of the secret key.

Both are put in when the database is made. After that the password is that of the database, whatever the configuration
says, until `grafana cli admin reset-admin-password` sets it; and a database of another key ends Grafana's start, since
what provisioning has to read in it cannot be decrypted (its issues 49055, 12113 and 62737).

Owns: this file. Deliberately does not: be SQLite, or keep what the files provision anew at every start.
"""

from __future__ import annotations

import hashlib
import hmac
import json
import os
import secrets
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from lab.doubles.grafana.provisioning import Refused

_ROUNDS = 10_000
"""Grafana's own, of PBKDF2 over SHA-256."""


@dataclass(frozen=True)
class Database:
    """The file, made or found."""

    path: Path

    @classmethod
    def opened(cls, path: Path, password: str, key: str) -> Database:
        """Made with this password where there is none. Raises Refused when it is of another secret key."""
        found = cls(path)
        if not path.exists() or not path.stat().st_size:
            found._write({**_hashed(password), "key": _mark(key)})
        elif not hmac.compare_digest(found._read()["key"], _mark(key)):
            raise Refused("failed to decrypt stored secure setting: cipher: message authentication failed")
        return found

    def takes(self, password: str) -> bool:
        kept = self._read()
        return hmac.compare_digest(kept["hash"], _hash(password, kept["salt"]))

    def set_password(self, password: str) -> None:
        self._write({**self._read(), **_hashed(password)})

    def _read(self) -> dict[str, Any]:
        return json.loads(self.path.read_text(encoding="utf-8"))

    def _write(self, content: dict[str, Any]) -> None:
        new = self.path.with_suffix(".new")
        new.write_text(json.dumps(content), encoding="utf-8")
        os.replace(new, self.path)


def _hashed(password: str) -> dict[str, str]:
    salt = secrets.token_hex(5)
    return {"salt": salt, "hash": _hash(password, salt)}


def _hash(password: str, salt: str) -> str:
    return hashlib.pbkdf2_hmac("sha256", password.encode(), salt.encode(), _ROUNDS, 50).hex()


def _mark(key: str) -> str:
    return hmac.new(key.encode(), b"data key", hashlib.sha256).hexdigest()
