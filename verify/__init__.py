"""The MCP client's side: every backend answers as expected, through the gateway that Claude uses."""
