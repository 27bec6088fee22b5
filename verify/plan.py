"""One harmless call per backend, with its limit and its expectation; and the reading of a document on stdin."""

from __future__ import annotations

from typing import Annotated, Any, Literal, TypeVar

from pydantic import BaseModel, ConfigDict, Field, ValidationError


class Unusable(Exception):
    """The user's error in one sentence: what, where, how to fix it."""


class Paused(BaseModel):
    """A document from outside: no key that it does not know, and never changed."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class Expectation(Paused):
    """What a good answer looks like; "no error" alone is not enough (context7 reports errors as plain text)."""

    result: Literal["text", "structured", "any"] = "any"
    contains: tuple[str, ...] = ()
    excludes: tuple[str, ...] = ()
    json_path: str | None = None


class Question(Paused):
    """One call: the tool under the backend's own name."""

    name: Annotated[str, Field(min_length=1)]
    tool: Annotated[str, Field(min_length=1)]
    arguments: dict[str, Any] = Field(default_factory=dict[str, Any])
    expect: Expectation = Expectation()
    timeout_seconds: Annotated[float, Field(gt=0, le=86400)] = 30.0
    optional: bool = False
    allowed_failure: bool = False
    disabled_tools: tuple[str, ...] = ()
    """What the kill switch takes from Sentinel's list, under the backend's own names, so that nobody misses it."""
    reason: str = ""
    needs_internet: bool = False
    upstream_hosts: tuple[str, ...] = ()

    def why_allowed(self, broken_before: str = "") -> str:
        """Why a failure of this backend is no failure of the whole; empty where it is one."""
        if self.optional:
            return f"optional: {self.reason}"
        if self.allowed_failure:
            return f"known broken: {self.reason}"
        return f"it was {broken_before} at ContextForge already" if broken_before else ""


Model = TypeVar("Model", bound=BaseModel)


def read_document(model: type[Model], content: bytes) -> Model:
    """The document on stdin; raises Unusable."""
    try:
        return model.model_validate_json(content)
    except ValidationError as error:
        first = error.errors(include_input=False, include_url=False)[0]
        where = ".".join(str(part) for part in first["loc"]) or "the document"
        raise Unusable(f"The document on stdin is wrong at {where}: {first['msg']}.") from error
