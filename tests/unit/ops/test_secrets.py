"""`make secrets`: makes what is missing, overwrites nothing, and no value is ever an argument."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
from collections.abc import Sequence
from pathlib import Path

import pytest

from console.errors import UserError
from console.paths import WORK
from ops.engine.stack_secrets import make_secrets, runner
from settings import SECRET_KEYS

MADE = ("jwt_secret", "postgres_password", "health_token", "grafana_admin_password", "grafana_secret_key")


class Engine:
    """Remembers its calls, as `pulumi config` would."""

    def __init__(self, configuration: dict[str, dict[str, object]]) -> None:
        self.configuration = configuration
        self.calls: list[tuple[list[str], str | None]] = []

    def __call__(self, argv: Sequence[str], stdin: str | None) -> str:
        self.calls.append((list(argv), stdin))
        if "set" in argv:
            self.configuration[f"sentinel-cutover:{argv[-1]}"] = {"secret": True}
        return json.dumps(self.configuration)


def test_missing_secrets_are_made_strong_and_given_on_stdin() -> None:
    engine = Engine({})
    report = make_secrets("prod", engine)
    assert report.made == MADE
    values = [stdin for argv, stdin in engine.calls if "set" in argv]
    assert len(set(values)) == len(MADE)
    for argv, stdin in engine.calls[1:]:
        assert argv[:6] == ["pulumi", "config", "set", "--secret", "--stack", "prod"] and argv[6:] in [
            [k] for k in MADE
        ]
        assert stdin and re.fullmatch(r"[A-Za-z0-9_-]{48,}", stdin)


def test_a_second_run_makes_nothing_and_overwrites_nothing() -> None:
    engine = Engine({})
    make_secrets("prod", engine)
    engine.calls.clear()
    report = make_secrets("prod", engine)
    assert (report.made, report.kept) == ((), MADE)
    assert [argv for argv, _ in engine.calls if "set" in argv] == []


def test_secrets_that_only_the_operator_knows_are_listed_with_their_line() -> None:
    report = make_secrets("prod", Engine({}))
    assert set(report.yours) == set(SECRET_KEYS) - set(MADE)
    assert "  pulumi config set --secret --stack prod discord_webhook" in report.text("prod").splitlines()


def test_a_secret_in_the_clear_is_reported_and_left_alone() -> None:
    engine = Engine({"sentinel-cutover:jwt_secret": {"value": "x", "secret": False}})
    report = make_secrets("prod", engine)
    assert report.in_the_clear == ("jwt_secret",)
    assert "jwt_secret" not in report.made and report.document()["ok"] is False


def test_an_engine_that_fails_is_one_sentence(tmp_path: Path) -> None:
    program = tmp_path / "pulumi"
    program.write_text("#!/bin/sh\necho 'error: no stack named prod' >&2\nexit 255\n", encoding="utf-8")
    program.chmod(0o755)
    with pytest.raises(UserError, match="stack prod could not be used by pulumi config: error: no stack named prod"):
        make_secrets("prod", runner("prod", {"PATH": f"{tmp_path}:{os.environ['PATH']}"}, tmp_path))


ENGINE = shutil.which("pulumi", path=f"{WORK}/toolchain/bin:{os.environ['PATH']}")


@pytest.mark.skipif(ENGINE is None, reason="no pulumi in PATH or .work/toolchain/bin; make doctor says why")
def test_the_real_engine_keeps_what_was_made(tmp_path: Path) -> None:
    (tmp_path / "Pulumi.yaml").write_text("name: sentinel-cutover\nruntime: python\n", encoding="utf-8")
    (tmp_path / "state").mkdir()
    (tmp_path / "Pulumi.prod.yaml").write_text("config: {}\n", encoding="utf-8")
    environment = {
        "PATH": f"{WORK}/toolchain/bin:{os.environ['PATH']}",
        "HOME": str(tmp_path),
        "PULUMI_HOME": str(tmp_path / "home"),
        "PULUMI_BACKEND_URL": f"file://{tmp_path}/state",
        "PULUMI_CONFIG_PASSPHRASE": "x",
        "PULUMI_SKIP_UPDATE_CHECK": "1",
    }
    subprocess.run(
        [str(ENGINE), "stack", "init", "prod"], cwd=tmp_path, env=environment, check=True, capture_output=True
    )
    assert make_secrets("prod", runner("prod", environment, tmp_path)).made == MADE
    assert make_secrets("prod", runner("prod", environment, tmp_path)).made == ()
    assert (tmp_path / "Pulumi.prod.yaml").read_text(encoding="utf-8").count("secure:") == len(MADE)
