"""A picture of the five panels with the current figures of Prometheus, without Grafana.

Panels come from the built dashboard, so that the picture shows what Grafana shows; every tool and backend is drawn.
"""
