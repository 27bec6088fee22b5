"""Grafana's alerting: rules, their contact point, and their messages."""
