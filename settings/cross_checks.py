"""Rules over several settings: values that are allowed alone and do not fit together."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from settings import backend_rules, live_rules, monitoring_rules
from settings.backends import by_process
from settings.errors import HIDDEN, NOT_SET, Problem, repeated
from settings.gateway_sections import BRIDGE_MEMORY_MB, GATEWAY_MEMORY_MB, Sentinel
from settings.limits import HEALTH_RETRIES
from settings.model import SECRET_KEYS, Settings
from settings.names import EDGE_NETWORK, INTERNAL_NETWORK

START_SECONDS = 2
STDIO_START_SECONDS = 1.1
"""A stdio backend's own start, measured; the gateway discovers its backends one after the other."""


def problems(settings: Settings) -> Iterator[Problem]:
    """Everything that does not fit together, in the order of `RULES`."""
    for rule in RULES:
        yield from rule(settings)


def ports_of(settings: Settings) -> dict[str, int]:
    """The loopback ports that this stack publishes, by configuration key."""
    ports = {"sentinel.port": settings.sentinel.port, "sentinel.health_port": settings.sentinel.health_port}
    if settings.prometheus.enabled:
        ports["prometheus.port"] = settings.prometheus.port
    if settings.grafana.enabled:
        ports["grafana.port"] = settings.grafana.port
    return ports


def require_a_port_for_each_service(settings: Settings) -> Iterator[Problem]:
    for key, port, first in repeated({"host.port": settings.host.port, **ports_of(settings)}.items()):
        allowed = f"a port that no other service has; {first} is {port} too"
        yield Problem(key, str(port), allowed, str(_free_port(settings)), related=(first,))


def _free_port(settings: Settings) -> int:
    taken = {*ports_of(settings).values(), settings.host.port}
    return next(port for port in range(9200, 65536) if port not in taken)


def require_ssh_details(settings: Settings) -> Iterator[Problem]:
    if settings.host.kind == "local":
        return
    for name in ("address", "user", "private_key_file", "host_key"):
        if getattr(settings.host, name) is None:
            allowed = "a value, because host.kind is ssh"
            yield Problem(f"host.{name}", NOT_SET, allowed, f"<{name.replace('_', ' ')}>", related=("host.kind",))


def require_firewall_to_leave_ssh_open(settings: Settings) -> Iterator[Problem]:
    guarded = settings.firewall.guard_ports
    for number, port in enumerate(guarded):
        if port in (22, settings.host.port):
            allowed = "a port other than ssh's: guarding it would lock the operator out"
            yield Problem(f"firewall.guard_ports[{number}]", str(port), allowed, None, related=("host.port",))


def require_start_to_hold_the_backends(settings: Settings) -> Iterator[Problem]:
    stdio = sum(backend.kind == "stdio" for backend in settings.backends)
    least = round(START_SECONDS + STDIO_START_SECONDS * stdio + 0.5)
    allowed, related = f"{stdio} stdio backends start one after the other, up to 1.1 s each", ("backends",)
    waits = settings.sentinel.backends_seconds
    if settings.sentinel.serve == "bridge" and any(backend.kind == "http" for backend in settings.backends):
        least += waits
        allowed += f", after backends_seconds ({waits}) for the HTTP ones"
        related = ("backends", "sentinel.backends_seconds")
    configured = settings.sentinel.start_seconds
    if configured < least:
        allowed = f"at least {least}: {allowed}"
        yield Problem("sentinel.start_seconds", str(configured), allowed, str(max(180, least)), related=related)


def require_start_to_hold_the_health_checks(settings: Settings) -> Iterator[Problem]:
    sentinel = settings.sentinel
    least = sentinel.health_interval_seconds * HEALTH_RETRIES
    if sentinel.start_seconds < least:
        allowed = (
            f"at least {least}: {HEALTH_RETRIES} times health_interval_seconds ({sentinel.health_interval_seconds}), "
            "or a bad start is given up before Docker can call it unhealthy"
        )
        related = ("sentinel.health_interval_seconds",)
        yield Problem(
            "sentinel.start_seconds", str(sentinel.start_seconds), allowed, str(max(180, least)), related=related
        )


def require_memory_for_bridge_and_gateway(settings: Settings) -> Iterator[Problem]:
    configured = settings.sentinel.memory_mb
    processes = max(1, len(by_process(settings.backends)))
    least = BRIDGE_MEMORY_MB + (processes - 1) * GATEWAY_MEMORY_MB
    if settings.sentinel.serve == "bridge" and configured < least:
        allowed = f"at least {least}: supervisor, bridge and {processes} gateway processes, as measured, and backends"
        yield Problem("sentinel.memory_mb", str(configured), allowed, "1024", related=("sentinel.serve",))
    elif settings.alerts.memory_target_mb > configured:
        target = str(settings.alerts.memory_target_mb)
        allowed = f"at most sentinel.memory_mb ({configured}), or the container dies before the alert"
        value = str(min(130, configured))
        yield Problem("alerts.memory_target_mb", target, allowed, value, related=("sentinel.memory_mb",))


def require_native_without_bridge_options(settings: Settings) -> Iterator[Problem]:
    if settings.sentinel.serve == "bridge":
        return
    for name in ("layers", "backends_seconds"):
        configured = getattr(settings.sentinel, name)
        default = Sentinel.model_fields[name].default
        if configured != default:
            allowed = f"its default ({default}), because sentinel.serve is native and only the bridge knows it"
            yield Problem(f"sentinel.{name}", str(configured), allowed, str(default), related=("sentinel.serve",))
    for number, backend in enumerate(settings.backends):
        if backend.process is not None:
            key, allowed = (
                f"backends[{number}].process",
                "nothing, because sentinel.serve is native: one process serves all",
            )
            yield Problem(key, backend.process, allowed, None, related=("sentinel.serve",))


def require_a_tag_for_what_is_built(settings: Settings) -> Iterator[Problem]:
    image = settings.sentinel.image
    if settings.sentinel.context is not None and "@" in image:
        allowed = "a tag without a digest, because sentinel.context is given: the digest comes from the build"
        value = image.partition("@")[0]
        yield Problem("sentinel.image", image, allowed, value, related=("sentinel.context",))


def require_project_for_its_scope(settings: Settings) -> Iterator[Problem]:
    if settings.client.scope != "user" and settings.client.project is None:
        allowed = f"the project's absolute path, because client.scope is {settings.client.scope}"
        yield Problem("client.project", NOT_SET, allowed, "<project folder>", related=("client.scope",))


def require_names_of_their_own(settings: Settings) -> Iterator[Problem]:
    """Two networks or files under one name would overwrite each other."""
    groups: list[dict[str, str]] = [
        {"the internal network": INTERNAL_NETWORK, "the edge network": EDGE_NETWORK}
        | {f"networks.also[{number}]": name for number, name in enumerate(settings.networks.also)},
        {
            "client.file": settings.client.file,
            "client.token_file": settings.client.token_file,
            "firewall.script": settings.firewall.script,
            "nightly.folder": settings.nightly.folder,
        }
        | ({"nightly.script": settings.nightly.script} if settings.nightly.script else {}),
    ]
    for group in groups:
        for key, name, first in repeated(group.items()):
            yield Problem(key, name, f"another name than {first}", "<another name>", related=(first,))


def require_secrets_of_what_is_enabled(settings: Settings) -> Iterator[Problem]:
    needed: dict[str, str] = {}
    if settings.grafana.enabled:
        needed |= dict.fromkeys(("grafana_admin_password", "grafana_secret_key", "discord_webhook"), "grafana.enabled")
    if settings.health_watch.enabled:
        needed |= dict.fromkeys(("discord_webhook", "n8n_api_key"), "health_watch.enabled")
    for key, because in needed.items():
        if settings.secret(key) is None:
            allowed = f"a secret, because {because} is true"
            yield Problem(key, NOT_SET, allowed, "<secret>", secret=True, related=(because,))


def require_secrets_that_differ(settings: Settings) -> Iterator[Problem]:
    secrets = {key: secret.get_secret_value() for key in SECRET_KEYS if (secret := settings.secret(key))}
    for key, _, first in repeated(secrets.items()):
        yield Problem(key, HIDDEN, f"a secret that is used once; {first} has the same", "<secret>", True, (first,))


def warnings(settings: Settings) -> list[str]:
    """Sentences on values that are allowed and deserve a warning."""
    if settings.client.file.endswith("/settings.json"):
        return [
            f"client.file is {settings.client.file}: today's Claude Code ignores mcpServers there; "
            "it reads ~/.claude.json."
        ]
    return []


RULES: tuple[Callable[[Settings], Iterator[Problem]], ...] = (
    require_ssh_details,
    require_a_port_for_each_service,
    require_names_of_their_own,
    require_start_to_hold_the_backends,
    require_start_to_hold_the_health_checks,
    require_memory_for_bridge_and_gateway,
    require_native_without_bridge_options,
    require_a_tag_for_what_is_built,
    require_project_for_its_scope,
    *backend_rules.RULES,
    *live_rules.RULES,
    *monitoring_rules.RULES,
    require_firewall_to_leave_ssh_open,
    require_secrets_of_what_is_enabled,
    require_secrets_that_differ,
)
