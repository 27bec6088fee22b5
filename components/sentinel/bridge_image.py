"""The two layers that `sentinel.serve: bridge` builds on the operator's image: the pinned programs, and the bridge.

Two, so that a changed bridge does not fetch the programs again. Their steps are in bridge/programs.Dockerfile and
bridge/Dockerfile.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from components.base.image import Layer

_FOLDER = Path(__file__).resolve().parents[2] / "bridge"


_PROGRAMS = Layer(
    "programs",
    {
        "Dockerfile": (_FOLDER / "programs.Dockerfile").read_text(encoding="utf-8"),
        "package.json": (_FOLDER / "servers" / "package.json").read_text(encoding="utf-8"),
        "package-lock.json": (_FOLDER / "servers" / "package-lock.json").read_text(encoding="utf-8"),
        "requirements.lock": (_FOLDER / "requirements.lock").read_text(encoding="utf-8"),
    },
)
_BRIDGE = Layer(
    "bridge",
    {
        "Dockerfile": (_FOLDER / "Dockerfile").read_text(encoding="utf-8"),
        **{f"bridge/{path.name}": path.read_text(encoding="utf-8") for path in sorted(_FOLDER.glob("*.py"))},
    },
)
BRIDGE_LAYERS: Mapping[str, tuple[Layer, ...]] = {
    "all": (_PROGRAMS, _BRIDGE),
    "bridge": (_BRIDGE,),
    "none": (),
}
"""By `sentinel.layers`, the lowest first."""
