"""A picture of the five panels with the current figures of Prometheus, without Grafana.

Owns: running each panel's own queries over a span of time (`samples.py`), drawing them with titles, units, legends
and thresholds (`drawing.py`). Panels come from the built dashboard, so that the picture shows what Grafana shows.
Deliberately does not: replace Grafana: no variables, no tooltips; every tool and every backend is drawn.
"""
