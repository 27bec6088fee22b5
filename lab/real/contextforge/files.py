"""The operator's files on the VPS, as the cutover finds them.

Made once and then the operator's own: `.env`, `.mcp-token`, `.claude.json`, `fix-iptables.sh`, `nightly-db-backup.sh`;
the product edits some of them, so a later `up` must not put them back. The compose files always say what runs.

Owns: their contents and modes. Deliberately does not: print or return a secret other than by the files themselves.
"""

from __future__ import annotations

import json
import os
import secrets
import time
import uuid
from collections.abc import Callable, Mapping
from pathlib import Path

import jwt
import yaml

from lab.box import Box, hardened
from lab.box.home import OPERATORS
from lab.real.contextforge import operators
from lab.real.contextforge.services import BASE, PORT, PROJECT, SERVICES, SLIM

ISSUER = "mcpgateway"
AUDIENCE = "mcpgateway-api"
OPERATOR = "operator@example.com"
TOKEN_SECONDS = 365 * 24 * 3600
SECRET_MODE = 0o600
SCRIPT_MODE = 0o755


def write(box: Box, images: Mapping[str, str]) -> None:
    """Writes what is missing, and the compose files where they no longer say what runs."""
    home, folder = Path(box.home), compose_folder(box)
    _make(folder)
    _complete_environment(box)
    for name, text in compose_files(images).items():
        if not (folder / name).exists() or (folder / name).read_text(encoding="utf-8") != text:
            _put(folder / name, text, 0o644)
    _once(token_file(box), lambda: new_token(environment(box)) + "\n", SECRET_MODE)
    _once(home / ".claude.json", lambda: _claude(box), SECRET_MODE)
    _once(home / "nightly-db-backup.sh", lambda: _nightly(box), SCRIPT_MODE)
    if box.hardened:
        _once(
            home / hardened.UNIT_SCRIPT, lambda: _contained_iptables(box.docker_host, images["postgres"]), SCRIPT_MODE
        )
        operators.complete(box)
    else:
        _once(home / "fix-iptables.sh", lambda: _fix_iptables(box), SCRIPT_MODE)
        _once(box.cron / OPERATORS, lambda: f"@reboot root {home}/fix-iptables.sh\n", 0o644)


def compose_folder(box: Box) -> Path:
    return Path(box.home) / PROJECT


def token_file(box: Box) -> Path:
    """The file in which the operator keeps the bearer token for 127.0.0.1:9200."""
    return Path(box.home) / ".mcp-token"


def environment(box: Box) -> dict[str, str]:
    """The operator's `.env`: NAME=value lines."""
    lines = (compose_folder(box) / ".env").read_text(encoding="utf-8").splitlines()
    return dict(line.split("=", 1) for line in lines if line and not line.startswith("#"))


def compose_files(images: Mapping[str, str]) -> dict[str, str]:
    """The text of both compose files by name."""
    base = {service.name: service.base(images[service.image]) for service in SERVICES}
    slim = {service.name: service.slim(images[service.image]) for service in SERVICES}
    return {
        BASE: _compose(
            "ContextForge with its database and cache. Secrets: .env",
            {"services": _filled(base), "networks": {"mcpnet": {}}, "volumes": _volumes(BASE)},
        ),
        SLIM: _compose(
            f"No admin pages, no plugins, and the MCP servers as sidecars:\n"
            f"# docker compose -f {BASE} -f {SLIM} up -d; 'stop' them, never 'down': that removes {PROJECT}_mcpnet.",
            {"services": _filled(slim), "volumes": _volumes(SLIM)},
        ),
    }


def _filled(services: Mapping[str, dict[str, object]]) -> dict[str, dict[str, object]]:
    return {name: definition for name, definition in services.items() if definition}


def _volumes(file: str) -> dict[str, object]:
    return {service.mount.volume: {} for service in SERVICES if service.mount and service.file == file}


def _compose(comment: str, document: Mapping[str, object]) -> str:
    return f"# {comment}\n" + yaml.safe_dump(dict(document), sort_keys=False, width=160)


def _complete_environment(box: Box) -> None:
    """Adds the lines that `.env` lacks; a lab of an older version has fewer. What stands there stays."""
    path = compose_folder(box) / ".env"
    there = environment(box) if path.exists() else {}
    if lacking := {name: value for name, value in _environment().items() if name not in there}:
        _put(path, "".join(f"{name}={value}\n" for name, value in {**there, **lacking}.items()), SECRET_MODE)


def _environment() -> dict[str, str]:
    return {
        "POSTGRES_USER": "postgres",
        "POSTGRES_PASSWORD": secrets.token_urlsafe(32),
        "POSTGRES_DB": "mcp",
        "JWT_SECRET_KEY": secrets.token_urlsafe(48),
        "JWT_ISSUER": ISSUER,
        "JWT_AUDIENCE": AUDIENCE,
        "AUTH_ENCRYPTION_SECRET": secrets.token_urlsafe(48),
        "PLATFORM_ADMIN_EMAIL": OPERATOR,
        "PLATFORM_ADMIN_PASSWORD": _password(),
        "DEFAULT_USER_PASSWORD": _password(),
        "BASIC_AUTH_USER": "operator",
        "BASIC_AUTH_PASSWORD": _password(),
        "N8N_API_KEY": secrets.token_urlsafe(32),
        "FIRECRAWL_API_KEY": f"fc-{secrets.token_hex(16)}",
    }


def _password() -> str:
    """ContextForge wants every kind of character in a password, which chance alone does not promise."""
    return f"{secrets.token_urlsafe(24)}-aZ9"


def new_token(values: Mapping[str, str]) -> str:
    """Claims as `mcpgateway.utils.create_jwt_token` makes them (reference/contextforge.md)."""
    now = int(time.time())
    claims: dict[str, object] = {
        "sub": values["PLATFORM_ADMIN_EMAIL"],
        "iss": values["JWT_ISSUER"],
        "aud": values["JWT_AUDIENCE"],
        "jti": str(uuid.uuid4()),
        "iat": now,
        "exp": now + TOKEN_SECONDS,
    }
    return jwt.encode(claims, values["JWT_SECRET_KEY"], algorithm="HS256")


def _claude(box: Box) -> str:
    """Claude Code's file as it grows on a machine in use: most of it is none of the cutover's business."""
    token = token_file(box).read_text(encoding="utf-8").strip()
    document: dict[str, object] = {
        "numStartups": 214,
        "installMethod": "global",
        "autoUpdates": False,
        "theme": "dark",
        "hasCompletedOnboarding": True,
        "tipsHistory": {"new-user-warmup": 3, "shift-enter": 41},
        "projects": {
            f"{box.home}/{PROJECT}": {
                "allowedTools": ["mcp__contextforge__sqlite-list-tables"],
                "mcpServers": {},
                "hasTrustDialogAccepted": True,
                "history": [],
            },
            f"{box.home}/notes": {
                "allowedTools": [],
                "mcpServers": {"notes": {"type": "stdio", "command": "notes-mcp", "args": ["--readonly"], "env": {}}},
                "hasTrustDialogAccepted": True,
                "history": [],
            },
            str(box.home): {"allowedTools": [], "mcpServers": {}, "hasTrustDialogAccepted": False, "history": []},
        },
        "mcpServers": {
            "contextforge": {
                "type": "http",
                "url": f"http://127.0.0.1:{PORT}/mcp",
                "headers": {"Authorization": f"Bearer {token}"},
            },
        },
    }
    return json.dumps(document, indent=2) + "\n"


def _fix_iptables(box: Box) -> str:
    return f"""#!/bin/sh
# Rules that do not survive a boot; run by cron at @reboot.
set -eu
PATH=/usr/sbin:/usr/bin:/sbin:/bin

if ! ip -4 address show dev eth0 2> /dev/null | grep -q 'inet {box.ssh.address}/'; then
    echo "fix-iptables.sh: eth0 is not {box.ssh.address}, so this is not the VPS; nothing changed." >&2
    exit 1
fi

# A database or a cache that listens on the host is never for the outside.
for port in 5432 6379; do
    iptables -C INPUT -i eth0 -p tcp --dport "$port" -j DROP 2> /dev/null ||
        iptables -A INPUT -i eth0 -p tcp --dport "$port" -j DROP
done
"""


def _contained_iptables(docker_host: str, image: str) -> str:
    """The script of an operator without root: a privileged container sets its rules."""
    programs = " ".join(f"-v {folder}:{folder}:ro" for folder in ("/usr", "/bin", "/sbin", "/lib", "/lib64", "/etc"))
    return f"""#!/bin/sh
# Rules that do not survive a boot; run at boot by the user's unit fix-iptables.service.
PATH=/usr/local/bin:/usr/bin:/bin DOCKER_HOST=${{DOCKER_HOST:-{docker_host}}}
export PATH DOCKER_HOST
until docker info > /dev/null 2>&1; do sleep 1; done
docker run --rm --privileged --user 0 --network host {programs} -v /run:/run --entrypoint sh {image} -c '
PATH=/usr/sbin:/usr/bin:/sbin:/bin
for port in 5432 6379; do
    iptables -C INPUT -i eth0 -p tcp --dport "$port" -j DROP 2> /dev/null ||
        iptables -A INPUT -i eth0 -p tcp --dport "$port" -j DROP
done
'
"""


def _nightly(box: Box) -> str:
    return f"""#!/bin/sh
# ContextForge's database, nightly by cron; fourteen days are kept.
set -eu
umask 077

PATH=/usr/local/bin:/usr/bin:/bin
DOCKER_HOST=${{DOCKER_HOST:-{box.docker_host}}}
export DOCKER_HOST
folder=${{BACKUP_FOLDER:-$(dirname "$0")/backups}}
mkdir -p "$folder"

file="$folder/mcp-$(date +%Y-%m-%d).sql"
docker exec {PROJECT}-postgres-1 sh -c 'pg_dump -h /run/postgresql -U "$POSTGRES_USER" "$POSTGRES_DB"' > "$file.new"
mv "$file.new" "$file"
find "$folder" -name 'mcp-*.sql' -mtime +14 -delete
"""


def _make(folder: Path) -> None:
    """The folder, of its parent's owner."""
    if not folder.exists():
        _make(folder.parent)
        folder.mkdir()
        own_as_parent(folder)


def own_as_parent(path: Path) -> None:
    """Make it its folder's owner's: what stands in the operator's home is the operator's."""
    owner = path.parent.stat()
    os.chown(path, owner.st_uid, owner.st_gid)


def _once(path: Path, text: Callable[[], str], mode: int) -> None:
    if not path.exists():
        _make(path.parent)
        _put(path, text(), mode)


def _put(path: Path, text: str, mode: int) -> None:
    """Whole or not at all, and never readable by others, not even for a moment."""
    beside = path.with_name(f"{path.name}.new")
    beside.unlink(missing_ok=True)
    with os.fdopen(os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_EXCL, SECRET_MODE), "w", encoding="utf-8") as file:
        file.write(text)
    own_as_parent(beside)
    beside.chmod(mode)
    beside.replace(path)
