"""Paths within the repository that the operator's commands use."""

from __future__ import annotations

from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
VENV = ROOT / ".venv"
WORK = ROOT / ".work"
LOGS = WORK / "log"
STATE = ROOT / ".state"
REPORTS = ROOT / "reports"
PULUMI_HOME = WORK / "pulumi-home"
