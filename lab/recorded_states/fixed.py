"""The values that stand in recorded states for what belongs to one machine or is secret.

Owns: folder, socket and secrets, each of a form that the settings take.
Deliberately does not: replace anything (scrub.py).
"""

from __future__ import annotations

from console.paths import ROOT

STATES = ROOT / "tests" / "testdata" / "states"
FOLDER = "/srv/recorded"
SOCKET = f"{FOLDER}/run/docker.sock"
_FORMS = {
    "discord_webhook": "https://discord.com/api/webhooks/123456789012345678/" + "recorded-" * 7 + "recor",
}


def secret(key: str) -> str:
    """No secret: a text that says of which key it is, long enough for any of them."""
    return _FORMS.get(key, f"recorded-{key.replace('_', '-')}-{'x' * 32}")
