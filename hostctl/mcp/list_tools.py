"""The tools that a gateway lists to a client. Deliberately does not: call one."""

from __future__ import annotations

from hostctl.core.errors import Refusal
from hostctl.mcp import initialize
from hostctl.mcp.client import CallFailed

ANSWER_SECONDS = 10.0


def tools(target: initialize.Target, seconds: float) -> set[str]:
    """The names of every listed tool; raises Refusal without a good answer within `seconds`."""
    answer = initialize.wait(target, seconds)
    if not answer.good:
        raise Refusal(
            f"no good MCP answer at {target.address}:{target.port} ({answer.reason}): check its log, then run again"
        )
    session = target.session(answer.session)
    try:
        session.acknowledge(ANSWER_SECONDS)
        return {str(tool.get("name")) for tool in session.tools(ANSWER_SECONDS)}
    except CallFailed as error:
        raise Refusal(
            f"{target.address}:{target.port} does not list its tools ({error}): check its log, then run again"
        ) from None
    finally:
        session.close()
