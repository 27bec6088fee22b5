"""A host verb's request, built from a component's inputs.

Owns: the check of the inputs, once all are known, by the verb's own readers, so that only what the verb accepts is
registered.
Deliberately does not: know any verb.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pulumi

from components.base.joined import joined
from hostctl.core import requests
from hostctl.core.documents import Document
from hostctl.verbs import VERBS, function


def request(
    verb: str, actions: tuple[str, ...], members: pulumi.Input[Mapping[str, pulumi.Input[Any]]]
) -> pulumi.Output[dict[str, object]]:
    """The document of the first action of that verb, which the others accept too.

    Raises TypeError for a member that the first one does not have.
    """
    first, *others = (requests.kind_of(function(VERBS[verb, action])) for action in actions)
    where = f"the request of {verb} {actions[0]}"

    def checked(known: Mapping[str, Any]) -> dict[str, object]:
        document = requests.write(requests.read(first, Document(dict(known), where)))
        for other in others:
            requests.read(other, Document(document, where))
        unknown = sorted(set(known) - set(document))
        if unknown:
            raise TypeError(f"{where} has no member {', '.join(unknown)}")
        return document

    return joined(members).apply(checked)
