"""The limits of Discord's documentation for a message.

Owns: those limits, in characters. Deliberately does not: know HTTP.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, cast

CONTENT = 2000
EMBEDS = 10
EMBED_TEXT = {"title": 256, "description": 4096}
FIELDS = 25
FIELD_TEXT = {"name": 256, "value": 1024}
FOOTER = 2048
AUTHOR = 256
ALL_EMBEDS = 6000
COLOR = 0xFFFFFF
USERNAME = 80


def refusals(message: Mapping[str, Any]) -> dict[str, str]:
    """The parts of the message that are refused, each with the reason; empty when it is taken."""
    return dict(_refusals(message))


def _refusals(message: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    content, embeds = message.get("content") or "", cast("list[Any]", message.get("embeds") or [])
    if not content and not embeds:
        yield "_", "Cannot send an empty message"
    yield from _too_long("content", content, CONTENT)
    yield from _too_long("username", message.get("username") or "", USERNAME)
    if len(embeds) > EMBEDS:
        yield "embeds", f"Must be {EMBEDS} or fewer in length."
    total = 0
    for number, embed in enumerate(cast("list[dict[str, Any]]", embeds)):
        for key, limit in EMBED_TEXT.items():
            yield from _too_long(f"embeds.{number}.{key}", embed.get(key) or "", limit)
        footer, author = _part(embed, "footer", "text"), _part(embed, "author", "name")
        yield from _too_long(f"embeds.{number}.footer.text", footer, FOOTER)
        yield from _too_long(f"embeds.{number}.author.name", author, AUTHOR)
        color = embed.get("color", 0)
        if not isinstance(color, int) or not 0 <= color <= COLOR:
            yield f"embeds.{number}.color", f"int value should be between 0 and {COLOR}"
        fields: list[Mapping[str, Any]] = embed.get("fields") or []
        if len(fields) > FIELDS:
            yield f"embeds.{number}.fields", f"Must be {FIELDS} or fewer in length."
        for at, field in enumerate(fields):
            for key, limit in FIELD_TEXT.items():
                where = f"embeds.{number}.fields.{at}.{key}"
                if not field.get(key):
                    yield where, "This field is required"
                yield from _too_long(where, field.get(key) or "", limit)
        total += sum(map(len, (embed.get("title") or "", embed.get("description") or "", footer, author)))
        total += sum(len(field.get(key) or "") for field in fields for key in FIELD_TEXT)
    if total > ALL_EMBEDS:
        yield "embeds", f"Embed size exceeds maximum size of {ALL_EMBEDS}"


def _part(embed: Mapping[str, Any], key: str, member: str) -> str:
    return str(cast("dict[str, Any]", embed.get(key) or {}).get(member) or "")


def _too_long(where: str, value: object, limit: int) -> Iterator[tuple[str, str]]:
    if not isinstance(value, str):
        yield where, "Could not interpret as string."
    elif len(value) > limit:
        yield where, f"Must be {limit} or fewer in length."
