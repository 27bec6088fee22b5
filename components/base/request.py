"""A host verb's request, built from a component's inputs.

Owns: the check of the inputs, once all are known, by the verb's own reader, so that only what the verb accepts is
registered.
Deliberately does not: know any verb.
"""

from __future__ import annotations

from typing import Any

import pulumi

from hostctl.core import requests
from hostctl.core.documents import Document

__all__ = ["request"]


def request(kind: type[Any], /, **members: pulumi.Input[Any]) -> pulumi.Output[dict[str, object]]:
    """The document of a request of type `kind`; raises TypeError for a member that it does not have."""
    return pulumi.Output.all(**members).apply(lambda known: _document(kind, known))


def _document(kind: type[Any], known: dict[str, Any]) -> dict[str, object]:
    document = requests.write(requests.read(kind, Document(known, f"the request {kind.__name__}")))
    unknown = sorted(set(known) - set(document))
    if unknown:
        raise TypeError(f"{kind.__name__} has no member {', '.join(unknown)}")
    return document
