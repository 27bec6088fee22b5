"""The verbs of `hostctl`: the function of each, and its request out of the text on stdin.

Deliberately does not: run one, or report an error (`hostctl/__main__.py`).
"""

from __future__ import annotations

import importlib
from collections.abc import Callable
from typing import Any

from hostctl.core.documents import Document
from hostctl.core.requests import kind_of, read

VERBS: dict[tuple[str, str], str] = {
    ("files", "write"): "files.write",
    ("files", "remove"): "files.remove",
    ("host", "inspect"): "inspection.inspect",
    ("docker", "check"): "docker.limits.check",
    ("docker", "presence"): "docker.presence.presence",
    ("images", "ready"): "images.ready",
    ("images", "build"): "images.build.build",
    ("images", "build-context"): "images.build_context.build",
    ("networks", "join"): "docker.networks.join",
    ("networks", "leave"): "docker.networks.leave",
    ("claude", "record"): "claude_client.record",
    ("claude", "apply"): "claude_client.apply",
    ("claude", "restore"): "claude_client.restore",
    ("claude", "forget"): "claude_client.forget",
    ("claude", "show"): "claude_client.resolved_entry.show",
    ("claude", "probe"): "claude_client.entry_probe.probe",
    ("claude", "check"): "claude_client.check.check",
    ("claude", "sessions"): "claude_sessions.sessions",
    ("permissions", "add"): "claude_permissions.add",
    ("permissions", "remove"): "claude_permissions.remove",
    ("header", "install"): "claude_client.header.install",
    ("header", "remove"): "claude_client.header.remove",
    ("firewall", "find"): "firewall.interface.find",
    ("firewall", "forget"): "firewall.interface.forget",
    ("firewall", "apply"): "firewall.apply",
    ("firewall", "restore"): "firewall.restore",
    ("firewall", "remove"): "firewall.remove",
    ("firewall", "show"): "firewall.show",
    ("firewall", "probe"): "firewall.probe.probe",
    ("firewall", "repair"): "firewall.kept.repair",
    ("firewall", "guard"): "firewall.kept.guard",
    ("postgres", "check"): "postgres.version.check",
    ("postgres", "role"): "postgres.role.role",
    ("grafana", "password"): "grafana.admin_password.password",
    ("predecessor", "record"): "predecessor.record",
    ("predecessor", "check"): "predecessor.check",
    ("baseline", "keep"): "baseline.keep",
    ("baseline", "read"): "baseline.read",
    ("baseline", "forget"): "baseline.forget",
    ("grace", "prepare"): "grace.prepare",
    ("grace", "end"): "grace.end",
    ("grace", "show"): "grace.use.show",
    ("grace", "remove"): "grace.remove",
    ("gates", "inspect"): "gates.inspect",
    ("gates", "secrets"): "gates.secrets.secrets",
    ("gates", "migrations"): "gates.migrations",
    ("gates", "health"): "gates.health",
    ("gates", "metrics"): "gates.metrics",
    ("gates", "audit"): "gates.audit.audit",
    ("gates", "upstream"): "gates.upstream",
    ("expected", "keep"): "verification.expected.keep",
    ("expected", "forget"): "verification.expected.forget",
    ("verification", "inspect"): "verification.inspect",
    ("discord", "check"): "discord.check",
    ("discord", "post"): "discord.post",
    ("report", "inspect"): "report.inspect",
    ("grafana", "send"): "grafana.send",
    ("n8n", "apply"): "health_watch.apply",
    ("n8n", "remove"): "health_watch.remove",
    ("n8n", "send"): "health_watch.test_message.send",
    ("prometheus", "wait"): "prometheus.wait",
    ("nightly", "install"): "nightly.install",
    ("nightly", "remove"): "nightly.remove",
    ("nightly", "run"): "nightly.run",
    ("nightly", "show"): "nightly.show",
    ("backup", "take"): "nightly.backup.take",
    ("backup", "drill"): "nightly.restore_drill.run",
    ("backup", "restore"): "nightly.restore.restore",
    ("backup", "reopen"): "nightly.exchange.reopen",
    ("resources", "keep"): "resources.keep",
    ("resources", "write"): "resources.write",
    ("resources", "free"): "resources.free",
    ("resources", "forget"): "resources.forget",
    ("one-shot", "run"): "docker.one_shot.check",
    ("sentinel", "start"): "sentinel.start",
    ("sentinel", "stop"): "sentinel.stop",
    ("sentinel", "reload"): "sentinel.reload.reload",
    ("reboot-check", "arm"): "reboot_check.arm",
    ("reboot-check", "disarm"): "reboot_check.disarm",
    ("reboot-check", "mark"): "reboot_check.mark",
    ("reboot-check", "check"): "reboot_check.check",
    ("reboot-check", "show"): "reboot_check.show",
    ("token", "write"): "tokens.write",
    ("token", "renew"): "tokens.renewal.renew",
    ("token", "forget"): "tokens.forget",
    ("token", "remove"): "tokens.remove",
    ("token", "show"): "tokens.show",
    ("token", "life"): "tokens.life",
    ("rollback", "check"): "predecessor.rollback_check.check",
    ("rollback", "prove"): "predecessor.rollback_proof.prove",
    ("retire", "inspect"): "retire.inspect",
    ("retire", "dump"): "retire.dump",
    ("retire", "begin"): "retire.begin",
    ("retire", "part"): "retire.part",
    ("retire", "rejoin"): "retire.rejoin",
    ("retire", "remove"): "retire.remove",
    ("retire", "stale"): "retire.stale",
    ("orphans", "remove"): "docker.orphans.remove",
    ("unfinished", "show"): "host.repair.show",
    ("unfinished", "repair"): "host.repair.repair",
    ("unfinished", "drop"): "host.repair.drop",
    ("self", "install"): "host.self_install.install",
    ("stack", "claim"): "stack.claim",
    ("stack", "release"): "stack.release",
    ("stack", "show"): "stack.show",
    ("stack", "keep"): "stack.copies.keep",
    ("stack", "copy"): "stack.copies.copy",
    ("stack", "objects"): "stack.objects.objects",
    ("handover", "cutover"): "handover.cutover",
    ("handover", "rollback"): "handover.rollback",
    ("handover", "status"): "handover.status",
    ("handover", "stop-predecessor"): "handover.stop_predecessor",
    ("handover", "recover"): "handover.recover",
}
"""Module and function by verb and action. A run imports only its own: the archive holds sources, and compiling all of
them would take longer than most verbs do."""
DEPENDENT_DELETES = {
    ("claude", "restore"),
    ("claude", "forget"),
    ("expected", "forget"),
    ("files", "remove"),
    ("firewall", "forget"),
    ("firewall", "remove"),
    ("header", "remove"),
    ("n8n", "remove"),
    ("networks", "leave"),
    ("permissions", "remove"),
    ("nightly", "remove"),
    ("reboot-check", "disarm"),
    ("resources", "forget"),
    ("token", "forget"),
}
"""The engine deletes these before it hands the port back, so that none of them may fail the rollback."""
REPAIRED = DEPENDENT_DELETES | {("backup", "reopen")}
"""Verbs that are run again from their record."""
WITHOUT_DOCUMENT: dict[tuple[str, ...], str] = {
    ("handover", "points"): "handover.points",
    ("handover", "back"): "handover.back",
    ("handover", "back", "force"): "handover.back_by_force",
}


def function(name: str) -> Callable[..., dict[str, Any]]:
    """The function that "module.function" names, below this package."""
    module, _, verb = name.rpartition(".")
    return getattr(importlib.import_module(f"hostctl.{module}"), verb)


def request_of(verb: Callable[..., dict[str, Any]], text: str) -> Any:
    """The verb's request, read from JSON; raises Refusal."""
    return read(kind_of(verb), Document.parse(text))
