"""A double of Discord's webhooks, at the lab's outside under Discord's own name.

No recording holds it: it answers as Discord's documentation says (resources/webhook, resources/message,
topics/rate-limits): 204, or 200 and the message with `wait`, 400 beyond a limit, 404 for an unknown webhook, 429 with
`retry_after`. It keeps posted messages in a file, one JSON document a line, and shows them to nobody. It speaks plain
HTTP, as the lab's Grafana expects, and TLS with a certificate of its own for n8n.
"""
