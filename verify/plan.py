"""What is to be verified: one harmless call per backend with its limit and its expectation.

Owns: the file given by --expect, and the token file.
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any, Literal, TypeVar

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from .names import Active


class Unusable(Exception):
    """The user's error in one sentence: what, where, how to mend it."""


class Frozen(BaseModel):
    """A document from outside: no key that it does not know, and never changed."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class Expectation(Frozen):
    """What a good answer looks like; "no error" alone is not enough (context7 reports errors as plain text)."""

    result: Literal["text", "structured", "any"] = "any"
    contains: tuple[str, ...] = ()
    excludes: tuple[str, ...] = ()
    json_path: str | None = None


class Question(Frozen):
    """One call: the tool under the backend's own name."""

    name: Annotated[str, Field(min_length=1)]
    tool: Annotated[str, Field(min_length=1)]
    arguments: dict[str, Any] = Field(default_factory=dict[str, Any])
    expect: Expectation = Expectation()
    timeout_seconds: Annotated[float, Field(gt=0, le=86400)] = 30.0
    optional: bool = False
    known_broken: bool = False
    disabled_tools: tuple[str, ...] = ()
    """What the kill switch takes from Sentinel's list, under the backend's own names, so that nobody misses it."""
    reason: str = ""
    needs_internet: bool = False
    upstream_hosts: tuple[str, ...] = ()

    def excuse(self, broken_before: str = "") -> str:
        """Why a failure of this backend is no failure of the whole; empty where it is one."""
        if self.optional:
            return f"optional: {self.reason}"
        if self.known_broken:
            return f"known broken: {self.reason}"
        return f"it was {broken_before} at ContextForge already" if broken_before else ""


class Plan(Frozen):
    active: Active
    backends: Annotated[tuple[Question, ...], Field(min_length=1)]


def load_plan(file: Path) -> Plan:
    """Reads the file of --expect; raises Unusable."""
    try:
        return Plan.model_validate_json(file.read_bytes())
    except OSError as error:
        raise Unusable(f"The file {file} cannot be read ({error.strerror}): give --expect an existing file.") from error
    except ValidationError as error:
        first = error.errors(include_input=False, include_url=False)[0]
        where = ".".join(str(part) for part in first["loc"]) or "the document"
        raise Unusable(f"The file {file} is wrong at {where}: {first['msg']}.") from error


Model = TypeVar("Model", bound=BaseModel)


def read_document(model: type[Model], content: bytes) -> Model:
    """The document on stdin; raises Unusable."""
    try:
        return model.model_validate_json(content)
    except ValidationError as error:
        first = error.errors(include_input=False, include_url=False)[0]
        where = ".".join(str(part) for part in first["loc"]) or "the document"
        raise Unusable(f"The document on stdin is wrong at {where}: {first['msg']}.") from error


def read_token(file: Path) -> str:
    """The token without surrounding space; raises Unusable. It is never shown."""
    try:
        token = file.read_text().strip()
    except OSError as error:
        raise Unusable(
            f"The token file {file} cannot be read ({error.strerror}): `make up` writes it, or give --token-file."
        ) from error
    if not token or any(character.isspace() for character in token):
        raise Unusable(f"The token file {file} holds no token: `make up` writes it anew.")
    return token
