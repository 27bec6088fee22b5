"""One entry of Claude's, put in place and taken out again by its record."""

from __future__ import annotations

from typing import Any

from hostctl.claude_client.entry import require_only_entries_differ, with_entry, without_entry
from hostctl.claude_client.record import capture, copy_of, digest_of, save
from hostctl.claude_client.request import Place
from hostctl.claude_client.rewrite import rewrite
from hostctl.core.documents import table
from hostctl.core.timestamps import now


def put(place: Place, before: dict[str, Any], entry: dict[str, Any]) -> bool:
    """Put the entry into the file, recorded before it is changed; true when the file changed."""
    was_begun = bool(before.get("begun"))

    def change(text: str | None) -> str | None:
        present = capture(text, place)
        replaced_again = present["theirs"] is not None and present["ours"] is None
        new = with_entry(text, place, entry)
        if new != text:
            require_only_entries_differ(text, new, place, entry)
            if was_begun and digest_of(text) != before.get("applied"):
                # Claude, or another program, has written the file without our entry.
                before["lost"] = now()
            if replaced_again or not was_begun:
                before["found"], before["before"] = present, digest_of(text)
                before["begun"], before["applied"] = True, digest_of(new)
                save(place, before, text)
            else:
                if digest_of(text) == before.get("applied"):
                    before["applied"] = digest_of(new)
                save(place, before)
        return new

    return rewrite(place.file, change)


def take_out(place: Place, before: dict[str, Any]) -> bool:
    """Restore the recorded entries: the whole file when nobody else changed it, else our part of it only."""
    recorded, kept = table(before["found"]), copy_of(place, before.get("before"))

    def change(text: str | None) -> str | None:
        if digest_of(text) == before.get("applied") and (kept is not None or not recorded["exists"]):
            return kept
        return without_entry(text, place, recorded)

    return rewrite(place.file, change)
