"""`python3 hostctl.pyz VERB ACTION`: JSON in on stdin, JSON out on stdout, an error in one sentence on stderr.

Owns: the table of verbs, exit codes (0 done, 1 not done, 2 no such verb).
Deliberately does not: read data from arguments.
"""

from __future__ import annotations

import importlib
import json
import sys
from collections.abc import Callable
from typing import Any

from hostctl.documents import Document
from hostctl.errors import Refusal

VERBS: dict[tuple[str, str], str] = {
    ("files", "write"): "files.write",
    ("files", "remove"): "files.remove",
    ("docker", "look"): "docker_look.look",
    ("images", "ready"): "images.ready",
    ("images", "build"): "image_build.build",
    ("images", "build-context"): "image_context.build",
    ("networks", "join"): "networks.join",
    ("networks", "leave"): "networks.leave",
    ("claude", "record"): "claude.record",
    ("claude", "keep"): "claude.keep",
    ("claude", "apply"): "claude.apply",
    ("claude", "restore"): "claude.restore",
    ("claude", "forget"): "claude.forget",
    ("claude", "show"): "claude_show.show",
    ("firewall", "find"): "firewall_interface.find",
    ("firewall", "forget"): "firewall_interface.forget",
    ("firewall", "apply"): "firewall.apply",
    ("firewall", "remove"): "firewall.remove",
    ("firewall", "show"): "firewall.show",
    ("firewall", "probe"): "firewall_probe.probe",
    ("postgres", "password"): "postgres.password",
    ("grafana", "password"): "grafana_password.password",
    ("predecessor", "record"): "predecessor.record",
    ("predecessor", "check"): "predecessor.check",
    ("baseline", "keep"): "baseline.keep",
    ("baseline", "read"): "baseline.read",
    ("baseline", "forget"): "baseline.forget",
    ("gates", "look"): "gates.look",
    ("gates", "migrations"): "gates.migrations",
    ("gates", "health"): "gates.health",
    ("gates", "metrics"): "gates.metrics",
    ("gates", "upstream"): "gates.upstream",
    ("asked", "keep"): "asked.keep",
    ("asked", "forget"): "asked.forget",
    ("verification", "look"): "verification.look",
    ("discord", "look"): "discord.look",
    ("discord", "post"): "discord.post",
    ("evidence", "look"): "evidence.look",
    ("grafana", "send"): "grafana.send",
    ("n8n", "apply"): "n8n.apply",
    ("n8n", "remove"): "n8n.remove",
    ("n8n", "send"): "n8n_message.send",
    ("prometheus", "wait"): "prometheus.wait",
    ("night", "install"): "night.install",
    ("night", "remove"): "night.remove",
    ("night", "run"): "night.run",
    ("night", "show"): "night.show",
    ("backup", "take"): "backup.take",
    ("backup", "test"): "restore_test.test",
    ("backup", "restore"): "restore.restore",
    ("resources", "keep"): "resources.keep",
    ("resources", "write"): "resources.write",
    ("resources", "forget"): "resources.forget",
    ("trial", "run"): "trial.run",
    ("warm", "start"): "warm.start",
    ("warm", "stop"): "warm.stop",
    ("warm", "reload"): "reload.reload",
    ("reboot", "arm"): "reboot.arm",
    ("reboot", "disarm"): "reboot.disarm",
    ("reboot", "mark"): "reboot.mark",
    ("reboot", "check"): "reboot.check",
    ("reboot", "show"): "reboot.show",
    ("token", "write"): "token.write",
    ("token", "renew"): "token_renewal.renew",
    ("token", "forget"): "token.forget",
    ("token", "remove"): "token.remove",
    ("token", "show"): "token.show",
    ("token", "life"): "token.life",
    ("way-back", "check"): "way_back.check",
    ("retire", "look"): "retire.look",
    ("retire", "dump"): "retire.dump",
    ("retire", "begin"): "retire.begin",
    ("retire", "part"): "retire.part",
    ("retire", "rejoin"): "retire.rejoin",
    ("retire", "remove"): "retire.remove",
    ("retire", "stale"): "retire.stale",
    ("leftovers", "remove"): "leftovers.remove",
    ("itself", "keep"): "itself.keep",
    ("handover", "take"): "handover.take",
    ("handover", "give"): "handover.give",
    ("handover", "status"): "handover.status",
    ("handover", "rest"): "handover.rest",
}
"""Module and function by verb and action. A run imports the one that it does: the archive holds sources, and to compile
all of them would take longer than most verbs do."""
WITHOUT_DOCUMENT: dict[tuple[str, ...], str] = {
    ("handover", "points"): "handover.points",
}


def main(arguments: list[str]) -> int:
    """Run one verb; the exit code."""
    if arguments == ["--version"]:
        print(_version())
        return 0
    words = tuple(arguments)
    if words in WITHOUT_DOCUMENT:
        print(json.dumps(function(WITHOUT_DOCUMENT[words])()))
        return 0
    if len(words) != 2 or words not in VERBS:
        known = ", ".join(" ".join(pair) for pair in [*VERBS, *WITHOUT_DOCUMENT])
        print(f"hostctl: no such verb: give one of {known}, or --version", file=sys.stderr)
        return 2
    try:
        answer = function(VERBS[words])(Document.parse(sys.stdin.buffer.read().decode("utf-8", "replace")))
    except Refusal as refusal:
        print(f"hostctl {' '.join(words)}: {_with_link(str(refusal), words)}", file=sys.stderr)
        return 1
    except OSError as error:
        where = f" at {error.filename}" if error.filename else ""
        print(f"hostctl {' '.join(words)}: {_with_link(f'{error.strerror or error}{where}', words)}", file=sys.stderr)
        return 1
    except Exception as error:
        last = error.__traceback__
        while last is not None and last.tb_next is not None:
            last = last.tb_next
        place = "" if last is None else f" in {last.tb_frame.f_code.co_name}, line {last.tb_lineno}"
        print(f"hostctl {' '.join(words)}: internal error ({type(error).__name__}{place}): report it", file=sys.stderr)
        return 1
    print(json.dumps(answer))
    return 0


def function(name: str) -> Callable[..., dict[str, Any]]:
    """Of "module.function", below this package."""
    module, _, word = name.rpartition(".")
    return getattr(importlib.import_module(f"hostctl.{module}"), word)


def _with_link(sentence: str, words: tuple[str, ...]) -> str:
    """The sentence with the heading of the runbook that says what to do; a log's lines may follow it."""
    first, *rest = sentence.split("\n")
    return "\n".join([f"{first} (docs/runbook.md#hostctl-{'-'.join(words)})", *rest])


def _version() -> str:
    try:
        return importlib.import_module("hostctl.build_id").CONTENT_HASH
    except ImportError:
        return "source"


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
