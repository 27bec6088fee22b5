"""The image's entry point: settings from `GF_…`, as Grafana's own start script reads them.

A variable `NAME__FILE` names a file whose content is NAME's value; both set is an error, as in that script.
"""

from __future__ import annotations

import os
import sys
import threading
from pathlib import Path

from lab.doubles.grafana import command_line, notifying, provisioning
from lab.doubles.grafana.database import Database
from lab.doubles.grafana.evaluation import Evaluator
from lab.doubles.grafana.server import Api, server


def setting(name: str, default: str = "") -> str:
    file = os.environ.get(f"{name}__FILE")
    if file and name in os.environ:
        raise provisioning.Refused(f"both {name} and {name}__FILE are set (but are exclusive)")
    return Path(file).read_text(encoding="utf-8").strip() if file else os.environ.get(name, default)


def database() -> Path:
    return Path(setting("GF_PATHS_DATA", "/var/lib/grafana")) / setting("GF_DATABASE_PATH", "grafana.db")


def main() -> int:
    if sys.argv[1:2] == ["cli"]:
        return command_line.run(sys.argv[2:], database())
    try:
        found = provisioning.read(Path(setting("GF_PATHS_PROVISIONING", "/etc/grafana/provisioning")))
        evaluator = Evaluator(found)
        password, user = setting("GF_SECURITY_ADMIN_PASSWORD"), setting("GF_SECURITY_ADMIN_USER", "admin")
        key = setting("GF_SECURITY_SECRET_KEY")
        if not password or not key:
            raise provisioning.Refused("the lab's Grafana has no default password and no default key")
        # A database that cannot be written fails the start.
        kept = Database.opened(database(), password, key)
        notifier = notifying.Notifier(found, evaluator, setting("GF_SERVER_ROOT_URL", "http://localhost:3000/"))
        api = Api(found, evaluator, user, kept, notifier)
        serving = server(api, "0.0.0.0", int(setting("GF_SERVER_HTTP_PORT", "3000")))
    except (provisioning.Refused, OSError) as error:
        print(f'level=error msg="Failed to start grafana" err="{error}"', file=sys.stderr)
        return 1
    threading.Thread(target=serving.serve_forever, daemon=True).start()
    print("The lab's double of Grafana: it draws nothing, and alerts as the files say.", flush=True)
    notifying.run(evaluator, notifier)
    return 0


sys.exit(main())
