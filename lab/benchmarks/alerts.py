"""From a fault to its message in Discord, and from its end to the message that it is over: every alert, on the lab.

        a sidecar hangs       -> Backend unhealthy                  it goes on
        its tool is called    -> Calls fail, Calls are slow         many calls that succeed
        the database hangs    -> Audit rows lost                    it goes on, and the window passes
        the gateway hangs     -> Gateway down                       it goes on

A full disk is apart (`disk_alert.py`): its rule waits for ten minutes.

Everything between is the deployed stack's own: the gateway's health checks, Prometheus, Grafana's rules and policy, the
double of Discord. Its times are the settings of the stack, which `lab/stack.yaml` makes shorter than the defaults.

Owns: breaking and fixing, one after the other, the times, and how long each may take by the settings.
Deliberately does not: leave anything broken, whatever happens in between.
"""

from __future__ import annotations

import json
import math
import subprocess
import sys
import time
from collections.abc import Callable, Generator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

from console.errors import UserError
from dashboards import queries
from dashboards.alerting.rules import SLOW_CALLS, alerts
from lab.benchmarks.watched import gateway_tokens
from lab.box import Box, Place
from lab.box.network import inside
from lab.doubles.discord import running as discord
from lab.real.contextforge.http_call import Answer, call
from settings import Settings
from settings.names import GRAFANA_ADMIN

BACKEND, SIDECAR, TOOL = "sqlite", "mcp-sqlite", "list_tables"
DATABASE = "sentinel-postgres"
HARMLESS = "sequentialthinking"
THOUGHT: dict[str, object] = {"thought": "x", "thoughtNumber": 1, "totalThoughts": 1, "nextThoughtNeeded": False}
GOOD_CALLS = math.ceil(1.5 / SLOW_CALLS)
"""They bring the one slow call below the hundredth that alerts, and below the share of failed ones with it. The gateway
takes one call at a time: a second one that hangs would only wait for the first."""
POLL_SECONDS = 0.2
QUIET_SECONDS = 60.0
SLACK_SECONDS = 15.0
"""Of a machine that does other work, for a whole chain of programs."""

RULES = "/api/prometheus/grafana/api/v1/rules"
PROBE_SECONDS = 5.0
"""The bridge's limit for a backend's answer to a check (`bridge/backend_health.py`)."""
ROW_SECONDS = 5.0
"""For which the gateway tries to write a row of its audit log."""
RECOVERY_SECONDS = 5.0
"""Until a gateway or a tool that went on has answered some calls."""

_INSIDE = Path(__file__).with_name("calls_inside.py")
Taken = dict[str, dict[str, float]]


@dataclass(frozen=True)
class Bounds:
    """Seconds from the fault: a message before `earliest` came too soon, one after `fired` too late; and from the end
    of the fault to the message that it is over."""

    earliest: float
    fired: float
    resolved: float


def bounds(settings: Settings, title: str) -> Bounds:
    """The times that the settings allow: the fault shows in the metrics, is scraped, is held for as many evaluations as
    `for` takes, and is gathered for the policy's wait."""
    chosen = settings.alerts
    hold = next(alert.seconds for alert in alerts(chosen) if alert.title == title)
    checked = settings.sentinel.backend_check_seconds + PROBE_SECONDS
    shows = {
        # A backend that is at a call may answer nothing else: it is judged once the call has ended.
        "Backend unhealthy": _call_seconds(settings) + checked,
        "Calls fail": _call_seconds(settings),
        "Calls are slow": _call_seconds(settings),
        "Audit rows lost": ROW_SECONDS,
        "Gateway down": min(10, settings.prometheus.scrape_seconds),
        "Disk nearly full": 0,
    }[title]
    ends = {"Backend unhealthy": checked, "Audit rows lost": 60 * chosen.error_minutes}
    judged = settings.prometheus.scrape_seconds + chosen.evaluate_seconds
    held = math.ceil(hold / chosen.evaluate_seconds) * chosen.evaluate_seconds
    first = hold if hold else shows
    fired = shows + judged + held + chosen.wait_seconds + SLACK_SECONDS
    over = ends.get(title, RECOVERY_SECONDS) + judged + chosen.news_seconds + SLACK_SECONDS
    return Bounds(first, fired, over)


def _call_seconds(settings: Settings) -> float:
    """Seconds for which the gateway lets a call of the hanging backend wait."""
    return next(float(one.timeout_seconds) for one in settings.backends if one.name == BACKEND)


@dataclass(frozen=True)
class Watch:
    """The lab, and what arrives in its Discord. Moments are in seconds since 1970."""

    box: Box
    settings: Settings
    say: Callable[[str], None]

    def message(self, title: str, status: str, after: float, limit: float) -> float:
        """Seconds from `after` to the first message of this alert and status; raises UserError without one."""
        expected = f"{status}: {title}"
        deadline = time.time() + limit + SLACK_SECONDS
        while True:
            found = [one["at"] for one in discord.messages(Place()) if one["at"] > after and _title(one) == expected]
            if found:
                self.say(f"{expected} after {found[0] - after:.1f} s")
                return round(found[0] - after, 1)
            if time.time() > deadline:
                raise UserError(f"Discord got no message {expected!r} within {limit + SLACK_SECONDS:.0f} s.")
            time.sleep(POLL_SECONDS)

    def calls(self, tool: str, arguments: dict[str, object], count: int) -> dict[str, int]:
        """So many calls, one after the other: how many were answered well, and how many not."""
        token = gateway_tokens(self.box)[-1]
        request = {
            "port": self.settings.sentinel.port,
            "token": token,
            "tool": tool,
            "arguments": arguments,
            "clients": 1,
            "count": count,
            "interval_seconds": 0,
        }
        done = subprocess.run(
            inside(self.box.vps, [sys.executable, "-I", "-S", str(_INSIDE)]),
            input=json.dumps(request) + "\n",
            capture_output=True,
            text=True,
            timeout=120,
        )
        if done.returncode:
            raise UserError(f"The calls through the port broke off: {''.join(done.stderr.strip().splitlines()[-1:])}")
        return json.loads(done.stdout.splitlines()[-1])

    def docker(self, *argv: str) -> None:
        subprocess.run(["docker", f"--host={self.box.docker_host}", *argv], check=True, capture_output=True, text=True)

    @contextmanager
    def undone(self, argv: tuple[str, ...], undo: tuple[str, ...]) -> Generator[Callable[[], float]]:
        """The fault; gives a function that ends it and returns the moment. It is ended in any case."""
        ended: list[float] = []

        def end() -> float:
            if not ended:
                ended.append(time.time())
                self.docker(*undo)
            return ended[0]

        self.docker(*argv)
        try:
            yield end
        finally:
            end()

    def quiet(self) -> None:
        """Until no rule of Grafana is pending or fires, else the fault would be no news; and until few calls are in the
        window of the shares, else the one that hangs would be a small one."""
        limit = QUIET_SECONDS + 60 * self.settings.alerts.error_minutes
        deadline = time.time() + limit
        few = 1 / (2 * self.settings.alerts.error_share)
        while busy := [*self.busy(), *([f"{count:.0f} calls"] if (count := self.called()) > few else [])]:
            if time.time() > deadline:
                raise UserError(
                    f"For {limit:.0f} s before anything was broken there was no quiet moment: {', '.join(busy)}."
                )
            time.sleep(POLL_SECONDS)

    def called(self) -> float:
        """Calls within the window of the shares that alert, by Prometheus."""
        grown = queries.grown(queries.REQUESTS, queries.window(60 * self.settings.alerts.error_minutes))
        request = urlencode({"query": queries.zero_when_absent(f"sum {grown}")})
        answer = call(self.box, "GET", f"/api/v1/query?{request}", port=self.settings.prometheus.port)
        return float(answer.body["data"]["result"][0]["value"][1])

    def busy(self) -> list[str]:
        groups = ask_grafana(self.box, self.settings, RULES).body["data"]["groups"]
        return [rule["name"] for group in groups for rule in group["rules"] if rule["state"] != "inactive"]


def ask_grafana(box: Box, settings: Settings, path: str) -> Answer:
    """A GET of Grafana's public HTTP API, on its loopback port, as its admin."""
    password = settings.grafana_admin_password
    assert password is not None
    basic = f"{GRAFANA_ADMIN}:{password.get_secret_value()}"
    return call(box, "GET", path, basic=basic, port=settings.grafana.port)


def sidecar_hangs(watch: Watch) -> Taken:
    """One fault, three alerts: one by the health check, two by the callers."""
    titles = ("Backend unhealthy", "Calls fail", "Calls are slow")
    within = {title: bounds(watch.settings, title) for title in titles}
    began = time.time()
    with watch.undone(("pause", SIDECAR), ("unpause", SIDECAR)) as fix:
        if not watch.calls(TOOL, {}, 1)["bad"]:
            raise UserError(f"{SIDECAR} was paused, and the call of its tool was answered well.")
        fired = {title: watch.message(title, "FIRING", began, within[title].fired) for title in titles}
        fixed = fix()
        watch.calls(HARMLESS, THOUGHT, GOOD_CALLS)
        resolved = {title: watch.message(title, "RESOLVED", fixed, within[title].resolved) for title in titles}
    return {title: figures(within[title], fired[title], resolved[title]) for title in titles}


def database_hangs(watch: Watch) -> Taken:
    """One call, which is answered, and whose row is not written."""
    title = "Audit rows lost"
    within = bounds(watch.settings, title)
    began = time.time()
    with watch.undone(("pause", DATABASE), ("unpause", DATABASE)) as fix:
        if watch.calls(HARMLESS, THOUGHT, 1)["bad"]:
            raise UserError(f"{DATABASE} was paused, and a call failed.")
        fired = watch.message(title, "FIRING", began, within.fired)
        resolved = watch.message(title, "RESOLVED", fix(), within.resolved)
    return {title: figures(within, fired, resolved)}


def gateway_hangs(watch: Watch) -> Taken:
    """Paused, as a gateway that hangs is: connections are taken, nothing is answered."""
    title = "Gateway down"
    within, container = bounds(watch.settings, title), _serving(watch.box)
    began = time.time()
    with watch.undone(("pause", container), ("unpause", container)) as fix:
        fired = watch.message(title, "FIRING", began, within.fired)
        resolved = watch.message(title, "RESOLVED", fix(), within.resolved)
    return {title: figures(within, fired, resolved)}


Fault = Callable[[Watch], Taken]
FAULTS: tuple[Fault, ...] = (sidecar_hangs, database_hangs, gateway_hangs)


def take(box: Box, settings: Settings, say: Callable[[str], None], faults: Sequence[Fault] = FAULTS) -> Taken:
    """{title: {"earliest_s", "fired_s", "fired_within_s", "resolved_s", "resolved_within_s"}} of the alerts of these
    faults.

    Sentinel must hold the port. Raises UserError when a message does not come.
    """
    watch = Watch(box, settings, say)
    watch.quiet()
    return {title: found for fault in faults for title, found in fault(watch).items()}


def figures(within: Bounds, fired: float, resolved: float) -> dict[str, float]:
    return {
        "earliest_s": within.earliest,
        "fired_s": fired,
        "fired_within_s": within.fired,
        "resolved_s": resolved,
        "resolved_within_s": within.resolved,
    }


def _serving(box: Box) -> str:
    argv = ["docker", f"--host={box.docker_host}", "ps", "--format={{.Names}}", "--filter", "name=^sentinel-gateway"]
    names = subprocess.run(argv, check=True, capture_output=True, text=True).stdout.split()
    if len(names) != 1:
        raise UserError(f"One Sentinel must run to be paused, and {len(names)} do: make up STACK=lab.")
    return names[0]


def _title(message: dict[str, Any]) -> str:
    embeds: list[dict[str, Any]] = message.get("embeds") or [{}]
    return str(embeds[0].get("title") or "")
