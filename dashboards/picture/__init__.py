"""A picture of the five panels with what Prometheus holds now, for who has no Grafana at hand.

Owns: asking each panel's own queries over a span of time (`asking.py`), drawing them with their titles, units, legends
and thresholds (`drawing.py`). Panels come from the built dashboard, so that the picture shows what Grafana shows.
Deliberately does not: replace Grafana: no variables, no tooltips; every tool and every backend is drawn.
"""
