"""Discord: the webhook as one file on the host, and a check of it that posts nothing.

Owns: that file, which Grafana mounts and `hostctl`'s verbs read. Nothing else on the host holds the webhook, except
n8n's credential.

Deliberately does not: post. Grafana, n8n and `hostctl discord post` do.
"""

from __future__ import annotations

from dataclasses import dataclass

import pulumi
from pydantic import SecretStr

from components.base.files import HostFile, HostFiles, HostFilesArgs
from components.host import Host, Operation
from settings import secret_output

_FILE = "webhook"


@dataclass(frozen=True, kw_only=True)
class DiscordArgs:
    """The webhook, and the uid that reads its file inside Grafana's container; on the host root reads it."""

    webhook: SecretStr
    reader: int
    host: Host


class Discord(pulumi.ComponentResource):
    """The webhook's file and its check. `webhook_file`, its path on the host, changes with the webhook."""

    webhook_file: pulumi.Output[str]

    def __init__(self, name: str, args: DiscordArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("sentinel-cutover:index:Discord", name, None, opts)
        files = HostFiles(
            f"{name}-files",
            HostFilesArgs(
                files={_FILE: HostFile(secret_output(args.webhook))},
                owner=args.reader,
                host=args.host,
            ),
            pulumi.ResourceOptions(parent=self),
        )
        self.webhook_file = files.path(_FILE)
        args.host.action(
            f"{name}-check",
            Operation("discord", create="check"),
            {"webhook_file": self.webhook_file},
            parent=self,
        )
        self.register_outputs({})
