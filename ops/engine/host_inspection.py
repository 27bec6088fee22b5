"""The inspection of a stack's host before a run: what `make doctor` shows, and what stops a run before it begins."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, cast

from console.errors import UserError
from ops.engine import host
from settings import Settings, ports_of

LIMIT_SECONDS = 60
Findings = Sequence[Mapping[str, str]]


def findings(stack: str, settings: Settings) -> Findings:
    """Every finding of `hostctl host inspect`; raises UserError where the host gives none."""
    answer = host.run(stack, settings, "host", "inspect", request(settings), limit_seconds=LIMIT_SECONDS)
    return cast("Findings", answer["findings"])


def require_able(stack: str, settings: Settings) -> None:
    """Raise UserError with every problem of the host that would stop the run halfway, and its fix."""
    problems = [one for one in findings(stack, settings) if one["verdict"] == "problem"]
    if problems:
        rows = [f"  {one['part']}: {sentence(one)}" for one in problems]
        raise UserError("\n".join([f"Nothing was changed: the host of stack {stack} is not ready.", *rows]))


def sentence(finding: Mapping[str, str]) -> str:
    """The finding with its fix, where it has one."""
    return f"{finding['found']}: {finding['fix']}" if finding["fix"] else finding["found"]


def request(settings: Settings) -> Mapping[str, Any]:
    """The document of `host inspect`."""
    scripts = {"firewall.script": settings.firewall.script if settings.firewall.enabled else None}
    scripts["nightly.script"] = settings.nightly.script if settings.nightly.enabled else None
    jobs = [
        settings.nightly.enabled and not settings.nightly.script,
        settings.reboot.enabled,
        settings.resources.enabled,
    ]
    watch = settings.health_watch
    return {
        "folder": settings.host.folder,
        "backups": settings.nightly.folder if settings.nightly.enabled else "",
        "gateway": settings.predecessor.gateway_name,
        "ports": [{"key": key, "port": port} for key, port in ports_of(settings).items()],
        "networks": list(settings.networks.also),
        "scripts": [{"key": key, "path": path} for key, path in scripts.items() if path],
        "claude_file": settings.client.file,
        "escalation": settings.firewall.escalation if settings.firewall.enabled else "",
        "scheduler": settings.host.scheduler if any(jobs) else "",
        "cron_folder": settings.host.cron_folder,
        "n8n": watch.url if watch.enabled else "",
    }
