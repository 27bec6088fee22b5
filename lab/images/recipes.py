"""The recipes of the lab's images, and for each whether what runs in it is real or a double.

Owns: package lists, entry points and users. The operator's real images are named in `Pulumi.prod.yaml`; these serve the
same contracts from Debian's packages, where the real ones cannot be pulled.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from lab.box.place import REPOSITORY as ROOT
from lab.images.layers import Debian, File, Files, Layer, Node, Python, Sources

HERE = Path(__file__).resolve().parent
SENTINEL_USER = 10001
POSTGRES_USER = 999
GRAFANA_USER = 472

PROGRAMS = Debian(
    ("ca-certificates", "chromium-headless-shell", "curl", "nodejs", "python3"),
    # 230 MB of drivers for graphics hardware, which the headless browser does not use, and of npm's own installer.
    leave_out=(
        "/usr/lib/x86_64-linux-gnu/libLLVM*",
        "/usr/lib/x86_64-linux-gnu/libgallium*",
        "/usr/lib/x86_64-linux-gnu/libz3*",
        "/usr/lib/chromium/libVkLayer*",
        "/usr/share/nodejs/corepack/*",
    ),
)
"""One for every image that runs Python or Node, though not each needs all of it: it is made and loaded once."""
DATABASES = Debian(
    ("postgresql-17", "redis-server"),
    # Compiling queries is 200 MB of LLVM that no query here is large enough for; without it Postgres does not try.
    leave_out=(
        "/usr/lib/x86_64-linux-gnu/libLLVM*",
        "/usr/lib/llvm-*",
        "/usr/lib/postgresql/17/lib/llvmjit*",
        "/usr/lib/postgresql/17/lib/bitcode/*",
    ),
)
POOLER = Debian(("pgbouncer",))
MONITORING = Debian(("ca-certificates", "curl", "prometheus"))
SERVERS = Node("/opt/servers", ROOT / "bridge" / "servers")


@dataclass(frozen=True)
class Image:
    """One image: its layers from the bottom, and its configuration as Docker names it."""

    name: str
    version: str
    layers: tuple[Layer, ...]
    config: Mapping[str, object] = field(hash=False)

    @property
    def tag(self) -> str:
        """`lab/NAME:VERSION-HASH`; the hash is that of the whole recipe, so a changed recipe is another image."""
        recipe = json.dumps([[layer.key for layer in self.layers], self.config], sort_keys=True)
        return f"lab/{self.name}:{self.version}-{hashlib.sha256(recipe.encode()).hexdigest()[:8]}"


def _program(path: str, folder: str, module: str) -> File:
    return File(path, f'#!/bin/sh\nPYTHONPATH={folder} exec python3 -m {module} "$@"\n', mode=0o755)


POSTGRES = Image(
    "postgres",
    "17",
    (
        DATABASES,
        Files(
            (
                File("/usr/local/bin/postgres-entrypoint", (HERE / "postgres" / "entrypoint.sh").read_text(), 0o755),
                File("/var/lib/postgresql/data", mode=0o700, owner=POSTGRES_USER),
                File("/run/postgresql", mode=0o775, owner=POSTGRES_USER),
                File(
                    "/etc/passwd",
                    "root:x:0:0:root:/root:/bin/sh\n"
                    f"postgres:x:{POSTGRES_USER}:{POSTGRES_USER}:PostgreSQL:/var/lib/postgresql:/bin/sh\n",
                ),
                File("/etc/group", f"root:x:0:\npostgres:x:{POSTGRES_USER}:\n"),
            )
        ),
    ),
    {
        "Env": [
            "PATH=/usr/lib/postgresql/17/bin:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
            "PGDATA=/var/lib/postgresql/data",
            "LANG=C.UTF-8",
        ],
        "Entrypoint": ["/usr/local/bin/postgres-entrypoint"],
        "Cmd": ["postgres"],
        "User": f"{POSTGRES_USER}:{POSTGRES_USER}",
        # Fast shutdown: SIGTERM would wait for every client to leave.
        "StopSignal": "SIGINT",
        "ExposedPorts": {"5432/tcp": {}},
    },
)
"""Real: Debian's PostgreSQL, with an entry point that takes the official image's variables."""
REDIS = Image(
    "redis",
    "8",
    (DATABASES,),
    {
        "Env": ["PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"],
        "Entrypoint": ["redis-server"],
        "Cmd": ["--save", "", "--appendonly", "no", "--protected-mode", "no"],
        "User": "65534:65534",
    },
)
"""Real: Debian's Redis."""
PGBOUNCER = Image(
    "pgbouncer",
    "1.24",
    (
        POOLER,
        Files(
            (File("/usr/local/bin/pgbouncer-entrypoint", (HERE / "pgbouncer" / "entrypoint.sh").read_text(), 0o755),)
        ),
    ),
    {
        "Env": ["PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"],
        "WorkingDir": "/tmp",
        "User": "65534:65534",
        "Entrypoint": ["pgbouncer-entrypoint"],
        "ExposedPorts": {"6432/tcp": {}},
    },
)
"""Real: Debian's PgBouncer, for ContextForge's variant with a pooler."""
CONTEXTFORGE = Image(
    "contextforge",
    "1.1.0",
    (
        PROGRAMS,
        Python(PROGRAMS, "/opt/contextforge", HERE / "contextforge" / "requirements.lock"),
        Files(
            (
                File("/usr/local/bin/run-gunicorn", (HERE / "contextforge" / "run-gunicorn.sh").read_text(), 0o755),
                File(
                    "/opt/contextforge/gunicorn.config.py", (HERE / "contextforge" / "gunicorn.config.py").read_text()
                ),
            )
        ),
    ),
    {
        "Env": [
            "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
            "PYTHONPATH=/opt/contextforge",
            "HOME=/tmp",
        ],
        "WorkingDir": "/tmp",
        "User": "1001:1001",
        "Cmd": ["run-gunicorn"],
        "ExposedPorts": {"4444/tcp": {}},
    },
)
"""Real: the published ContextForge, run as its published image runs it."""
BACKENDS = Image(
    "backends",
    "2",
    (
        PROGRAMS,
        SERVERS,
        Python(PROGRAMS, "/opt/backends", HERE / "backends" / "requirements.lock"),
        Files(
            (
                _program("/usr/local/bin/mcp-proxy", "/opt/backends", "mcp_proxy"),
                File(
                    "/usr/local/bin/mcp-server-sqlite",
                    "#!/bin/sh\n"
                    "PYTHONPATH=/opt/backends "
                    "exec python3 -c 'import mcp_server_sqlite; mcp_server_sqlite.main()' \"$@\"\n",
                    mode=0o755,
                ),
                File("/data", mode=0o755, owner=1001),
            )
        ),
    ),
    {
        "Env": ["PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", "HOME=/tmp"],
        "WorkingDir": "/tmp",
        "User": "1001:1001",
        "Entrypoint": ["mcp-proxy"],
    },
)
"""Real: the published MCP servers, and mcp-proxy before them."""
N8N = Image(
    "n8n-mcp",
    "1",
    (
        PROGRAMS,
        Python(PROGRAMS, "/opt/n8n/packages", HERE / "n8n" / "requirements.lock"),
        Sources(PROGRAMS, "/opt/n8n/sources", {"lab/doubles/backends": ROOT / "lab" / "doubles" / "backends"}),
        Files((_program("/usr/local/bin/n8n-mcp", "/opt/n8n/sources:/opt/n8n/packages", "lab.doubles.backends.n8n"),)),
    ),
    {
        "Env": ["PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", "HOME=/tmp"],
        "WorkingDir": "/tmp",
        "User": "1001:1001",
        "Entrypoint": ["n8n-mcp"],
        "ExposedPorts": {"8000/tcp": {}},
    },
)
"""A double: the operator's sidecar is published nowhere (lab/doubles/backends/n8n.py)."""
# The operator's image: no bridge in it. The servers and Python packages are, since no registry is reachable from a
# build in the box; there the product lays the bridge alone over it (`sentinel.layers: bridge`).
SENTINEL = Image(
    "sentinel",
    "0.1.0",
    (
        PROGRAMS,
        SERVERS,
        Python(PROGRAMS, "/opt/sentinel/packages", HERE / "sentinel.lock"),
        Sources(
            PROGRAMS,
            "/opt/sentinel/sources",
            {"lab/doubles/sentinel": ROOT / "lab" / "doubles" / "sentinel"},
        ),
        Files(
            (
                _program(
                    "/usr/local/bin/sentinel-gateway",
                    "/opt/sentinel/sources:/opt/sentinel/packages",
                    "lab.doubles.sentinel",
                ),
            )
        ),
    ),
    {
        "Env": ["PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", "HOME=/tmp"],
        "WorkingDir": "/tmp",
        "User": f"{SENTINEL_USER}:{SENTINEL_USER}",
        "Entrypoint": ["sentinel-gateway", "--config", "/etc/sentinel/sentinel.toml"],
        "ExposedPorts": {"9201/tcp": {}},
    },
)
"""A double of the gateway (lab/doubles/sentinel), with the real published servers beside it."""
PROMETHEUS = Image(
    "prometheus",
    "2.53",
    (MONITORING, Files((File("/prometheus", mode=0o755, owner=65534),))),
    {
        "Env": ["PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"],
        "WorkingDir": "/prometheus",
        "User": "65534:65534",
        "Entrypoint": ["prometheus"],
        "Cmd": ["--config.file=/etc/prometheus/prometheus.yml", "--storage.tsdb.path=/prometheus"],
        "ExposedPorts": {"9090/tcp": {}},
    },
)
"""Real: Debian's Prometheus."""

GRAFANA = Image(
    "grafana",
    "12.4-double",
    (
        PROGRAMS,
        Python(PROGRAMS, "/opt/grafana/packages", HERE / "grafana.lock"),
        Sources(PROGRAMS, "/opt/grafana/sources", {"lab/doubles/grafana": ROOT / "lab" / "doubles" / "grafana"}),
        Files(
            (
                _program("/usr/local/bin/grafana", "/opt/grafana/sources:/opt/grafana/packages", "lab.doubles.grafana"),
                File("/var/lib/grafana", mode=0o755, owner=GRAFANA_USER),
            )
        ),
    ),
    {
        "Env": ["PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"],
        "WorkingDir": "/",
        "User": f"{GRAFANA_USER}:0",
        "Entrypoint": ["grafana"],
        "ExposedPorts": {"3000/tcp": {}},
    },
)
"""A double of Grafana (lab/doubles/grafana)."""

IMAGES = {
    image.name: image
    for image in (POSTGRES, REDIS, PGBOUNCER, CONTEXTFORGE, BACKENDS, N8N, SENTINEL, PROMETHEUS, GRAFANA)
}
CUTOVER = ("postgres", "redis", "contextforge", "backends", "n8n-mcp", "sentinel", "prometheus", "grafana")
"""The images that the lab's stack needs; others are made on demand."""
