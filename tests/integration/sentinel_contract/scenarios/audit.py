"""The audit log: its tables, rows that are lost, a database that goes away."""

from __future__ import annotations

import time
from typing import Any

from tests.integration.sentinel_contract.driver import Gateway, until
from tests.integration.sentinel_contract.place import Place
from tests.integration.sentinel_contract.recording import Lines, NotReplayed, Seconds, Within, recorded
from tests.integration.sentinel_contract.relay import Relay
from tests.integration.sentinel_contract.scenarios import scenario
from tests.integration.sentinel_contract.scenarios.endings import side_by_side, timed_end
from tests.integration.sentinel_contract.scenarios.refusals import refusal


def relayed(place: Place) -> tuple[Relay, dict[str, str | None]]:
    relay = Relay(place.database.port).open()
    place.stack.callback(relay.cut)
    return relay, {"DATABASE_URL": place.url.replace(f":{place.database.port}/", f":{relay.port}/")}


@scenario(30)
def database_lost(place: Place) -> Any:
    parts = {"away": _away, "full": _full, "silent": _silent_at_start, "stalled": _stalled, "queued": _queued}
    observed = side_by_side(place, parts)
    return {
        **observed["away"],
        **observed["full"],
        "database accepts and stays silent at start": observed["silent"],
        _recorded_name("no answer, connection open"): observed["stalled"],
        "stdin end with database away and 3 rows queued": observed["queued"],
    }


def _recorded_name(part: str) -> str:
    return next(name for name in recorded("database_lost") if part in name)


def _calls(gateway: Gateway, text: str, times: int) -> list[tuple[dict[str, Any], float]]:
    return [gateway.timed_call("echo", {"text": text}) for _ in range(times)]


def _away(place: Place) -> dict[str, Any]:
    relay, environment = relayed(place)
    gateway = place.gateway([place.child("a").backend], environment)
    _calls(gateway, "before", 5)
    place.rows("id", expected=5)
    relay.cut()
    cut = time.monotonic()
    away = _calls(gateway, "away", 10)
    health = [gateway.get(path)[0] for path in ("/health", "/ready")]
    time.sleep(max(0.0, cut + 11 - time.monotonic()))
    relay.open()
    _calls(gateway, "after", 5)
    rows = place.rows("request_args->'arguments'->>'text'", expected=18)
    lines = gateway.log("INFO", "ERROR")
    return {
        "10 calls while away: all answered, slowest s": [
            all("result" in answer for answer, _ in away),
            Seconds(max(seconds for _, seconds in away)),
        ],
        "connections to the database": NotReplayed("belongs to the published program's pool"),
        "errors logged": len([line for line in lines if "Failed to write audit log" in line]),
        "health, ready": health,
        "log after 11 s": Lines([line for line in lines if "sqlx" in line or "::audit::writer" in line]),
        "rows before/away/after of 5/10/5": [rows.count([text]) for text in ("before", "away", "after")],
    }


def _full(place: Place) -> dict[str, Any]:
    relay, environment = relayed(place)
    gateway = place.gateway([place.child("a").backend], environment)
    _calls(gateway, "before", 1)
    place.rows("id", expected=1)
    relay.cut()
    many = 1400
    sent = [gateway.post("tools/call", {"name": "echo"}) for _ in range(many)]
    until(lambda: len(gateway.lines) >= many + 2, 30)
    answered = len({line.message["id"] for line in gateway.lines} & set(sent))
    dropped = len([line for line in gateway.log("WARN") if "Audit channel full" in line])
    return {
        "1400 calls while away": {
            "answered": answered,
            # One row leaves the queue each five seconds.
            "dropped lines in log": Within(dropped, 3),
            "rss growth MB": NotReplayed("belongs to the published program's allocator"),
        },
        "then stdin end: ends within 20 s": gateway.end(20),
    }


def _silent_at_start(place: Place) -> dict[str, Any]:
    relay, environment = relayed(place)
    relay.stalled = True
    began = time.monotonic()
    gateway = place.gateway([], environment, initialize=False)
    observed = refusal(gateway, gateway.wait(20), time.monotonic() - began)
    relay.stalled = False
    return {name: observed[name] for name in ("exit", "said", "seconds")}


def _stalled(place: Place) -> dict[str, Any]:
    relay, environment = relayed(place)
    gateway = place.gateway([place.child("a").backend], environment)
    _calls(gateway, "before", 1)
    place.rows("id", expected=1)
    relay.stalled = True
    answer, seconds = gateway.timed_call("echo")
    code = gateway.end(15)
    relay.stalled = False
    return {"call answered": "result" in answer, "seconds": Seconds(seconds), "exit within 15 s of stdin end": code}


def _queued(place: Place) -> dict[str, Any]:
    relay, environment = relayed(place)
    gateway = place.gateway([place.http("h").backend()], environment)
    gateway.call("h")
    place.rows("id", expected=1)
    relay.cut()
    for _ in range(3):
        gateway.call("h")
    code, seconds = timed_end(gateway, 30)
    return {"exit": code, "seconds": seconds}


@scenario(6)
def database_schema(place: Place) -> Any:
    gateway = place.gateway([place.child("a").backend])
    ended: list[float] = []
    for _ in range(2):
        gateway.call("sleep", {"s": 0.5})
        ended.append(time.time())
    place.rows("id", expected=2)
    observed = _tables(place)
    moments = place.rows("extract(epoch from timestamp)::float8, created_at >= timestamp")
    observed["timestamps"] = [[abs(row[0] - end) < 0.4, row[1]] for row, end in zip(moments, ended, strict=True)]
    gateway.end()
    again = place.gateway([place.child("a").backend])
    observed["second start keeps rows"] = len(place.rows("id"))
    place.database.query(place.url, "ALTER TABLE audit_log RENAME TO audit_log_kept")
    answered = "result" in again.call("echo")
    until(lambda: again.log("ERROR"), 3)
    observed["table dropped while running"] = {"call": answered, "log": again.log("ERROR")}
    again.end()
    changes = {
        "other checksum": "UPDATE _sqlx_migrations SET checksum = '\\x00'::bytea",
        "unknown applied migration, first one missing, table there": "UPDATE _sqlx_migrations SET version = 99",
        "table exists, bookkeeping gone": "DROP TABLE _sqlx_migrations",
    }
    place.database.query(place.url, "ALTER TABLE audit_log_kept RENAME TO audit_log")
    for name, statement in changes.items():
        place.database.query(place.url, statement)
        observed[name] = _refused(place)
    observed["role without CREATE on schema public"] = _without_create(place)
    return observed


def _tables(place: Place) -> dict[str, Any]:
    def rows(statement: str) -> list[list[Any]]:
        return [list(row) for row in place.database.query(place.url, statement)]

    public = "schemaname = 'public'"
    return {
        "columns": rows(
            "SELECT column_name::text, data_type::text, is_nullable::text, column_default::text, is_identity::text"
            " FROM information_schema.columns WHERE table_name = 'audit_log' ORDER BY ordinal_position"
        ),
        "indexes": sorted(
            row[0] for row in rows(f"SELECT indexdef FROM pg_indexes WHERE {public} AND tablename = 'audit_log'")
        ),
        "migrations": rows("SELECT version, description, success, encode(checksum, 'hex') FROM _sqlx_migrations"),
        "sequences": [row[0] for row in rows("SELECT sequencename::text FROM pg_sequences")],
        "tables": sorted(row[0] for row in rows(f"SELECT tablename::text FROM pg_tables WHERE {public}")),
    }


def _refused(place: Place, url: str = "") -> dict[str, Any]:
    gateway = place.gateway([], {"DATABASE_URL": url or place.url}, initialize=False)
    observed = refusal(gateway, gateway.wait(20), 0)
    return {"exit": observed["exit"], "said": observed["said"][:1]}


def _without_create(place: Place) -> dict[str, Any]:
    url = place.new_url()
    role = f"reader_{url.rsplit('/', 1)[1]}"
    place.database.query(url, f"CREATE ROLE {role} LOGIN PASSWORD 'of-the-tests'")
    return _refused(place, url.replace("//sentinel:", f"//{role}:"))


@scenario(4)
def poison_rows(place: Place) -> Any:
    gateway = place.gateway([place.child("a").backend])
    gateway.call("echo", {"text": "one"})
    nul = gateway.call("echo", {"text": "a\0b"})
    gateway.call("echo", {"text": "two"})
    tool = gateway.call("x\0y")
    gateway.call("echo", {"text": "three"})
    written = [row[0] for row in place.rows("request_args->'arguments'->>'text'", expected=3)]
    code = gateway.end()
    log = gateway.log("ERROR")
    return {
        "after the end": len(place.rows("id")),
        "call of a tool with NUL in its name": tool,
        "call with NUL in an argument": "result" in nul,
        "errors": len(log),
        "exit": code,
        "log": log,
        "rows written": written,
    }


@scenario()
def two_subjects_and_gateways(place: Place) -> Any:
    child = place.child("a")
    started = [place.gateway([child.backend], initialize=False) for _ in range(3)]
    for gateway in started:
        gateway.initialize()
    serve = ["result" in gateway.call("echo") for gateway in started]
    return {"all three started at once serve": serve, "rows": len(place.rows("id", expected=3))}
