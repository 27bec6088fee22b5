"""Prometheus, Grafana and container statistics."""
