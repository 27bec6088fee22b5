"""As much of Go's text/template as alert messages need; anything else is refused.

Owns: text, `define`, `template`, `if`/`else`, `range` with and without variables, `eq`, `lt`, `len`, fields, variables.
Deliberately does not: functions of Grafana's own, pipelines, methods.
Source: https://pkg.go.dev/text/template
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, cast

_ACTION = re.compile(r"\{\{(-?)\s*(.*?)\s*(-?)\}\}", re.DOTALL)
_WORD = re.compile(r'"(?:[^"\\]|\\.)*"|[^\s"]+')
_PATH = re.compile(r"(\$\w*)?((?:\.\w+)*)|\.")


class TemplateError(ValueError):
    """The template cannot be read, or names what does not exist."""


@dataclass
class _Node:
    """`kind` is text, show, template, if or range; `terms` are the action's."""

    kind: str
    terms: list[str] = field(default_factory=list[str])
    text: str = ""
    body: list[_Node] = field(default_factory=lambda: list[_Node]())
    otherwise: list[_Node] = field(default_factory=lambda: list[_Node]())


Definitions = dict[str, list[_Node]]


def parsed(text: str) -> tuple[list[_Node], Definitions]:
    """The nodes outside of any `define`, and the definitions by name; raises TemplateError."""
    definitions: Definitions = {}
    nodes, ended = _block(_tokens(text), definitions, top=True)
    if ended is not None:
        raise TemplateError(f"unexpected {{{{ {ended} }}}}")
    return nodes, definitions


def rendered(text: str, data: Any, definitions: Definitions | None = None, **variables: Any) -> str:
    """The text with `.` being `data`; raises TemplateError."""
    nodes, own = parsed(text)
    return "".join(_run(nodes, data, {"": data, **variables}, {**(definitions or {}), **own}))


def _tokens(text: str) -> Iterator[str | list[str]]:
    at, trim = 0, False
    for found in _ACTION.finditer(text):
        before = text[at : found.start()]
        before = before.lstrip() if trim else before
        yield before.rstrip() if found.group(1) else before
        yield _WORD.findall(found.group(2))
        at, trim = found.end(), bool(found.group(3))
    yield text[at:].lstrip() if trim else text[at:]


def _block(
    tokens: Iterator[str | list[str]], definitions: Definitions, top: bool = False
) -> tuple[list[_Node], str | None]:
    nodes: list[_Node] = []
    for token in tokens:
        if isinstance(token, str):
            nodes.append(_Node("text", text=token))
            continue
        verb = token[0] if token else ""
        if verb in ("end", "else"):
            if top:
                raise TemplateError(f"unexpected {{{{ {verb} }}}}")
            return nodes, verb
        if verb == "define":
            definitions[_quoted(token[1])], _ = _block(tokens, definitions)
        elif verb in ("if", "range"):
            node = _Node(verb, token[1:])
            node.body, ended = _block(tokens, definitions)
            if ended == "else":
                node.otherwise, ended = _block(tokens, definitions)
            if ended != "end":
                raise TemplateError(f"{{{{ {verb} }}}} without its end")
            nodes.append(node)
        elif verb == "template":
            nodes.append(_Node("template", token[1:]))
        else:
            nodes.append(_Node("show", token))
    if not top:
        raise TemplateError("an end is missing")
    return nodes, None


def _run(nodes: list[_Node], dot: Any, variables: Mapping[str, Any], definitions: Definitions) -> Iterator[str]:
    for node in nodes:
        if node.kind == "text":
            yield node.text
        elif node.kind == "show":
            yield _shown(_value(node.terms, dot, variables))
        elif node.kind == "template":
            name = _quoted(node.terms[0])
            if name not in definitions:
                raise TemplateError(f'template "{name}" not defined')
            data = _value(node.terms[1:], dot, variables) if node.terms[1:] else None
            yield from _run(definitions[name], data, {"": data}, definitions)
        elif node.kind == "if":
            chosen = node.body if _value(node.terms, dot, variables) else node.otherwise
            yield from _run(chosen, dot, variables, definitions)
        else:
            yield from _ranged(node, dot, variables, definitions)


def _ranged(node: _Node, dot: Any, variables: Mapping[str, Any], definitions: Definitions) -> Iterator[str]:
    names: list[str] = []
    terms = node.terms
    if ":=" in terms:
        at = terms.index(":=")
        names, terms = [term.strip(",$") for term in terms[:at]], terms[at + 1 :]
    listed: list[Any] = list(_value(terms, dot, variables))
    if not listed:
        yield from _run(node.otherwise, dot, variables, definitions)
    for number, one in enumerate(listed):
        bound = dict(zip(names, (number, one) if len(names) == 2 else (one,), strict=True)) if names else {}
        yield from _run(node.body, one, {**variables, **bound}, definitions)


def _value(terms: list[str], dot: Any, variables: Mapping[str, Any]) -> Any:
    if len(terms) == 1:
        return _operand(terms[0], dot, variables)
    verb, arguments = terms[0], [_operand(term, dot, variables) for term in terms[1:]]
    if verb == "eq" and len(arguments) == 2:
        return arguments[0] == arguments[1]
    if verb == "lt" and len(arguments) == 2:
        return arguments[0] < arguments[1]
    if verb == "len" and len(arguments) == 1:
        return len(arguments[0])
    raise TemplateError(f'function "{verb}" not defined')


def _operand(term: str, dot: Any, variables: Mapping[str, Any]) -> Any:
    if term.startswith('"'):
        return _quoted(term)
    if term.lstrip("-").isdigit():
        return int(term)
    found = _PATH.fullmatch(term)
    if not found or not term:
        raise TemplateError(f'function "{term}" not defined')
    value = dot
    if found.group(1) is not None:
        name = found.group(1)[1:]
        if name not in variables:
            raise TemplateError(f'undefined variable "${name}"')
        value = variables[name]
    for key in filter(None, (found.group(2) or "").split(".")):
        if not isinstance(value, Mapping):
            raise TemplateError(f"can't evaluate field {key}")
        value = cast("Mapping[str, Any]", value).get(key, "")
    return value


def _quoted(term: str) -> str:
    if len(term) < 2 or term[0] != '"' or term[-1] != '"':
        raise TemplateError(f"unexpected {term}")
    return term[1:-1].replace('\\"', '"')


def _shown(value: Any) -> str:
    if value is None:
        return "<no value>"
    return str(value).lower() if isinstance(value, bool) else str(value)
