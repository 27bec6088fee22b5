"""A double of Discord's webhooks, at the lab's outside under Discord's own name.

It answers as Discord's documentation says (resources/webhook, resources/message, topics/rate-limits): 204, or 200 with
the message when asked to wait, 400 beyond a limit, 404 for an unknown webhook, 429 with `retry_after`. It keeps what
was posted in a file, one JSON document a line, and shows it to nobody. It speaks plain HTTP: the lab's outside has no
certificate for discord.com, which the lab's Grafana knows and says.
"""
