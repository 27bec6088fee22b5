// n8n asks the AI nodes' package for this at every start, and uses it for their MCP trigger only, of which there is none.
exports.McpServer = { instance: () => new Proxy({}, { get: () => () => undefined }) };
