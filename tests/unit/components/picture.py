"""The picture of the graph in `docs/architecture.md`, made from what the program registers.

`python -m tests.unit.components.picture` writes it into the page; a test holds the page equal to the program.
"""

from __future__ import annotations

import re
from pathlib import Path

from tests.unit.components.registration import ROOT, Registered, Registration, register

PAGE = ROOT / "docs" / "architecture.md"
_BLOCK = re.compile(r"```mermaid\n.*?```", re.DOTALL)


def picture(program: Registration) -> str:
    """The components and the order among them, as a Mermaid flowchart: an arrow means "only after"."""
    stack = program.stack().urn
    components = [one for one in program.resources.values() if one.parent == stack]
    edges = {
        (_component(program, earlier).name, _component(program, later).name)
        for later in program.resources.values()
        if later.urn != stack
        for earlier in (program.resources[urn] for urn in later.after if urn != stack)
    }
    edges = _without_detours({(earlier, later) for earlier, later in edges if earlier != later})
    nodes = [f'    {_id(one.name)}["{one.name}<br/><i>{_owned(program, one)}</i>"]' for one in _by_name(components)]
    arrows = [f"    {_id(earlier)} --> {_id(later)}" for earlier, later in sorted(edges)]
    return "\n".join(["```mermaid", "flowchart TD", *nodes, *arrows, "```"])


def page_with(drawing: str) -> str:
    """The page with this drawing in place of the one it holds."""
    return _BLOCK.sub(lambda _: drawing, PAGE.read_text(encoding="utf-8"), count=1)


def _component(program: Registration, resource: Registered) -> Registered:
    stack = program.stack().urn
    while resource.parent != stack:
        resource = program.resources[resource.parent]
    return resource


def _without_detours(edges: set[tuple[str, str]]) -> set[tuple[str, str]]:
    """Leaves out an arrow where a longer way says the same."""

    def reaches(start: str, end: str, without: tuple[str, str]) -> bool:
        ahead, seen = [start], {start}
        while ahead:
            here = ahead.pop()
            following = {later for earlier, later in edges - {without} if earlier == here} - seen
            if end in following:
                return True
            seen |= following
            ahead += following
        return False

    return {edge for edge in edges if not reaches(edge[0], edge[1], without=edge)}


def _owned(program: Registration, component: Registered) -> str:
    kinds = [
        one.type.rsplit(":", 1)[-1].lower()
        for one in program.resources.values()
        if one.urn != component.urn
        and one.parent != program.stack().urn
        and one.type != "pulumi:pulumi:Stack"
        and _component(program, one).urn == component.urn
        and not one.type.startswith("sentinel-cutover:")
    ]
    counted = {kind: kinds.count(kind) for kind in sorted(set(kinds))}
    return ", ".join(kind if count == 1 else f"{count} {kind}s" for kind, count in counted.items())


def _by_name(components: list[Registered]) -> list[Registered]:
    return sorted(components, key=lambda one: one.name)


def _id(name: str) -> str:
    return name.replace("-", "_")


def main(page: Path = PAGE) -> None:
    """Writes the picture into the page."""
    page.write_text(page_with(picture(register())), encoding="utf-8")


if __name__ == "__main__":
    main()
