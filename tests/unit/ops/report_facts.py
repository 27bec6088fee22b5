"""Evidence of one cutover as `ops.report.evidence` gathers it, for tests of what is made of it."""

from __future__ import annotations

from copy import deepcopy
from typing import Any

NAMES = ("n8n", "sqlite", "context7", "firecrawl", "exa", "playwright", "sequential-thinking")
TOOLS = ("list_workflows", "list_tables", "resolve-library-id", "firecrawl_map", "web_search_exa", "browser_navigate",
         "sequentialthinking")  # fmt: skip
REASON = "optional: no key for Exa yet"
FORGE = "mcp-context-forge-gateway-1"
SENTINEL = "sentinel-gateway-1a2b3c4"
DIGEST = "sha256:" + "0123456789abcdef" * 4


def attempts() -> list[list[Any]]:
    """Three answers, then nobody for 150 ms, then three answers."""
    answered = [[at, at + 3, "answered"] for at in (-66, -43, -20)]
    vain = [[2, 52, "silent"], [72, 73, "refused"], [93, 94, "refused"], [114, 146, "closed"]]
    return [*answered, *vain, *([at, at + 4, "answered"] for at in (167, 191, 215))]


def facts() -> dict[str, Any]:
    """A good cutover: nothing is disproved, and nobody has made a backup."""
    last = {
        "changed": True, "reason": "", "active": "sentinel", "from": FORGE, "to": SENTINEL, "keep": "standby",
        "at": "2026-11-27T01:02:03.456Z", "downtime_ms": 152,
        "parts": {"release_ms": 96, "connect_ms": 51, "answer_ms": 5},
        "by": {"user": "operator", "from": "203.0.113.1"}, "attempts": attempts(),
    }  # fmt: skip
    rows = [
        {"name": n, "tool": t, "result": "ok", "ms": 12 * at}
        for at, (n, t) in enumerate(zip(NAMES, TOOLS, strict=True), 1)
    ]
    rows[4] |= {"result": "auth", "why_allowed": REASON, "detail": "HTTP 401"}
    before = [{"name": n, "tool": t, "result": "ok", "kind": "text"} for n, t in zip(NAMES, TOOLS, strict=True)]
    before[4]["result"] = "auth"
    handover = {"verb": "cutover", "at": "2026-11-27T01:02:03.300Z", "from": FORGE, "to": SENTINEL, "downtime_ms": 152,
                "keep": "standby", "outcome": "done"}  # fmt: skip
    container = {"name": SENTINEL, "state": "running", "image": "sentinel:2.1", "image_id": DIGEST, "digest": DIGEST}
    forge = {"name": FORGE, "state": "running", "image": "contextforge:1.0", "image_id": DIGEST, "digest": ""}
    return {
        "stack": "prod",
        "made_at": "2026-11-27T01:05:00+00:00",
        "active": "sentinel",
        "kind": "ssh",
        "seen": {
            "at": "2026-11-27T01:05:00.000Z",
            "by": {"user": "operator", "from": "203.0.113.1"},
            "host": {"name": "vps", "system": "Debian GNU/Linux 12", "kernel": "6.1.0", "docker": "29.7.2",
                     "python": "3.11.2"},
            "containers": [container, forge],
            "last": last,
            "handovers": [handover],
            "backup": None,
            "restore_drill": None,
        },
        "status": {"active": "sentinel", "predecessor": "standby", "unfinished": None},
        "entry": {"ok": True, "reason": "", "restored_at": "", "others": [], "unread": []},
        "sessions": [
            {"pid": 4711, "since": "2026-11-27T00:40:00Z", "folder": "/home/operator/notes", "file": "",
             "began_on": "contextforge", "goes_on": True, "reason": ""},
        ],
        "update": {"number": 7, "at": "2026-11-27T01:01:00Z", "ended": "2026-11-27T01:02:40Z", "kind": "update",
                   "result": "succeeded", "image": "sentinel:2.1",
                   "around": {"git.head": "0123456789abcdef", "git.author": "Operator", "git.dirty": "false"}},
        "history": [
            {"number": number, "at": f"2026-11-27T01:0{number - 6}:00Z", "kind": "update", "result": "succeeded",
             "active": active, "image": "sentinel:2.1",
             "changes": {"settings": ["active: contextforge -> sentinel"], "resources": {"create": 5}}}
            for number, active in ((7, "sentinel"), (6, "contextforge"))
        ],
        "baseline": {"entry": "contextforge", "transport": "http", "tools": [], "backends": before},
        "gates": {"ok": True, "reason": "", "gates": [
            {"name": "standby", "result": "passed", "ms": 2100, "detail": "healthy after 2000 ms"},
            {"name": "token", "result": "passed", "ms": 40, "detail": "accepted, and a wrong one is refused"}]},
        "verification": {
            "ok": True, "active": "sentinel", "made": "by the cutover", "at": "2026-11-27T01:02:30+00:00",
            "backends": rows,
            "claude": {"ok": True, "entry": "sentinel", "transport": "http"},
            "tokens": {"ok": True, "refused": ["wrong", "the predecessor's"]},
            "compared": {"ok": True, "missing": {}, "new": [], "renamed": {"a": "b"}},
            "bindings": {"ok": True, "listening": [], "reachable": [], "tried": 8},
            "as_declared": {"ok": True, "containers": [SENTINEL, "sentinel-postgres"], "differences": []},
        },
        "firewall": {
            "show": {"ok": True, "interfaces": ["eth0"], "ports": [9200, 9201], "missing": [], "unreached": [],
                     "rules": {"iptables": ["a", "b"], "ip6tables": ["a", "b"]},
                     "script": {"path": "/home/operator/fix-iptables.sh", "block": True, "at_boot": "/etc/crontab"},
                     "boot": {"problem": "", "entry": ""}},
            "probe": {"ok": True, "addresses": ["203.0.113.10"], "untried": ["2001:db8::10"], "ports": [9200, 9201],
                      "open": [], "shows": "No guarded port answers.", "does_not_show": "What a router lets through."},
        },
        "rollback": {"images": [], "predecessor": [FORGE], "proof": {"ok": True, "reason": "", "gates": ["health"]}},
        "plugins": {"command": "1.2.1", "docker": "5.2.0"},
        "nightly": True,
    }  # fmt: skip


def with_(**paths: Any) -> dict[str, Any]:
    """The same with other values at paths such as `seen__backup`."""
    found = deepcopy(facts())
    for path, value in paths.items():
        *way, last = path.split("__")
        at = found
        for word in way:
            at = at[word]
        at[last] = value
    return found
