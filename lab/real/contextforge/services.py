"""The predecessor's services as data: the source both of the operator's compose files and of the containers.

    127.0.0.1:9200 -> gateway :4444 --+-- postgres :5432
                                      +-- redis    :6379
                                      +-- sqlite      http://sqlite:8000/mcp
                                      +-- n8n-mcp     http://n8n-mcp:8000/mcp               -> n8n's API, outside
                                      +-- mcp-servers http://mcp-servers:8000/servers/…/mcp -> upstream APIs, outside

Owns: names, environment, health checks, the backends that ContextForge knows.
Deliberately does not: hold a secret; `${NAME}` stands for a line of the operator's `.env`.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from lab.doubles.upstreams import hosts

PROJECT = "mcp-context-forge"
NETWORK = f"{PROJECT}_mcpnet"
PORT = 9200
"""On the VPS's loopback; what changes hands at the cutover."""
DATABASE = "/data/operator.db"
SLIM = "docker-compose.slim.yml"
BASE = "docker-compose.yml"


@dataclass(frozen=True)
class Health:
    """Docker's health check; seconds. Docker makes the first one only after `interval`, and each costs a process."""

    test: tuple[str, ...]
    interval: int = 3
    timeout: int = 5
    retries: int = 5
    start_period: int = 30


@dataclass(frozen=True)
class Mount:
    """A named volume, without the project's name before it, and where the container sees it."""

    volume: str
    path: str

    @property
    def name(self) -> str:
        """The volume's name in Docker."""
        return f"{PROJECT}_{self.volume}"


@dataclass(frozen=True, eq=False)
class Service:
    """One service of the compose project. `image` is a name of `lab.images`."""

    name: str
    image: str
    health: Health
    container: str = ""
    """Set where compose does not name it by its own rule."""
    file: str = BASE
    environment: Mapping[str, str] = field(default_factory=dict[str, str])
    slim_environment: Mapping[str, str] = field(default_factory=dict[str, str])
    command: tuple[str, ...] = ()
    port: int | None = None
    """Port in the container that is published on the VPS's loopback as `PORT`."""
    mount: Mount | None = None
    after: tuple[str, ...] = ()
    project: str = PROJECT
    published: int | None = None
    """Loopback port of the VPS on which port 8000 is published too."""

    @property
    def container_name(self) -> str:
        return self.container or f"{PROJECT}-{self.name}-1"

    def labels(self, tag: str) -> dict[str, str]:
        """Compose's own labels, of which `hostctl` reads the project, the service and the dependencies."""
        definition = json.dumps([self.base(tag), self.slim(tag)], sort_keys=True)
        return {
            "com.docker.compose.project": self.project,
            "com.docker.compose.service": self.name,
            "com.docker.compose.container-number": "1",
            "com.docker.compose.oneoff": "False",
            "com.docker.compose.depends_on": ",".join(f"{name}:service_healthy:false" for name in self.after),
            "com.docker.compose.config-hash": hashlib.sha256(definition.encode()).hexdigest(),
        }

    def base(self, tag: str) -> dict[str, object]:
        """Its part of `docker-compose.yml`; empty when it is the slim file's alone."""
        return self._definition(tag) if self.file == BASE else {}

    def slim(self, tag: str) -> dict[str, object]:
        """Its part of `docker-compose.slim.yml`."""
        if self.file == SLIM:
            return self._definition(tag)
        return {"environment": dict(self.slim_environment)} if self.slim_environment else {}

    def _definition(self, tag: str) -> dict[str, object]:
        definition: dict[str, object] = {"image": tag}
        if self.container:
            definition["container_name"] = self.container
        definition["restart"] = "unless-stopped"
        if self.command:
            definition["command"] = list(self.command)
        if self.environment:
            definition["environment"] = dict(self.environment)
        if self.port is not None:
            definition["ports"] = [f"127.0.0.1:{PORT}:{self.port}"]
        if self.mount is not None:
            definition["volumes"] = [f"{self.mount.volume}:{self.mount.path}"]
        definition["networks"] = ["mcpnet"]
        if self.after:
            definition["depends_on"] = {name: {"condition": "service_healthy"} for name in self.after}
        definition["healthcheck"] = {
            "test": list(self.health.test),
            "interval": f"{self.health.interval}s",
            "timeout": f"{self.health.timeout}s",
            "retries": self.health.retries,
            "start_period": f"{self.health.start_period}s",
        }
        return definition


_MCP_PROXY = ("--host", "0.0.0.0", "--port", "8000", "--pass-environment")
"""stdio servers over HTTP at port 8000: each runs once, for all sessions."""

_SIDECAR_HEALTH = Health(("CMD", "curl", "-fsS", "http://127.0.0.1:8000/status"), interval=5)

POSTGRES = Service(
    "postgres",
    "postgres",
    Health(("CMD-SHELL", "pg_isready -h 127.0.0.1 -U $$POSTGRES_USER -d $$POSTGRES_DB")),
    environment={
        "POSTGRES_USER": "${POSTGRES_USER}",
        "POSTGRES_PASSWORD": "${POSTGRES_PASSWORD}",
        "POSTGRES_DB": "${POSTGRES_DB}",
        # With any other encoding ContextForge crashes at its start.
        "POSTGRES_INITDB_ARGS": "-E UTF8",
    },
    mount=Mount("pgdata", "/var/lib/postgresql/data"),
)
REDIS = Service("redis", "redis", Health(("CMD", "redis-cli", "ping")))
GATEWAY = Service(
    "gateway",
    "contextforge",
    Health(("CMD", "curl", "-fsS", "http://127.0.0.1:4444/health"), start_period=120),
    environment={
        "HOST": "0.0.0.0",
        "PORT": "4444",
        "DATABASE_URL": "postgresql+psycopg://${POSTGRES_USER}:${POSTGRES_PASSWORD}@postgres:5432/${POSTGRES_DB}",
        "CACHE_TYPE": "redis",
        "REDIS_URL": "redis://redis:6379/0",
        "AUTH_REQUIRED": "true",
        "JWT_SECRET_KEY": "${JWT_SECRET_KEY}",
        "JWT_ISSUER": "${JWT_ISSUER}",
        "JWT_AUDIENCE": "${JWT_AUDIENCE}",
        "AUTH_ENCRYPTION_SECRET": "${AUTH_ENCRYPTION_SECRET}",
        "PLATFORM_ADMIN_EMAIL": "${PLATFORM_ADMIN_EMAIL}",
        "PLATFORM_ADMIN_PASSWORD": "${PLATFORM_ADMIN_PASSWORD}",
        "DEFAULT_USER_PASSWORD": "${DEFAULT_USER_PASSWORD}",
        "BASIC_AUTH_USER": "${BASIC_AUTH_USER}",
        "BASIC_AUTH_PASSWORD": "${BASIC_AUTH_PASSWORD}",
        "SSRF_ALLOW_LOCALHOST": "true",
        # The backends are its neighbours on a private network.
        "SSRF_ALLOW_PRIVATE_NETWORKS": "true",
    },
    slim_environment={
        "MCPGATEWAY_UI_ENABLED": "false",
        "MCPGATEWAY_ADMIN_API_ENABLED": "true",
        "PLUGINS_ENABLED": "false",
        # The independent watch calls every 10 ms; five refusals would lock its user out for 15 minutes.
        "RATE_LIMITING_ENABLED": "false",
        "LOG_LEVEL": "WARNING",
        "GUNICORN_WORKERS": "2",
    },
    port=4444,
    after=("postgres", "redis"),
)
SQLITE = Service(
    "sqlite",
    "backends",
    _SIDECAR_HEALTH,
    container="mcp-sqlite",
    file=SLIM,
    command=(*_MCP_PROXY, "--", "mcp-server-sqlite", "--db-path", DATABASE),
    mount=Mount("sqlite", "/data"),
)
N8N = Service(
    "n8n-mcp",
    "n8n-mcp",
    # Any answer will do: the server has no page of its own for its health.
    Health(("CMD", "curl", "-sS", "-o", "/dev/null", "http://127.0.0.1:8000/mcp"), interval=5),
    container="n8n-mcp",
    file=SLIM,
    environment={"N8N_API_URL": f"http://{hosts.N8N.host}/api/v1", "N8N_API_KEY": "${N8N_API_KEY}"},
)
_BROWSER = "--headless --isolated --no-sandbox --executable-path /usr/bin/chromium-headless-shell"
SHARED = {
    "context7": "context7-mcp",
    "firecrawl": "firecrawl-mcp",
    "exa": "exa-mcp-server",
    "playwright": f"playwright-mcp {_BROWSER}",
    "sequential-thinking": "mcp-server-sequential-thinking",
}
"""The stdio servers that share one sidecar, by backend."""
SERVERS = Service(
    "mcp-servers",
    "backends",
    _SIDECAR_HEALTH,
    container="mcp-servers",
    file=SLIM,
    environment={
        "CONTEXT7_API_URL": f"http://{hosts.CONTEXT7.host}/api",
        "FIRECRAWL_API_URL": f"http://{hosts.FIRECRAWL.host}",
        "FIRECRAWL_API_KEY": "${FIRECRAWL_API_KEY}",
    },
    command=(
        *_MCP_PROXY,
        *(part for name, program in SHARED.items() for part in ("--named-server", name, program)),
    ),
)

SIDECARS = (SQLITE, N8N, SERVERS)
SIDECARS_ELSEWHERE = (
    replace(SQLITE, project="mcp-sidecars", published=3002),
    replace(N8N, project="mcp-sidecars", published=3001),
    SERVERS,
)
"""The same on the hardened profile, where two are of another compose project."""
SERVICES = (POSTGRES, REDIS, *SIDECARS, GATEWAY)
"""Those that others depend on first."""
BACKENDS = {
    "n8n": "http://n8n-mcp:8000/mcp",
    "sqlite": "http://sqlite:8000/mcp",
    **{name: f"http://{SERVERS.name}:8000/servers/{name}/mcp" for name in SHARED},
}
"""Name and address under which ContextForge knows each backend; its tools are called NAME-TOOL there."""
