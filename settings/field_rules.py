"""Rules for single values, each with one sentence on the allowed values, and the types made of them."""

from __future__ import annotations

import ipaddress
import itertools
import posixpath
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Annotated, Any, LiteralString, cast
from urllib.parse import urlsplit

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, SecretStr, model_validator
from pydantic_core import PydanticCustomError

BUCKETS_SECONDS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10)
"""The finite buckets of the gateway's histogram (read from its /metrics)."""

LARGEST_BUCKET_SECONDS = BUCKETS_SECONDS[-1]
"""Slower calls cannot be distinguished."""

_NAME = re.compile(r"[a-zA-Z0-9][a-zA-Z0-9_.-]{0,127}")
_DIGEST = re.compile(r"(?:[^@\s]+@)?sha256:[0-9a-f]{64}")
_IMAGE = re.compile(r"[a-z0-9][a-z0-9._/:-]*?:(?P<tag>[A-Za-z0-9_][A-Za-z0-9_.-]{0,127})")
_HOST = re.compile(r"[A-Za-z0-9]([A-Za-z0-9-]*[A-Za-z0-9])?(\.[A-Za-z0-9]([A-Za-z0-9-]*[A-Za-z0-9])?)*")
_FETCHERS = {"npx", "bunx", "pnpx", "uvx", "pipx", "curl", "wget"}
_FLOATING = re.compile(r"@(latest|next|canary)$")
_INSTALLERS = {
    (tool, action)
    for tool, actions in {
        "npm": ("exec", "x", "install", "i", "init"),
        "pnpm": ("dlx", "exec", "add"),
        "yarn": ("dlx", "add"),
        "bun": ("x", "add"),
        "pip": ("install",),
        "pip3": ("install",),
        "pip3.11": ("install",),
        "uv": ("run", "tool", "pip"),
        "go": ("run", "install"),
        "deno": ("run",),
        "docker": ("run", "pull"),
    }.items()
    for action in actions
}


class Section(BaseModel):
    """A part of the settings: immutable, and with no key that it does not know."""

    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True, coerce_numbers_to_str=True)

    @model_validator(mode="before")
    @classmethod
    def take_empty_as_not_set(cls, raw: Any) -> Any:
        """Pulumi's schema knows no null: an optional key's default there is the empty text."""
        if not isinstance(raw, Mapping):
            return raw
        values = cast(Mapping[str, Any], raw)
        optional = {name for name, field in cls.model_fields.items() if field.default is None or field.default == ""}
        return {name: value for name, value in values.items() if value not in ("", None) or name not in optional}


def refused(allowed: LiteralString) -> PydanticCustomError:
    """The error that a rule raises; `allowed` completes the sentence "allowed: …"."""
    return PydanticCustomError("refused", allowed)


def require_number_not_boolean(value: Any) -> Any:
    if isinstance(value, bool):
        raise refused("a number, not true or false")
    return value


@dataclass(frozen=True)
class Rule:
    """A named rule for text: the allowed values as text, for errors and documentation, and the check."""

    allowed: LiteralString
    holds: Callable[[str], bool]

    def __call__(self, value: str) -> str:
        if not self.holds(value):
            raise refused(self.allowed)
        return value


def _is_address(value: str) -> bool:
    try:
        ipaddress.ip_address(value)
    except ValueError:
        return False
    return True


def _is_absolute_path(value: str) -> bool:
    clean = value.isprintable() and not value.startswith("//")
    return clean and value.startswith("/") and posixpath.normpath(value) == value


def _is_pinned_image(value: str) -> bool:
    tagged = _IMAGE.fullmatch(value)
    if value.endswith("sha256:" + "0" * 64):
        return False
    return bool(_DIGEST.fullmatch(value)) or (tagged is not None and tagged["tag"] != "latest")


def _is_host_and_port(value: str) -> bool:
    host, _, port = value.rpartition(":")
    usable = port.isascii() and port.isdigit() and 1 <= int(port) <= 65535 and ":" not in host
    return usable and (_is_address(host) or (len(host) <= 253 and bool(_HOST.fullmatch(host))))


def _is_interface(value: str) -> bool:
    return value not in {".", ".."} and bool(re.fullmatch(r"[!-9;-~]{1,15}", value)) and "/" not in value


def _is_http_url(value: str) -> bool:
    if re.search(r"[\s\x00-\x20]", value):
        return False
    try:
        parts = urlsplit(value)
        named = parts.scheme in {"http", "https"} and bool(parts.hostname) and parts.port != 0
    except ValueError:
        return False
    return named and parts.username is None and parts.password is None


require_absolute_path = Rule(
    "an absolute path without '..', '//' or a slash at its end, such as /home/operator/.claude.json", _is_absolute_path
)
require_pinned_image = Rule(
    "an image with a digest (name@sha256:…, not the placeholder of zeros) or with a tag other than latest (name:1.2.3)",
    _is_pinned_image,
)
require_docker_name = Rule(
    "a Docker name: letters, digits, '_', '.', '-', beginning with a letter or digit",
    lambda value: bool(_NAME.fullmatch(value)),
)
require_host_name = Rule(
    "a host name or an IP address, without scheme, port or path",
    lambda value: _is_address(value) or (len(value) <= 253 and bool(_HOST.fullmatch(value))),
)
require_upstream_host = Rule(
    "a host name or an IP address, with ':PORT' behind it where it is not 443; without scheme or path",
    lambda value: require_host_name.holds(value) or _is_host_and_port(value),
)
require_user_name = Rule(
    "a Linux user's name: a-z, 0-9, '_', '-', not beginning with a digit, at most 32",
    lambda value: bool(re.fullmatch(r"[a-z_][a-z0-9_-]{0,31}", value)),
)
require_host_key = Rule(
    "the host's public key as `ssh-keyscan -t ed25519 ADDRESS` prints it after the name: ssh-ed25519 AAAA…",
    lambda value: bool(
        re.fullmatch(r"(ssh-ed25519|ssh-rsa|ecdsa-sha2-nistp(256|384|521)) [A-Za-z0-9+/]+={0,2}", value)
    ),
)
require_interface_name = Rule(
    "auto, or a network interface's name: 1 to 15 characters, without '/', ':' or white space, such as eth0",
    _is_interface,
)
require_http_url = Rule("http://NAME:PORT/PATH or https://…, without user, password or white space in it", _is_http_url)
require_copy_command = Rule(
    'one line of a shell that uses "$1", the path of the file to copy',
    lambda value: value.isprintable() and "$1" in value,
)
require_clock_time = Rule(
    "a time of day in UTC as HH:MM, such as 03:17",
    lambda value: bool(re.fullmatch(r"([01][0-9]|2[0-3]):[0-5][0-9]", value)),
)
require_entry_name = Rule(
    "a name of letters, digits, '_', '-', at most 64", lambda value: bool(re.fullmatch(r"[A-Za-z0-9_-]{1,64}", value))
)
require_former_entry_name = Rule(
    "a name of at most 128 characters on one line", lambda value: bool(re.fullmatch(r"[^\x00-\x1f\x7f]{1,128}", value))
)
require_backend_name = Rule(
    "a name of a-z, 0-9, '-', at most 63, such as sequential-thinking",
    lambda value: bool(re.fullmatch(r"[a-z0-9][a-z0-9-]{0,62}", value)),
)
require_variable_name = Rule(
    "an environment variable's name: A-Z, 0-9, '_'", lambda value: bool(re.fullmatch(r"[A-Z_][A-Z0-9_]*", value))
)
require_made_secret = Rule(
    "at least 32 characters of A-Z, a-z, 0-9, '_', '-': Grafana expands '$', and others need quoting in a database's "
    "address; make secrets makes one",
    lambda value: bool(re.fullmatch(r"[A-Za-z0-9_-]{32,512}", value)),
)
require_api_key = Rule(
    "the key as its issuer gave it: 8 to 4096 visible ASCII characters, without white space, '$' or quotes",
    lambda value: bool(re.fullmatch(r"[!#%&(-_a-~]{8,4096}", value)),
)
require_discord_webhook = Rule(
    "a Discord webhook, https://discord.com/api/webhooks/ID/TOKEN, with ?thread_id=ID for a thread",
    lambda value: bool(
        re.fullmatch(
            r"https://(?:(?:canary|ptb)\.)?(?:discord|discordapp)\.com/api/(?:v[0-9]{1,2}/)?webhooks/"
            r"[0-9]{15,22}/[A-Za-z0-9_-]{50,100}(?:\?thread_id=[0-9]{15,22})?",
            value,
        )
    ),
)


def fetches_code_at_start(command: str, arguments: tuple[str, ...]) -> bool:
    """True for a command line that fetches code when it starts: npx, uvx, pip install, …@latest.

    A standby container has no egress, so such a backend cannot start there (and a name's lookup hangs for 10 s on
    Docker 20.10); and what it fetched would be unpinned code next to the secrets.
    """
    parts = [part for text in (command, *arguments) for part in re.split(r"[\s;&|()]+", text)]
    programs = [posixpath.basename(part) for part in parts]
    pairs = set(itertools.pairwise(programs))
    return (
        bool(_FETCHERS & set(programs)) or bool(_INSTALLERS & pairs) or any(_FLOATING.search(word) for word in programs)
    )


@dataclass(frozen=True)
class SecretRule:
    """A rule for a secret's text; its error never holds the text."""

    rule: Rule

    @property
    def allowed(self) -> str:
        return self.rule.allowed

    def __call__(self, value: SecretStr) -> SecretStr:
        self.rule(value.get_secret_value())
        return value


Whole = Annotated[int, BeforeValidator(require_number_not_boolean)]
Port = Annotated[Whole, Field(ge=1, le=65535)]
Seconds = Annotated[Whole, Field(ge=1, le=86400)]
Days = Annotated[Whole, Field(ge=1, le=3650)]
Rate = Annotated[Whole, Field(ge=1, le=1000000)]
ToolName = Annotated[str, Field(min_length=1, max_length=128)]
AbsolutePath = Annotated[str, AfterValidator(require_absolute_path)]
Image = Annotated[str, AfterValidator(require_pinned_image)]
DockerName = Annotated[str, AfterValidator(require_docker_name)]
HostName = Annotated[str, AfterValidator(require_host_name)]
UpstreamHost = Annotated[str, AfterValidator(require_upstream_host)]
InterfaceName = Annotated[str, AfterValidator(require_interface_name)]
HttpUrl = Annotated[str, AfterValidator(require_http_url)]
CopyCommand = Annotated[str, AfterValidator(require_copy_command)]
ClockTime = Annotated[str, AfterValidator(require_clock_time)]
UserName = Annotated[str, AfterValidator(require_user_name)]
HostKey = Annotated[str, AfterValidator(require_host_key)]
EntryName = Annotated[str, AfterValidator(require_entry_name)]
FormerEntryName = Annotated[str, AfterValidator(require_former_entry_name)]
BackendName = Annotated[str, AfterValidator(require_backend_name)]
VariableName = Annotated[str, AfterValidator(require_variable_name)]
MadeSecret = Annotated[SecretStr, AfterValidator(SecretRule(require_made_secret))]
ApiKey = Annotated[SecretStr, AfterValidator(SecretRule(require_api_key))]
DiscordWebhook = Annotated[SecretStr, AfterValidator(SecretRule(require_discord_webhook))]
