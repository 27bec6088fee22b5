"""Rules over the backends: the needs of each kind, and names that two of them may not share."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from urllib.parse import urlsplit

from settings.errors import HIDDEN, NOT_SET, Problem, repeated
from settings.field_rules import fetches_code_at_start
from settings.model import SECRET_KEYS, Settings

RESERVED_ALIASES = frozenset({"sentinel-gateway", "postgres", "prometheus", "grafana"})
"""Names of the product's own containers on the internal network."""

GATEWAYS_OWN_VARIABLES = frozenset({"DATABASE_URL", "JWT_SECRET_KEY", "SENTINEL_TOKEN", "HEALTH_TOKEN"})
_SECRET_NAME = re.compile(r"(KEY|TOKEN|SECRET|PASSWORD|PASSWD|CREDENTIALS?)$")
_HERE = {"localhost", "127.0.0.1", "::1"}


def require_names_that_differ(settings: Settings) -> Iterator[Problem]:
    named = [(f"backends[{number}].name", backend.name) for number, backend in enumerate(settings.backends)]
    for key, name, first in repeated(named):
        allowed = f"a name that no other backend has; {first.removesuffix('.name')} has it"
        yield Problem(key, name, allowed, "<another name>", related=(first,))


def require_what_the_kind_needs(settings: Settings) -> Iterator[Problem]:
    for number, backend in enumerate(settings.backends):
        needed, foreign = ("url", ("command",)) if backend.kind == "http" else ("command", ("url", "container"))
        key = f"backends[{number}]"
        if getattr(backend, needed) is None:
            allowed = f"a value, because {key}.kind is {backend.kind}"
            yield Problem(f"{key}.{needed}", NOT_SET, allowed, f"<{needed}>", related=(f"{key}.kind",))
        for name in foreign:
            if getattr(backend, name) is not None:
                allowed = f"nothing, because {key}.kind is {backend.kind}"
                yield Problem(f"{key}.{name}", str(getattr(backend, name)), allowed, None, related=(f"{key}.kind",))


def require_program_without_fetching(settings: Settings) -> Iterator[Problem]:
    for number, backend in enumerate(settings.backends):
        if backend.command and fetches_code_at_start(backend.command, backend.args):
            allowed = (
                "a program that is already in the image: this command fetches code at start, finds no egress while "
                "the container is standby, and would run unpinned code next to the secrets"
            )
            program = (
                backend.command if fetches_code_at_start(backend.command, ()) else f"{backend.command} with its args"
            )
            yield Problem(f"backends[{number}].command", program, allowed, "<program>")


def require_sidecar_to_be_reachable(settings: Settings) -> Iterator[Problem]:
    taken: dict[str, str] = {}
    for number, backend in enumerate(settings.backends):
        key = f"backends[{number}]"
        host = urlsplit(backend.url).hostname if backend.url else None
        if host in _HERE:
            allowed = "a name on the internal network: inside Sentinel's container this address is Sentinel itself"
            yield Problem(f"{key}.url", str(backend.url), allowed, "<url>")
        for alias in backend.aliases:
            owner = "one of Sentinel's own containers" if alias in RESERVED_ALIASES else taken.get(alias)
            if owner:
                allowed = f"an address with a name of its own for {backend.container}; {owner} has {alias}"
                yield Problem(f"{key}.url", str(backend.url), allowed, "<url>")
            taken.setdefault(alias, key)


def require_reason_for_what_may_fail(settings: Settings) -> Iterator[Problem]:
    for number, backend in enumerate(settings.backends):
        if (backend.optional or backend.allowed_failure) and not backend.reason:
            word = "optional" if backend.optional else "allowed_failure"
            allowed = f"a sentence that the report repeats, because backends[{number}].{word} is true"
            related = (f"backends[{number}].{word}",)
            yield Problem(f"backends[{number}].reason", NOT_SET, allowed, "<reason>", related=related)


def require_secrets_out_of_environment(settings: Settings) -> Iterator[Problem]:
    for number, backend in enumerate(settings.backends):
        for name in backend.environment:
            key = f"backends[{number}].environment.{name}"
            if name in GATEWAYS_OWN_VARIABLES:
                yield Problem(key, "a value, not shown", "a variable that is not the gateway's own", None)
            elif _SECRET_NAME.search(name):
                allowed = f"no secret in the clear: name its key in backends[{number}].environment_secrets instead"
                yield Problem(key, "a value, not shown", allowed, None)


def require_known_secrets(settings: Settings) -> Iterator[Problem]:
    usable = [key for key in SECRET_KEYS if key.endswith("_api_key")]
    for number, backend in enumerate(settings.backends):
        for name, secret in backend.environment_secrets.items():
            key = f"backends[{number}].environment_secrets.{name}"
            if secret not in usable:
                yield Problem(key, HIDDEN, f"the name of a secret key: {', '.join(usable)}", "<secret key>")
            elif settings.secret(secret) is None and not backend.optional:
                allowed = (
                    f"a secret, because backend {backend.name} needs it (or make the backend optional, with a reason)"
                )
                yield Problem(secret, NOT_SET, allowed, "<secret>", secret=True, related=(key,))


RULES: tuple[Callable[[Settings], Iterator[Problem]], ...] = (
    require_names_that_differ,
    require_what_the_kind_needs,
    require_program_without_fetching,
    require_sidecar_to_be_reachable,
    require_reason_for_what_may_fail,
    require_secrets_out_of_environment,
    require_known_secrets,
)
