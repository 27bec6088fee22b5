"""The dashboard and the alert rules, as code.

Owns: what is asked of Prometheus (`queries.py`), the five panels (`panels.py`), the dashboard (`dashboard.py`), the
rules and what reaches Discord (`alerting/`).
Deliberately does not: run anything; `components/monitoring/grafana.py` puts it there.
"""
