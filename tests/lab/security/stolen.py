"""The secrets that a thief would search for in the lab, where each is meant to be, and the search everywhere else.

Owns: the list of places. Image layers are left out: they are made of packages and known before any secret is.
"""

from __future__ import annotations

import json
import subprocess
from pathlib import Path
from urllib.parse import urlsplit

from components.monitoring import grafana, prometheus
from console.paths import ROOT, WORK
from lab.box import Place
from lab.real.contextforge import call
from settings import SECRET_KEYS
from tests.lab.cutover.conftest import Lab
from tests.lab.security import rotating
from tests.lab.security.secrets_at_large import Search

SENTINEL_USER, POSTGRES_USER = 10001, 999
_GRAFANA = ("/api/datasources", "/api/v1/provisioning/contact-points", "/api/v1/provisioning/policies",
            "/api/prometheus/grafana/api/v1/rules", "/api/alertmanager/grafana/api/v2/alerts")  # fmt: skip
_PROMETHEUS = ("/api/v1/status/config", "/api/v1/status/flags", "/api/v1/targets", "/metrics")


def known_secrets(lab: Lab) -> dict[str, str]:
    """Every secret of the configuration, the passphrase, and ContextForge's token, by name.

    A key that ContextForge has too is left out: it stands in its `.env` and its containers, as ContextForge wants it.
    """
    listed: dict[str, dict[str, str]] = json.loads(lab.pulumi("config", "--show-secrets", "--json"))
    named = {key.rpartition(":")[2]: entry.get("value", "") for key, entry in listed.items()}
    shared = (Path(lab.box.home) / "mcp-context-forge" / ".env").read_text()
    found = {key: named[key] for key in SECRET_KEYS if named.get(key) and named[key] not in shared}
    webhook = found.pop("discord_webhook", "")
    if webhook:
        found["discord_webhook"] = urlsplit(webhook).path.rpartition("/")[2]
    found["the state's passphrase"] = Path(lab.variables["PULUMI_CONFIG_PASSPHRASE_FILE"]).read_text().strip()
    found["ContextForge's token"] = (Path(lab.box.home) / ".mcp-token").read_text().strip()
    return found


def may_hold_in_environment(lab: Lab, pid: int, command: str) -> str:
    """The process that is meant to have a secret in its environment, as text; empty for every other.

    The language host gives the program its configuration that way, secrets decrypted, and has no other. The bridge
    gives the gateway's secrets to the gateway, its child, alone.
    """
    if "pulumi-language-python-exec" in command:
        return "the program, while the engine runs it"
    try:
        cgroup = Path(f"/proc/{pid}/cgroup").read_text()
    except OSError:
        return ""
    listed = lab.docker("ps", "--no-trunc", "--format", "{{.ID}} {{.Names}}").splitlines()
    gateways = [line.split()[0] for line in listed if line.split()[1].startswith("sentinel-gateway-")]
    inside = any(gateway in cgroup for gateway in gateways)
    return "the gateway and its backends, inside Sentinel's container" if inside and "bridge" not in command else ""


def meant_to_hold(lab: Lab) -> dict[str, tuple[int, int]]:
    """The files that hold a secret by design: path to the owner that each must have, and the mode found."""
    product, home = Path(lab.box.folder), Path(lab.box.home)
    owners: dict[Path, int] = {product / "handover-token": 0, home / ".mcp-token": home.stat().st_uid}
    owners |= {product / "claude" / name: 0 for name in ("record.json", "before.json")}
    owners |= dict.fromkeys(product.glob("claude/others/*/*.json"), 0)
    # A file with rules as it was, such as Claude's own with ContextForge's token in it.
    owners |= dict.fromkeys(product.glob("claude/permissions/*.before"), 0)
    # Claude itself reads it, to go on after a rollback.
    owners[product / "claude" / "authorizations"] = home.stat().st_uid
    # Grafana mounts it; the host's own message after a boot and the uptime check read the same file.
    owners |= dict.fromkeys(product.glob("discord-files-*/webhook"), grafana.USER)
    owners |= dict.fromkeys(product.glob("sentinel-files-*/*"), SENTINEL_USER)
    # The second stdio backend in the lab's configuration.
    owners |= dict.fromkeys(product.glob("sentinel-files-*/firecrawl.*"), SENTINEL_USER + 101)
    owners |= dict.fromkeys(product.glob("sentinel-postgres-files-*/*"), POSTGRES_USER)
    owners |= dict.fromkeys(product.glob("sentinel-prometheus-files-*/health_token"), prometheus.USER)
    owners |= dict.fromkeys(product.glob("sentinel-grafana-files-*/run-secrets-*"), grafana.USER)
    owners[Path(lab.variables["PULUMI_CONFIG_PASSPHRASE_FILE"])] = 0
    # The lab's Discord knows its own webhook, as Discord does.
    owners[Place().folder / "discord" / "webhook"] = 0
    assert len(owners) >= 8
    return {str(path): (owner, _mode_if_owned(path, owner)) for path, owner in owners.items()}


def search_everything(lab: Lab, search: Search) -> None:
    """Every place but the files that are meant to hold a secret."""
    folder = Path(lab.box.folder)
    tokens = {
        "Claude's token": (Path(lab.box.home) / ".mcp-token").read_text().strip(),
        "the handover's token": (folder / "handover-token").read_text().strip(),
    }
    search.add(tokens)
    place = Place()
    holders = [Path(path) for path in meant_to_hold(lab)]
    docker = place.docker_data
    search.files("state, its backups and its history", [place.folder / "state"])
    search.files("the stack's configuration", [ROOT / "Pulumi.lab.yaml", place.folder / "stack-rendered.yaml"])
    search.files("logs of the lab and of make", [place.logs, WORK / "log"])
    search.files("the product's folder", [folder], holders)
    search.files("the operator's home", [Path(lab.box.home)], holders)
    search.files("everything else of the lab's folder", [place.folder], [
        *holders, place.folder / "state", place.logs, folder, Path(lab.box.home), docker, place.folder / "pulumi-home",
    ])  # fmt: skip
    search.files("docker's records and logs of containers", [docker / "containers"])
    search.files("docker's volumes", [docker / "volumes"])
    search.files("the dashboards and rules of the repository", [ROOT / "dashboards"])
    _what_the_monitoring_answers(lab, search)
    search.text("stack outputs", lab.pulumi("stack", "output", "--json"))
    search.text("stack export", lab.pulumi("stack", "export"))
    for name in lab.docker("ps", "-a", "--format", "{{.Names}}").split():
        inspected = lab.inspect(name)
        search.text("docker inspect of every container", json.dumps(inspected))
        search.text("docker logs of every container", _logs(lab, name))
        search.files("what containers wrote beside volumes", [Path(inspected["GraphDriver"]["Data"]["UpperDir"])])


def _what_the_monitoring_answers(lab: Lab, search: Search) -> None:
    """Each answer of Grafana and of Prometheus in which a secret of theirs could stand."""
    password = rotating.secret(lab, "grafana_admin_password")
    boards = rotating.grafana(lab, "/api/search", password).body
    for path in [f"/api/dashboards/uid/{board['uid']}" for board in boards] + [*_GRAFANA]:
        answer = rotating.grafana(lab, path, password)
        assert answer.status == 200, (path, answer)
        search.text_at("what Grafana answers", f"Grafana's {path}", json.dumps(answer.body).encode())
    for path in _PROMETHEUS:
        answer = call(lab.box, "GET", path, port=9090)
        assert answer.status == 200, (path, answer)
        search.text_at("what Prometheus answers", f"Prometheus's {path}", json.dumps(answer.body).encode())


def _logs(lab: Lab, container: str) -> bytes:
    argv = ["docker", f"--host={lab.box.docker_host}", "logs", container]
    return subprocess.run(argv, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, check=True, timeout=60).stdout


def _mode_if_owned(path: Path, owner: int) -> int:
    found = path.stat()
    return found.st_mode & 0o7777 if found.st_uid == owner else -1
