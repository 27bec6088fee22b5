"""The variables with which the engine runs on a stack: from `make` and, after `eval "$(make env)"`, in a shell.

Owns: the places of a stack's state, passphrase and plugins, unless its sandbox names others.
Deliberately does not: keep a value that an earlier `make env` left in the shell for another stack; such a value points
into the repository, and every stack gets its own.
"""

from __future__ import annotations

import os
import secrets
import shlex
from collections.abc import Mapping, Sequence
from pathlib import Path
from urllib.parse import urlsplit

from console.errors import UserError
from console.paths import PULUMI_HOME, ROOT, STATE, VENV
from ops.engine import sandbox
from toolchain import find

NAMES = (
    "PATH",
    "PULUMI_HOME",
    "PULUMI_BACKEND_URL",
    "PULUMI_CONFIG_PASSPHRASE_FILE",
    "PULUMI_SKIP_UPDATE_CHECK",
    "PULUMI_STACK",
)
"""The variables that `make env` exports, those that the stack needs."""

PASSPHRASE = "PULUMI_CONFIG_PASSPHRASE"
"""The engine takes it before the file of a passphrase, so the two never stand together."""


def variables(stack: str, shell: Mapping[str, str] = os.environ, *, make: bool = True) -> dict[str, str]:
    """The variables of `NAMES` for the stack.

    With `make`, the passphrase file and the state folder of a stack without its own are made where they are missing.
    """
    stack_sandbox = sandbox.of_stack(stack)
    own = dict(stack_sandbox.environment()) if stack_sandbox else _of_existing_host(stack, shell, make)
    folders = [str(VENV / "bin"), *_split(own.get("PATH")), *map(str, find.folders_of(find.programs()))]
    own["PATH"] = os.pathsep.join(dict.fromkeys([*folders, *_split(shell.get("PATH"))]))
    own |= {"PULUMI_SKIP_UPDATE_CHECK": "1", "PULUMI_STACK": stack}
    return {name: own[name] for name in NAMES if name in own}


def complete(stack: str, shell: Mapping[str, str] = os.environ) -> dict[str, str]:
    """The whole environment for a child: the shell's, with the stack's variables over it."""
    own = variables(stack, shell)
    others = {name: value for name, value in shell.items() if name not in NAMES or name == "PATH"}
    if "PULUMI_CONFIG_PASSPHRASE_FILE" in own:
        others.pop(PASSPHRASE, None)
    return others | own


def require_state(stack: str, shell: Mapping[str, str] = os.environ) -> None:
    """Raise UserError where the stack has no state, so that a mistyped name creates no folder."""
    url = variables(stack, shell, make=False)["PULUMI_BACKEND_URL"]
    if url == f"file://{STATE / stack}" and not (STATE / stack).is_dir():
        raise UserError(
            f"This clone has no state of stack {stack}: `make up STACK={stack}` makes the stack, and "
            f"`make adopt STACK={stack}` takes over a host that runs it already."
        )


def place_of_state(stack: str, shell: Mapping[str, str] = os.environ) -> str:
    """The folder of the stack's state; of another backend the address, without what its user has in it."""
    url = urlsplit(variables(stack, shell, make=False)["PULUMI_BACKEND_URL"])
    if url.scheme == "file":
        return url.path
    return url._replace(netloc=url.netloc.rpartition("@")[2], query="").geturl()


def passphrase(stack: str, shell: Mapping[str, str] = os.environ) -> str:
    """The stack's passphrase, empty where it has none: a service of its own keeps its secrets then."""
    own = variables(stack, shell, make=False)
    file = own.get("PULUMI_CONFIG_PASSPHRASE_FILE")
    try:
        return Path(file).read_text(encoding="utf-8").strip() if file else shell.get(PASSPHRASE, "")
    except FileNotFoundError:
        return ""


def exports(chosen: Mapping[str, str]) -> list[str]:
    """Shell lines, quoted for any value."""
    unset = [f"unset {name}" for name in NAMES if name not in chosen]
    if "PULUMI_CONFIG_PASSPHRASE_FILE" in chosen:
        unset.append(f"unset {PASSPHRASE}")
    return unset + [f"export {name}={shlex.quote(value)}" for name, value in chosen.items()]


def _of_existing_host(stack: str, shell: Mapping[str, str], make: bool) -> dict[str, str]:
    own = {name: shell[name] for name in ("PULUMI_HOME", "PULUMI_BACKEND_URL") if _is_theirs(shell.get(name))}
    own.setdefault("PULUMI_HOME", str(PULUMI_HOME))
    if "PULUMI_BACKEND_URL" not in own:
        if make:
            _folder(STATE)
            _folder(STATE / stack)
        own["PULUMI_BACKEND_URL"] = f"file://{STATE / stack}"
    if _is_theirs(shell.get("PULUMI_CONFIG_PASSPHRASE_FILE")):
        own["PULUMI_CONFIG_PASSPHRASE_FILE"] = shell["PULUMI_CONFIG_PASSPHRASE_FILE"]
    elif PASSPHRASE not in shell:
        file = STATE / "passphrase"
        own["PULUMI_CONFIG_PASSPHRASE_FILE"] = str(_passphrase_file(file) if make else file)
    return own


def _is_theirs(value: str | None) -> bool:
    """True for a value that the operator set, and not an earlier `make env`."""
    if not value:
        return False
    address = urlsplit(value)
    path = Path(address.path if address.scheme == "file" else value)
    return not path.is_absolute() or not path.resolve().is_relative_to(ROOT)


def _folder(path: Path) -> None:
    path.mkdir(mode=0o700, parents=True, exist_ok=True)


def _passphrase_file(path: Path) -> Path:
    """Make the file once; without it nobody can ever read the stack's secrets.

    Raises UserError in a clone that has a stack's file and not its passphrase: a new one would be wrong for good.
    """
    if not path.exists():
        _refuse_second_passphrase(path)
        _folder(path.parent)
        beside = path.with_name(f".{path.name}.{os.getpid()}")
        with os.fdopen(os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as out:
            out.write(secrets.token_urlsafe(32))
        try:
            os.link(beside, path)
        except FileExistsError:
            pass
        finally:
            beside.unlink()
    return path


def _refuse_second_passphrase(path: Path) -> None:
    for file in sorted(ROOT.glob("Pulumi.*.yaml")):
        stack = file.name.split(".")[1]
        if sandbox.of_stack(stack) is None and "\nencryptionsalt:" in f"\n{file.read_text(encoding='utf-8')}":
            raise UserError(
                f"{file.name} has secrets of a passphrase that this clone lacks, and a new one could never read them: "
                f"copy .state/passphrase of the clone that made the stack to {path} (mode 0600), and .state/{stack} "
                f"with it or run `make adopt STACK={stack}` then; or set PULUMI_CONFIG_PASSPHRASE_FILE."
            )


def _split(path: str | None) -> Sequence[str]:
    return [folder for folder in (path or "").split(os.pathsep) if folder]
