"""`make verify`: one call per backend through Claude's own entry, whichever gateway has the port, and the gates of a
rollback.
"""

from __future__ import annotations

from console.progress import Progress
from console.result import Result
from ops.engine import rollback_proof, state
from ops.engine.run import open_stack
from ops.engine.verification import verify_backends
from settings import ports_of


def verify(stack: str, progress: Progress) -> Result:
    """Exit status 0 only when every backend answers and no gate of a rollback fails."""
    opened = open_stack(stack, progress, create=False)
    state.require_begun(stack, state.deployment_of(opened, stack))
    settings = state.settings_of(opened, stack)
    verified = verify_backends(stack, settings, own_ports=sorted(ports_of(settings).values()))
    proof = rollback_proof.prove(stack, settings)
    ok = verified.ok and proof["ok"] is not False
    text = f"{verified.text}\n{'rollback':<9} {rollback_proof.sentence(proof)}"
    return Result({**verified.document, "ok": ok, "rollback": proof}, text, ok)
