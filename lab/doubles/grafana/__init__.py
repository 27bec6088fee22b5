"""A double of Grafana, for where its image cannot be pulled.

It reads the provisioning folders that the product mounts, refuses at its start what Grafana refuses (strict models of
the documented formats, `$` interpolation included), answers those paths of Grafana's public HTTP API that our tests
call, evaluates the rules against Prometheus, and posts to Discord through the contact point. It draws nothing. Where
the real image can be pulled, the same tests run on it (`grafana.image`).

No recording holds it. Sources: Grafana's `pkg/services/provisioning` and `pkg/services/ngalert`, its documentation of
file provisioning and of the HTTP API, `grafana/alerting` `receivers/discord` (`reference/formats.md`, section 1).
"""
