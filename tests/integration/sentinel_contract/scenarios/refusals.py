"""Starts that the gateway refuses, and those that one would expect it to refuse."""

from __future__ import annotations

import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from tests.integration.sentinel_contract.driver import Gateway
from tests.integration.sentinel_contract.place import SECRET, Place, token
from tests.integration.sentinel_contract.ports import free_port
from tests.integration.sentinel_contract.recording import NotReplayed, Seconds
from tests.integration.sentinel_contract.scenarios import scenario

STUBS = ["execute_workflow", "list_workflows", "read_query", "write_query"]
Start = Callable[[Place], Gateway]


def environment(**changes: str | None) -> Start:
    return lambda place: place.gateway([], dict(changes), initialize=False)


def signed(**changes: Any) -> Start:
    return lambda place: environment(SENTINEL_TOKEN=token(**changes))(place)


def tables(**changes: Any) -> Start:
    return lambda place: place.gateway([], initialize=False, **changes)


def backends(*entries: dict[str, Any]) -> Start:
    return lambda place: place.gateway(list(entries), initialize=False)


def text(document: str) -> Start:
    return lambda place: place.gateway([], initialize=False, document=document)


def arguments(*given: str) -> Start:
    return lambda place: place.gateway([], initialize=False, arguments=list(given))


def in_gateway_table(**changes: Any) -> Start:
    def start(place: Place) -> Gateway:
        table = {"listen": "127.0.0.1:9200", "health_listen": f"127.0.0.1:{free_port()}", **changes}
        return place.gateway([], initialize=False, gateway=table)

    return start


def from_sentinel_config(place: Place) -> Gateway:
    first = place.gateway([], initialize=False)
    first.kill()
    return place.gateway([], {"SENTINEL_CONFIG": str(first.file)}, initialize=False, arguments=[])


def on_database(name: str) -> Start:
    return lambda place: environment(DATABASE_URL=place.database.address(name))(place)


HTTP = {"name": "a", "type": "http", "url": "http://127.0.0.1:1/mcp"}
STDIO = {"name": "a", "type": "stdio", "command": "/no/such"}
STARTS: dict[str, Start] = {
    "config file missing": arguments("--config", "/nonexistent.toml"),
    "config from SENTINEL_CONFIG, no argument": from_sentinel_config,
    "config is a folder": arguments("--config", "/usr"),
    "database does not exist": on_database("nodb"),
    "database host unknown": environment(DATABASE_URL="postgres://u:p@no-such-host.invalid/x"),
    "database port closed": environment(DATABASE_URL="postgres://u:p@127.0.0.1:1/x"),
    "database url empty": environment(DATABASE_URL=""),
    "database url garbage": environment(DATABASE_URL="garbage"),
    "database url postgresql scheme": lambda place: environment(
        DATABASE_URL=place.url.replace("postgres:", "postgresql:")
    )(place),
    "database url unset": environment(DATABASE_URL=None),
    "good": environment(),
    "log level from LOG_LEVEL": environment(LOG_LEVEL="error"),
    "no argument, no file": arguments(),
    "secret and token unset": environment(JWT_SECRET_KEY=None, SENTINEL_TOKEN=None),
    "secret empty": environment(JWT_SECRET_KEY=""),
    "secret unset": environment(JWT_SECRET_KEY=None),
    "secret with newline at end": environment(JWT_SECRET_KEY=SECRET + "\n"),
    "token HS512": signed(algorithm="HS512"),
    "token alg none": signed(key=None, algorithm="none"),
    "token aud list": signed(aud=["sentinel-api"]),
    "token empty": environment(SENTINEL_TOKEN=""),
    "token expired 10 s": lambda place: signed(exp=int(time.time()) - 10)(place),
    "token expired 55 s": lambda place: signed(exp=int(time.time()) - 52)(place),
    "token expired 70 s": lambda place: signed(exp=int(time.time()) - 70)(place),
    "token garbage": environment(SENTINEL_TOKEN="garbage"),
    "token iat in future": lambda place: signed(iat=int(time.time()) + 3600)(place),
    "token nbf in future": lambda place: signed(nbf=int(time.time()) + 3600)(place),
    "token no exp": signed(exp=None),
    "token no iat": signed(iat=None),
    "token no role": signed(role=None),
    "token no sub": signed(sub=None),
    "token other key": signed(key="another-secret-of-the-contract-of-32-bytes"),
    "token role empty": signed(role=""),
    "token role unknown to rbac": signed(role="ghost"),
    "token unset": environment(SENTINEL_TOKEN=None),
    "token with newline at end": lambda place: environment(SENTINEL_TOKEN=token() + "\n")(place),
    "token wrong aud": signed(aud="other"),
    "token wrong iss": signed(iss="other"),
    "toml audit_enabled false": in_gateway_table(audit_enabled=False),
    "toml auth without jwt_secret_env": tables(auth={"jwt_issuer": "sentinel-gateway"}),
    "toml backend name empty": backends({**HTTP, "name": ""}),
    "toml backend type sse": backends({**HTTP, "type": "sse"}),
    "toml backend without name": backends({"type": "http", "url": "http://127.0.0.1:1/mcp"}),
    "toml default_rpm negative": tables(rate_limits={"default_rpm": -1}),
    "toml duplicate backend names": backends(HTTP, HTTP),
    "toml empty": text(""),
    "toml env value number": backends({**STDIO, "env": {"A": 1}}),
    "toml health_interval_secs 60.0": backends({**HTTP, "health_interval_secs": 60.0}),
    "toml health_listen hostname": in_gateway_table(health_listen=f"localhost:{free_port()}"),
    "toml health_listen malformed": in_gateway_table(health_listen="nonsense"),
    "toml http without url": backends({"name": "a", "type": "http"}),
    "toml issuer other": tables(auth={"jwt_secret_env": "JWT_SECRET_KEY", "jwt_issuer": "other"}),
    "toml listen wrong type": in_gateway_table(listen=9200),
    "toml log_level nonsense": in_gateway_table(log_level="nonsense"),
    "toml max_connections 0": tables(postgres={"url_env": "DATABASE_URL", "max_connections": 0}),
    "toml no auth": tables(auth=None),
    "toml no gateway": tables(gateway=None),
    "toml no postgres": tables(postgres=None),
    "toml no rbac": tables(rbac=None),
    "toml not TOML": text("this is not TOML"),
    "toml postgres without url_env": tables(postgres={"max_connections": 5}),
    "toml stdio without command": backends({"name": "a", "type": "stdio"}),
    "toml timeout_secs 30.0": backends({**HTTP, "timeout_secs": 30.0}),
    "toml timeout_secs fraction": backends({**HTTP, "timeout_secs": 2.5}),
    "toml unknown key in backend": backends({**HTTP, "timeout_seconds": 5}),
    "toml unknown key in gateway": in_gateway_table(own=1),
    "toml unknown top table": tables(own={"a": 1}),
    "unknown argument": arguments("--zzz"),
}


@scenario(25)
def refused_starts(place: Place) -> Any:
    place.gateway([])
    with ThreadPoolExecutor(3) as pool:
        outcomes = pool.map(outcome, STARTS, [place] * len(STARTS))
        return dict(zip(STARTS, outcomes, strict=True))


def outcome(name: str, place: Place) -> dict[str, Any]:
    began = time.monotonic()
    gateway = STARTS[name](place)
    gateway.initialize(20)
    if gateway.wait(0) != "RUNNING" or not gateway.lines:
        return refusal(gateway, gateway.wait(20), time.monotonic() - began)
    names = gateway.names()
    ready, health = gateway.get("/ready")[0], gateway.get("/health")[0]
    warnings = [line for line in gateway.log("WARN", "ERROR") if "::retry:" not in line]
    lines = gateway.log("INFO")
    code = gateway.end()
    gateway.kill()
    observed: dict[str, Any] = {
        "starts": True,
        "tools": "the four stub tools" if names == STUBS else names,
        "health": health,
        "ready": ready,
        "exit_after_stdin_end": code,
    }
    if name in ("config from SENTINEL_CONFIG, no argument", "toml health_listen hostname"):
        observed |= dict.fromkeys(
            ("health", "ready"), NotReplayed("the recording called a port that was not the file's")
        )
    if name == "log level from LOG_LEVEL":
        observed["info_lines"] = len(lines)
    return {**observed, "warnings": warnings} if warnings else observed


def refusal(gateway: Gateway, code: int | str, seconds: float) -> dict[str, Any]:
    said: Any = gateway.said()[:4]
    if any("panicked" in line for line in said):
        said = NotReplayed("the text of an abort names a file of a library and its version")
    backtrace = "stack backtrace" in gateway.stderr().lower()
    return {"starts": False, "exit": code, "seconds": Seconds(seconds, late=4), "said": said, "backtrace": backtrace}
