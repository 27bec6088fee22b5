"""The predecessor in the box: a real ContextForge with database, cache and seven backends, and the operator's files.

`up` brings up what is missing, `down` removes it, `token_file` is the operator's token; tests ask it by `ask`.
"""

from lab.predecessor.asking import Answer, ask, call_tool
from lab.predecessor.files import token_file
from lab.predecessor.lifecycle import down, up

__all__ = ["Answer", "ask", "call_tool", "down", "token_file", "up"]
