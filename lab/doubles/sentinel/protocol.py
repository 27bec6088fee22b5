"""JSON-RPC in lines of strict JSON, as the real gateway's parser takes it.

Owns: which lines are a request or an answer, and the sentence about one that is not. Strict: no NaN, no number that
overflows, no lone surrogate, no nesting beyond 127; an integer beyond 64 bits becomes a float.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any, NoReturn, cast

Message = dict[str, Any]

PROTOCOL_VERSION = "2025-03-26"
INFO = {"name": "sentinel-gateway", "version": "0.1.0"}
HELLO: Message = {"protocolVersion": PROTOCOL_VERSION, "capabilities": {}, "clientInfo": INFO}
INITIALIZED: Message = {"jsonrpc": "2.0", "method": "notifications/initialized"}
_REQUEST = ("jsonrpc", "id", "method", "params")
_ANSWER = ("jsonrpc", "id", "result", "error")
_DEEPEST = 127
_SAID = {
    "Expecting value": "expected value",
    "Unexpected UTF-8 BOM (decode using utf-8-sig)": "expected value",
    "Extra data": "trailing characters",
    "Expecting property name enclosed in double quotes": "key must be a string",
}


@dataclass(frozen=True)
class Request:
    """A client's line; an id of null counts as none, which makes it a notification."""

    id: int | str | None
    method: str
    params: Any


def written(message: object) -> str:
    return json.dumps(message, ensure_ascii=False, separators=(",", ":"), sort_keys=True)


def strict(text: str) -> Any:
    """The value of a JSON text; raises ValueError."""
    return _parsed(text)[0]


def read_request(text: str) -> Request:
    """A request or notification; raises ValueError with the real parser's sentence."""
    members = _members(text, "JsonRpcRequest", _REQUEST)
    for name in ("jsonrpc", "method"):
        _string(text, members, name)
    return Request(_id(text, members.get("id")), members["method"], members.get("params"))


def read_answer(text: str) -> Message:
    """A backend's answer with no more than `jsonrpc`, `result` and `error`; raises ValueError if it is none."""
    members = _members(text, "JsonRpcResponse", _ANSWER)
    _string(text, members, "jsonrpc")
    if "id" not in members:
        _refuse(text, "missing field `id`")
    _id(text, members["id"])
    answer = {name: members[name] for name in ("jsonrpc", "result", "error") if members.get(name) is not None}
    if "error" in answer:
        error = answer["error"]
        if not isinstance(error, dict):
            _refuse(text, f"invalid type: {kind(error)}, expected struct JsonRpcError")
        members = cast("Message", error)
        for name in ("code", "message"):
            if name not in members:
                _refuse(text, f"missing field `{name}`")
        if type(members["code"]) is not int or abs(members["code"]) >= 2**31:
            wrong = "value" if type(members["code"]) is int else "type"
            _refuse(text, f"invalid {wrong}: {kind(members['code'])}, expected i32")
        _string(text, members, "message")
        answer["error"] = {name: members[name] for name in ("code", "message", "data") if members.get(name) is not None}
    return answer


def kind(value: object) -> str:
    """A value as the real parser names what it did not expect."""
    match value:
        case None:
            return "null"
        case bool():
            return f"boolean `{str(value).lower()}`"
        case int():
            return f"integer `{value}`"
        case float():
            return f"floating point `{value}`"
        case str():
            return f"string {json.dumps(value, ensure_ascii=False)}"
        case list():
            return "sequence"
        case _:
            return "map"


def _members(text: str, struct: str, names: tuple[str, ...]) -> Message:
    value, keys = _parsed(text)
    if isinstance(value, list):
        items = cast("list[Any]", value)
        if items and not isinstance(items[0], str):
            _refuse(text, f"invalid type: {kind(items[0])}, expected a string")
        if len(items) < len(names):
            _refuse(text, f"invalid length {len(items)}, expected struct {struct} with {len(names)} elements")
        return dict(zip(names, items, strict=False))
    if not isinstance(value, dict):
        _refuse(text, f"invalid type: {kind(value)}, expected struct {struct}")
    for name in names:
        if keys.count(name) > 1:
            _refuse(text, f"duplicate field `{name}`")
    return cast("Message", value)


def _string(text: str, members: Message, name: str) -> None:
    if name not in members:
        _refuse(text, f"missing field `{name}`")
    if not isinstance(members[name], str):
        _refuse(text, f"invalid type: {kind(members[name])}, expected a string")


def _id(text: str, value: Any) -> int | str | None:
    if value is None or isinstance(value, str) or (type(value) is int and value >= 0):
        return value
    _refuse(text, "data did not match any variant of untagged enum JsonRpcId")


def _parsed(text: str) -> tuple[Any, list[str]]:
    """The value, and the keys of the outermost object with its repetitions."""
    outermost: list[str] = []

    def members(pairs: list[tuple[str, Any]]) -> Message:
        outermost[:] = [key for key, _ in pairs]
        return dict(pairs)

    def constant(name: str) -> NoReturn:
        _refuse(text, f"expected value ({name})" if name == "-Infinity" else "expected value")

    try:
        value = json.loads(
            text, object_pairs_hook=members, parse_constant=constant, parse_int=_integer, parse_float=_float
        )
    except json.JSONDecodeError as error:
        _refuse(text, _said(text, error))
    except RecursionError:
        _refuse(text, "recursion limit exceeded")
    if text.count("[") + text.count("{") > _DEEPEST and _depth(value) > _DEEPEST:
        _refuse(text, "recursion limit exceeded")
    if "\\ud" in text.lower():
        try:
            written(value).encode()
        except UnicodeEncodeError:
            _refuse(text, "unexpected end of hex escape")
    return value, outermost


def _said(text: str, error: json.JSONDecodeError) -> str:
    if error.pos >= len(text.rstrip()):
        return f"EOF while parsing {'an object' if error.msg.startswith('Expecting property') else 'a value'}"
    if error.msg == "Expecting value" and text[error.pos] in "ntf":
        return "expected ident"
    return _SAID.get(error.msg, error.msg.lower())


def _integer(text: str) -> int | float:
    number = int(text) if len(text) <= 20 else None
    return number if number is not None and -(2**63) <= number < 2**64 else _float(text)


def _float(text: str) -> float:
    number = float(text)
    if abs(number) == float("inf"):
        raise ValueError("number out of range at line 1 column 1")
    return number


def _depth(value: Any) -> int:
    level: list[Any] = _parts([value])
    deepest = 0
    while level := [item for item in level if type(item) in (list, dict)]:
        deepest += 1
        level = [part for item in level for part in _parts(item)]
    return deepest


def _parts(item: Any) -> list[Any]:
    return list(cast("Message", item).values()) if isinstance(item, dict) else list(item)


def _refuse(text: str, what: str) -> NoReturn:
    raise ValueError(f"{what} at line 1 column {len(text)}")
