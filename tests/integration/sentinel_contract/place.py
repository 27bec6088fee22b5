"""A scenario's place: its folder, its database, its backends, and gateways over them; all of it ends with the scenario.

The gateway under test is `GATEWAY_UNDER_TEST`, the path of an executable; without it, the lab's double.
"""

from __future__ import annotations

import contextlib
import json
import os
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import jwt
import tomli_w

from tests.integration.bridge.postgres import Database
from tests.integration.sentinel_contract import driver
from tests.integration.sentinel_contract.driver import Gateway
from tests.integration.sentinel_contract.http_fake import HttpFake
from tests.integration.sentinel_contract.ports import free_port

SECRET = "a-secret-of-the-contract-that-is-long-enough-for-every-algorithm-of-hmac"
ROOT = Path(__file__).parents[3]
MANY_A_MINUTE = 1_000_000


def gateway_under_test(folder: Path) -> Path:
    """The executable to test; for the double a launcher that is written into `folder`."""
    if given := os.environ.get("GATEWAY_UNDER_TEST"):
        return Path(given).resolve()
    launcher = folder / "sentinel-gateway"
    launcher.write_text(f'#!/bin/sh\nPYTHONPATH={ROOT} exec {sys.executable} -m lab.doubles.sentinel "$@"\n')
    launcher.chmod(0o755)
    return launcher


def token(key: str = SECRET, algorithm: str = "HS256", **changes: Any) -> str:
    """A good token, but for the changes; a claim given as None is left out."""
    now = int(time.time())
    claims = {"sub": "tester", "role": "admin", "iss": "sentinel-gateway", "aud": "sentinel-api"}
    claims = {**claims, "iat": now, "exp": now + 3600, **changes}
    return jwt.encode({name: value for name, value in claims.items() if value is not None}, key, algorithm=algorithm)


@dataclass
class Child:
    """A stdio backend: its table in the gateway's file, and the diary that its processes write."""

    backend: dict[str, Any]
    diary: Path

    def events(self, *kinds: str) -> list[dict[str, Any]]:
        lines = self.diary.read_text().splitlines() if self.diary.exists() else []
        events = [json.loads(line) for line in lines]
        return [event for event in events if not kinds or event["event"] in kinds]

    def received(self, method: str = "") -> list[dict[str, Any]]:
        messages = [event["message"] for event in self.events("in")]
        return [message for message in messages if not method or message.get("method") == method]

    def methods(self) -> list[str]:
        return [message.get("method", "an answer") for message in self.received()]

    def pids(self) -> list[int]:
        return [event["pid"] for event in self.events("start")]


@dataclass
class Place:
    """Everything that one scenario starts."""

    folder: Path
    executable: Path
    database: Database
    new_url: Callable[[], str]
    stack: contextlib.ExitStack = field(default_factory=contextlib.ExitStack)
    _url: str = ""

    def __enter__(self) -> Place:
        self.folder.mkdir(parents=True)
        return self

    def __exit__(self, *_: object) -> None:
        self.stack.close()

    @property
    def url(self) -> str:
        self._url = self._url or self.new_url()
        return self._url

    def rows(self, columns: str, expected: int = 0, limit_seconds: float = 10) -> list[list[Any]]:
        """The audit rows in their order, once `expected` are there."""
        statement = f"SELECT {columns} FROM audit_log ORDER BY id"
        if expected:
            count = "SELECT count(*) FROM audit_log"
            driver.until(lambda: self.database.query(self.url, count)[0][0] >= expected, limit_seconds)
        return [list(row) for row in self.database.query(self.url, statement)]

    def child(self, name: str, environment: dict[str, str] | None = None, /, **options: Any) -> Child:
        """A stdio backend of stdio_fake.py; members of a backend's table by their name, the rest are its options."""
        of_the_table = ("timeout_secs", "max_restarts", "restart_on_exit", "circuit_breaker_threshold")
        of_the_table = (*of_the_table, "circuit_breaker_recovery_secs", "health_interval_secs")
        table = {key: options.pop(key) for key in of_the_table if key in options}
        diary, script = self.folder / f"diary-{name}", self.folder / f"server-{name}"
        options["diary"] = str(diary)
        script.write_text(
            f"#!{sys.executable} -IS\nimport sys\nsys.path.insert(0, {str(Path(__file__).parent)!r})\n"
            f"from stdio_fake import main\nmain({options!r})\n"
        )
        script.chmod(0o755)
        backend = {"name": name, "type": "stdio", "command": str(script), **table}
        return Child({**backend, "env": environment} if environment else backend, diary)

    def http(self, name: str, way: str = "json", **more: Any) -> HttpFake:
        fake = HttpFake(name, way, **more).start()
        self.stack.callback(fake.stop)
        return fake

    def document(self, backends: list[dict[str, Any]], **tables: Any) -> dict[str, Any]:
        """The gateway's file; a table given as None is left out."""
        document: dict[str, Any] = {
            "gateway": {"listen": "127.0.0.1:9200", "health_listen": f"127.0.0.1:{free_port()}"},
            "auth": {"jwt_secret_env": "JWT_SECRET_KEY"},
            "postgres": {"url_env": "DATABASE_URL"},
            "rate_limits": {"default_rpm": MANY_A_MINUTE},
            "rbac": {"roles": {"admin": {"permissions": ["*"]}}},
            **tables,
            "backends": backends,
        }
        return {name: table for name, table in document.items() if table is not None}

    def environment(self, **changes: str | None) -> dict[str, str]:
        """The gateway's whole environment; a variable given as None is left out."""
        made = {
            "PATH": os.environ["PATH"],
            "NO_COLOR": "1",
            "JWT_SECRET_KEY": SECRET,
            "SENTINEL_TOKEN": token(),
            **changes,
        }
        if "DATABASE_URL" not in made:
            made["DATABASE_URL"] = self.url
        return {name: value for name, value in made.items() if value is not None}

    def gateway(
        self,
        backends: list[dict[str, Any]],
        environment: dict[str, str | None] | None = None,
        *,
        document: dict[str, Any] | str | None = None,
        arguments: list[str] | None = None,
        initialize: bool = True,
        audit: bool = True,
        reader_apart: bool = False,
        through: tuple[str, ...] = (),
        **tables: Any,
    ) -> Gateway:
        """A started gateway, after its handshake; without `audit` it has no database.

        `through` is a command that starts the gateway; `reader_apart` lets the reader of its stdout go away.
        """
        changes: dict[str, str | None] = {**({} if audit else {"DATABASE_URL": None}), **(environment or {})}
        made = self.document(backends, **tables) if document is None else document
        file = self.folder / f"gateway-{time.monotonic_ns()}.toml"
        file.write_text(made if isinstance(made, str) else tomli_w.dumps(made))
        listen = made.get("gateway", {}).get("health_listen", ":1") if isinstance(made, dict) else ":1"
        port = int(listen.rsplit(":", 1)[-1]) if listen.rsplit(":", 1)[-1].isdigit() else 1
        command = [*through, str(self.executable), *(["--config", str(file)] if arguments is None else arguments)]
        started = driver.start(command, self.folder, self.environment(**changes), file, port, reader_apart)
        self.stack.callback(started.kill)
        if initialize:
            started.initialize()
        return started
