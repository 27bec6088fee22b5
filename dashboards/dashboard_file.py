"""The built dashboards' files, apart from their code, so that the program needs no SDK."""

from pathlib import Path

UID = "sentinel-gateway"
FILE = Path(__file__).with_name(f"{UID}.json")

RESOURCES_UID = "sentinel-resources"
RESOURCES_FILE = Path(__file__).with_name(f"{RESOURCES_UID}.json")
"""The second dashboard, provisioned with `resources.enabled`."""
