"""The predecessor in the box: a real ContextForge with database, cache and seven backends, and the operator's files.

`up` brings up what is missing, `down` removes it, `token_file` is the operator's token; tests call it by `call`.
"""

from lab.real.contextforge.files import token_file
from lab.real.contextforge.http_call import Answer, call, call_tool
from lab.real.contextforge.lifecycle import down, up

__all__ = ["Answer", "call", "call_tool", "down", "token_file", "up"]
