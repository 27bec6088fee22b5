"""The report's claims, each with its verdict: proven by evidence only, and without evidence not checked."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from hostctl.core.documents import rows, table
from ops.engine import claude_sessions
from ops.report import nightly, tables
from ops.report.tables import Table, amount
from ops.report.window import Window

Verdict = Literal["proven", "disproved", "not checked", ""]
Facts = Mapping[str, Any]
KEPT = {"standby": "in standby: it runs, ready to serve", "stopped": "stopped, in order"}
SLACK_MS = 150
"""Tolerance of the independent attempts beyond the handover's own figure: two pauses, and one failed attempt."""


@dataclass(frozen=True)
class Part:
    """One claim with its evidence; a verdict of "" is for a part that only informs."""

    name: str
    title: str
    verdict: Verdict
    sentence: str
    facts: tuple[tuple[str, str], ...] = ()
    tables: tuple[Table, ...] = ()
    window: Window | None = None


@dataclass(frozen=True)
class Report:
    """The whole report. `number` is the update's in the stack's history, 0 where the history does not know it."""

    stack: str
    number: int
    at: str
    made_at: str
    title: str
    parts: tuple[Part, ...]
    figures: tuple[tuple[str, str], ...] = ()
    """Amount and unit of the most important facts."""

    @classmethod
    def of(cls, facts: Facts) -> Report:
        last = facts["seen"]["last"]
        title = "Rollback to ContextForge" if _is_rollback(facts) else "Cutover to Sentinel"
        parts = tuple(claim(facts) for claim in CLAIMS)
        return cls(
            facts["stack"], int(facts["update"]["number"]), last["at"], facts["made_at"], title, parts, _figures(facts)
        )

    def by_verdict(self) -> dict[str, list[str]]:
        """The titles of the claims under proven, disproved and not checked."""
        return {
            verdict: [part.title for part in self.parts if part.verdict == verdict]
            for verdict in ("proven", "disproved", "not checked")
        }

    @property
    def failed(self) -> int:
        return len(self.by_verdict()["disproved"])

    @property
    def headline(self) -> str:
        """Such as `8 of 10 claims proven, 2 not checked`."""
        counts = {verdict: len(titles) for verdict, titles in self.by_verdict().items()}
        others = [f"{counts[verdict]} {verdict}" for verdict in ("disproved", "not checked") if counts[verdict]]
        return ", ".join([f"{counts['proven']} of {sum(counts.values())} claims proven", *others])


def _figures(facts: Facts) -> tuple[tuple[str, str], ...]:
    backends: Sequence[Facts] = facts["verification"]["backends"]
    good = sum(row["result"] == "ok" for row in backends)
    return (
        (amount(facts["seen"]["last"]["downtime_ms"]), "downtime"),
        (f"{good} of {len(backends)}", "backends answer"),
        (facts["status"]["predecessor"], "the predecessor"),
    )


def _port(facts: Facts) -> Part:
    last, update, status = facts["seen"]["last"], facts["update"], facts["status"]
    stays = status["active"] == last["active"] and not status["unfinished"]
    now = "has it now" if stays else f"no longer has it: {status['active']} does"
    by, around = table(last.get("by")), table(update.get("around"))
    who = " by ssh from ".join(str(by[key]) for key in ("user", "from") if by.get(key))
    details = (
        ("who", who or "not recorded"),
        ("when", tables.moment(last["at"])),
        ("update", f"{update['number']} of stack {facts['stack']}, {update.get('result', 'still running')}"
         if update["number"] else "not in the stack's history"),
        ("took", tables.duration(update.get("at", ""), update.get("ended", "")) or "not recorded"),
        ("forced", "FORCE=1: past failing gates" if last.get("force") else ""),
        ("predecessor", "" if _is_rollback(facts) else KEPT.get(last["keep"], "")),
        ("program", tables.program(around) or "not recorded"),
    )  # fmt: skip
    sentence = f"{last['from'] or 'Nobody'} released it, {last['to'] or 'nobody'} took it, and {now}."
    verdict: Verdict = "proven" if stays else "disproved"
    return Part("port", "The right gateway has the port, and it alone", verdict, sentence, details)


def _downtime(facts: Facts) -> Part:
    window = Window.of(facts["seen"]["last"])
    title = f"The downtime was {amount(window.downtime)}"
    phases = (("of which", ", ".join(f"{name} {amount(ms)}" for name, ms in window.phases)),)
    silence = window.silence
    if silence is None:
        sentence = "This is the handover's own figure: no independent attempts were recorded, so nothing confirms it."
        return Part("downtime", title, "not checked", sentence, phases)
    longest = silence[1] - silence[0]
    confirmed = longest <= window.downtime + max(SLACK_MS, window.downtime // 4)
    sentence = (
        "The handover measured it from the release of the port to the first good answer. The longest silence since "
        f"then that {len(window.attempts)} independent attempts saw, from one answer to the next, is {amount(longest)}."
    )
    if not window.whole:
        sentence += " An earlier run was killed; the picture shows the one that finished the handover."
    counts = ", ".join(f"{count} {word}" for word, count in window.counts().items())
    verdict: Verdict = "proven" if confirmed else "disproved"
    return Part("downtime", title, verdict, sentence, (*phases, ("attempts", counts)), window=window)


def _is_rollback(facts: Facts) -> bool:
    return facts["seen"]["last"]["active"] != "sentinel"


def _backends(facts: Facts) -> Part:
    verified, before = facts["verification"], facts["baseline"]
    backends: Sequence[Facts] = verified["backends"]
    good = [row for row in backends if row["result"] == "ok"]
    allowed = [row for row in backends if row["result"] != "ok" and "why_allowed" in row]
    ok = len(good) + len(allowed) == len(backends)
    sentence = (
        f"{len(good)} of {len(backends)} answer one harmless call through Claude's entry, made {verified['made']}"
    )
    sentence += "".join(f"; {row['name']} does not ({row['why_allowed']})" for row in allowed)
    sentence += "; " + _compared(verified["compared"]) if before else ", and there is no baseline to compare with"
    return Part(
        "backends", "Every backend answers as before", "proven" if ok and verified["compared"]["ok"] else "disproved",
        f"{sentence}.", (("verified at", tables.moment(verified["at"])),), (tables.backends(backends, before),),
    )  # fmt: skip


def _compared(compared: Facts) -> str:
    if "missing" not in compared:
        return str(compared.get("detail", "not compared"))
    if not compared["missing"]:
        return f"no tool of the baseline is missing ({len(compared['renamed'])} under Sentinel's own names)"
    return "tools are missing: " + ", ".join(
        f"{name}: {', '.join(tools)}" for name, tools in compared["missing"].items()
    )


def _claude(facts: Facts) -> Part:
    claude, tokens = facts["verification"]["claude"], facts["verification"]["tokens"]
    ok = claude["ok"] and tokens["ok"]
    refused = [str(token) for token in rows(tokens.get("refused"))]
    entry = f"Claude's entry {claude.get('entry', '')} ({claude.get('transport', '')}) opens the gateway."
    sentence = entry if claude["ok"] else f"Claude's entry does not open the gateway: {claude.get('detail', '')}."
    if refused:
        sentence += f" Refused, as they must be: {' and '.join(f'{token} token' for token in refused)}."
    elif tokens.get("detail"):
        sentence += f" Other tokens: {tokens['detail']}."
    details = (
        (
            "entry lost",
            f"put back {tables.moment(facts['entry']['restored_at'])}" if facts["entry"]["restored_at"] else "",
        ),
    )
    title = "Claude's token is accepted, others are refused"
    return Part("claude", title, "proven" if ok else "disproved", sentence, details)


def _sessions(facts: Facts) -> Part:
    sessions, title = facts["sessions"], "Open Claude Code sessions go on"
    if sessions is None:
        return Part("sessions", title, "not checked", "The host could not list Claude's processes.")
    sentence = claude_sessions.summary(sessions)
    return Part("sessions", title, "", f"Now {sentence}.", tables=(tables.sessions(sessions),) if sessions else ())


def _gates(facts: Facts) -> Part:
    title, answer = "It was tested before the port was touched", facts["gates"]
    if _is_rollback(facts):
        return Part("gates", title, "not checked", "A rollback has no gates: none may hold it up.")
    if not answer or not answer.get("gates"):
        reason = table(answer).get("reason") or "no gate was run"
        return Part("gates", title, "not checked", f"The stack keeps no result of the gates: {reason}.")
    sentence = f"{len(answer['gates'])} gates, each before anything that serves was changed."
    verdict: Verdict = "proven" if answer["ok"] else "disproved"
    return Part("gates", title, verdict, sentence, tables=(tables.gates(answer["gates"]),))


def _running(facts: Facts) -> Part:
    declared = facts["verification"]["as_declared"]
    containers = (tables.containers(facts["seen"]["containers"]),)
    title, host = "Everything runs as declared", facts["seen"]["host"]
    versions = (
        ("host", f"{host['name']}, {host['system']}, kernel {host['kernel']}"),
        ("docker", host["docker"]),
        ("plugins", ", ".join(f"{name} {version}" for name, version in facts["plugins"].items())),
    )
    if not declared.get("containers"):
        why = "ContextForge is not declared here" if _is_rollback(facts) else "The host keeps no declaration"
        return Part("running", title, "not checked", f"{why}, so nothing is compared.", versions, containers)
    sentence = f"Compared with docker inspect: {', '.join(declared['containers'])}."
    sentence += "".join(f" {difference}." for difference in declared["differences"])
    return Part("running", title, "proven" if declared["ok"] else "disproved", sentence, versions, containers)


def _loopback(facts: Facts) -> Part:
    title, bindings = "Only loopback listens", facts["verification"]["bindings"]
    bad = [*bindings.get("listening", []), *bindings.get("reachable", [])]
    sentence = (
        f"The host's own list of sockets, and {bindings.get('tried', 0)} connections tried to its other addresses"
    )
    sentence += f": open are {', '.join(bad)}." if bad else ": none succeeded."
    return Part("loopback", title, "proven" if bindings["ok"] else "disproved", sentence)


def _firewall(facts: Facts) -> Part:
    title, firewall = "The firewall guards the ports", facts["firewall"]
    if "reason" in firewall:
        return Part("firewall", title, "not checked", f"It was not checked: {firewall['reason']}.")
    show, probe = firewall["show"], firewall["probe"]
    for answer in (show, probe):
        if "error" in answer:
            return Part("firewall", title, "not checked", f"It could not be checked: {answer['error']}")
    count = sum(len(rules) for rules in show["rules"].values())
    sentence = (
        f"{count} rules of ours stand first on {', '.join(show['interfaces'])} for IPv4 and IPv6"
        if not show["missing"] else f"{len(show['missing'])} rules are missing: {'; '.join(show['missing'])}"
    )  # fmt: skip
    lost, entry = show["boot"]["problem"], show["boot"]["entry"]
    sentence += f", not after a boot: {lost}. " if lost else f", and {entry or 'the script'} restores them at boot. "
    opened = [f"{connection['address']} port {connection['port']}" for connection in probe["open"]]
    sentence += f"From a container, open: {', '.join(opened)}." if opened else probe["shows"]
    details = (
        ("ports", ", ".join(str(port) for port in show["ports"])),
        ("script", f"{show['script']['path']}, {_at_boot(show['script']['at_boot'])}"),
        ("tried", ", ".join(probe["addresses"]) or "no address"),
        ("does not show", probe["does_not_show"]),
    )
    return Part("firewall", title, "proven" if show["ok"] and probe["ok"] else "disproved", sentence, details)


def _at_boot(place: str) -> str:
    return f"which {place} runs" if place else "which nothing was found to run at boot"


def _rollback(facts: Facts) -> Part:
    title, check, predecessor = "The rollback stands", facts["rollback"], facts["status"]["predecessor"]
    if "reason" in check:
        return Part("rollback", title, "not checked", f"There is none: {check['reason']}.")
    if "error" in check:
        return Part("rollback", title, "disproved", str(check["error"]))
    if check["proof"]["ok"] is False:
        return Part("rollback", title, "disproved", str(check["proof"]["reason"]))
    names = ", ".join(str(name) for name in check["predecessor"])
    sentence = f"Containers, images, networks and volumes are there ({names}); its gateway is {predecessor}."
    if check["proof"]["ok"]:
        sentence += f" In standby it passed its gates now: {', '.join(check['proof']['gates'])}."
    return Part("rollback", title, "proven", sentence, (("command", f"make rollback STACK={facts['stack']}"),))


def _backup(facts: Facts) -> Part:
    return Part("backup", "A backup is kept and was read back", *nightly.finding(facts, "backup", "backup"))


def _restore(facts: Facts) -> Part:
    return Part("restore", "A restore drill succeeded", *nightly.finding(facts, "restore_drill", "restore drill"))


def _history(facts: Facts) -> Part:
    sentence = "Every run of the engine on this stack, and the handovers whose journal the host still has."
    history = (tables.handovers(facts["seen"]["handovers"]), tables.updates(facts["history"]))
    return Part("history", "Earlier updates and handovers", "", sentence, tables=history)


CLAIMS: tuple[Callable[[Facts], Part], ...] = (
    _port, _downtime, _backends, _claude, _sessions, _gates, _running, _loopback, _firewall, _rollback, _backup,
    _restore, _history,
)  # fmt: skip
