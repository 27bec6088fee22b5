"""`grafana cli [--homepath FOLDER] admin reset-admin-password --password-from-stdin`: the admin's new password.

Beside a Grafana that serves, which reads its database at each login. Source: Grafana's documentation, "Grafana CLI".
Owns: this command. Deliberately does not: read a `NAME__FILE`, which only the image's start script does.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from lab.doubles.grafana.database import Database

SHORTEST = 4


def run(argv: Sequence[str], database: Path) -> int:
    parser = argparse.ArgumentParser(prog="grafana cli")
    parser.add_argument("--homepath", default="")
    parser.add_argument("area", choices=["admin"])
    parser.add_argument("command", choices=["reset-admin-password"])
    parser.add_argument("password", nargs="?")
    parser.add_argument("--password-from-stdin", action="store_true")
    options = parser.parse_args(argv)
    password = sys.stdin.readline().rstrip("\r\n") if options.password_from_stdin else options.password or ""
    if len(password) < SHORTEST:
        print("Error: ✗ failed to reset password: new password is too short", file=sys.stderr)
        return 1
    if not database.exists():
        print("Error: ✗ failed to reset password: user not found", file=sys.stderr)
        return 1
    Database(database).set_password(password)
    print("Admin password changed successfully ✔")
    return 0
