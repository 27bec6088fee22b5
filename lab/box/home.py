"""The folders of the VPS that are there before anything runs on it.

Owns: the operator's home and the product's folder, empty.
Deliberately does not: write any file of the operator (lab/predecessor/files.py does).
"""

from __future__ import annotations

from lab.box.place import Place


def furnish(place: Place) -> None:
    for folder in (place.home, place.home / "backups", place.product):
        folder.mkdir(parents=True, exist_ok=True)
