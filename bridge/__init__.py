"""The HTTP server on 127.0.0.1:9200 in front of the gateway, which speaks stdio only.

Owns: MCP over streamable HTTP, the token of every request, the one gateway process, its start, restarts and end.
Deliberately does not: know any tool, or read a message further than it must to pass it on.
"""
