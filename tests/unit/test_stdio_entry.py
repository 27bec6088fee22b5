"""What Claude starts for the transport stdio: a gateway in Sentinel's container, no secret in any argument."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

from components.claude_client import stdio_script
from components.sentinel_configuration import SECRETS

TOKEN = "header.body.signature"
TELL = """#!{python}
import json, os, sys
print(json.dumps({{"words": sys.argv[1:], "environment": dict(os.environ)}}), flush=True)
{rest}
"""
"""A program that says what it was started with."""


def program(path: Path, rest: str = "") -> None:
    path.write_text(TELL.format(python=sys.executable, rest=rest))
    path.chmod(0o755)


def test_every_secret_reaches_the_gateway_by_its_environment_and_none_an_argument(tmp_path: Path) -> None:
    """`docker exec` is stood in for by a program that runs the words in the container's place, with its files."""
    secrets = tmp_path / "secrets"
    secrets.mkdir()
    (secrets / "JWT_SECRET_KEY").write_text("of the gateway's own")
    (secrets / "DATABASE_URL").write_text("postgresql://sentinel:p%20w@db/sentinel")
    token = tmp_path / "a token's file"
    token.write_text(f"{TOKEN}\n")
    program(
        tmp_path / "docker",
        f"words = sys.argv[sys.argv.index('sh'):]\n"
        f"os.execvp('sh', [word.replace({SECRETS!r}, {str(secrets)!r}) for word in words])",
    )
    program(tmp_path / "sentinel-gateway")
    script = stdio_script("unix:///run/docker.sock", "gateway-1", str(token))
    done = subprocess.run(
        ["sh", "-c", script],
        env={"PATH": f"{tmp_path}:{os.environ['PATH']}"},
        capture_output=True,
        text=True,
        check=True,
    )
    client, gateway = map(json.loads, done.stdout.splitlines())
    assert client["words"][:6] == ["--host=unix:///run/docker.sock", "exec", "-i", "-e", "SENTINEL_TOKEN", "gateway-1"]
    assert gateway["words"] == ["--config", "/etc/sentinel/sentinel.toml"]
    environment = gateway["environment"]
    assert (environment["SENTINEL_TOKEN"], environment["JWT_SECRET_KEY"]) == (TOKEN, "of the gateway's own")
    assert environment["DATABASE_URL"] == "postgresql://sentinel:p%20w@db/sentinel"
    assert TOKEN not in script and not any(TOKEN in word for word in client["words"] + gateway["words"])


def test_without_a_token_nothing_is_started(tmp_path: Path) -> None:
    script = stdio_script("unix:///run/docker.sock", "gateway-1", str(tmp_path / "none"))
    done = subprocess.run(["sh", "-c", script], capture_output=True, text=True, check=False)
    assert done.returncode == 1 and "No such file" in done.stderr
