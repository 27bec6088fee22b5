"""JSON-RPC messages, as the gateway takes them and as the bridge answers them.

The gateway's parser is stricter than Python's and than most servers: it skips a line with half an emoji, with NaN, with
a number beyond a double or with 128 levels, and the call waits for its time limit (`reference/sentinel-behaviour.md`).
"""

from __future__ import annotations

import json
import math
from typing import Any, NoReturn, cast

Message = dict[str, Any]

TOOLS_CHANGED: Message = {"jsonrpc": "2.0", "method": "notifications/tools/list_changed"}
DEEPEST = 127
"""Levels of objects and lists that serde_json reads."""


class NotStrict(Exception):
    """The text is no JSON that the gateway would take; the reason in a few words."""


def strict(line: bytes, deepest: int = DEEPEST) -> tuple[Any, bytes]:
    """The value of one line, and the line as the gateway takes it; raises NotStrict.

    Half a surrogate pair and bytes that are no UTF-8 become U+FFFD.
    """
    clean = line.removeprefix(b"\xef\xbb\xbf").strip()
    try:
        text = clean.decode()
    except UnicodeDecodeError:
        text = clean.decode(errors="replace")
        clean = text.encode()
    try:
        value = json.loads(text, parse_constant=_refuse, parse_float=_finite, parse_int=_integer)
        # Fewer brackets than levels need no walk.
        if text.count("[") + text.count("{") > deepest and not _is_flat(value, deepest):
            raise NotStrict(f"more than {deepest} levels")
    except RecursionError:
        raise NotStrict(f"more than {deepest} levels") from None
    except ValueError as error:
        raise NotStrict(str(error)) from None
    if "\\ud" in text or "\\uD" in text:
        written = json.dumps(value, ensure_ascii=False, separators=(",", ":"))
        text = written.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
        value, clean = json.loads(text), text.encode()
    return value, clean


def dumped(message: object) -> bytes:
    """One message as a line."""
    return json.dumps(message, separators=(",", ":")).encode() + b"\n"


def outcome(message: Message) -> Message:
    """The `result` or `error` of an answer; empty when it has neither."""
    return {key: value for key, value in message.items() if key in ("result", "error")}


def failure(code: int, text: str) -> Message:
    """The `error` of an answer."""
    return {"error": {"code": code, "message": text}}


def own_answer(request: Message) -> Message:
    """The answer to the other side's own request; the bridge declares no capability, so only a ping may come."""
    if request["method"] == "ping":
        return {"jsonrpc": "2.0", "id": request["id"], "result": {}}
    return {"jsonrpc": "2.0", "id": request["id"], **failure(-32601, f"Method not found: {request['method']}")}


def _refuse(constant: str) -> NoReturn:
    raise ValueError(f"{constant} is no JSON")


def _finite(text: str) -> float:
    number = float(text)
    if math.isinf(number):
        raise ValueError(f"the number {text[:20]} is too large")
    return number


def _integer(text: str) -> int:
    # Beyond 64 bits the gateway reads a double.
    if len(text) > 19:
        _finite(text)
    return int(text)


def _is_flat(value: object, levels: int) -> bool:
    if isinstance(value, dict):
        items = list(cast("dict[str, object]", value).values())
    elif isinstance(value, list):
        items = cast("list[object]", value)
    else:
        return True
    return levels > 0 and all(_is_flat(item, levels - 1) for item in items)
