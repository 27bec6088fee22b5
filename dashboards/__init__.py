"""The dashboard and the alert rules, as code.

Owns: the queries of Prometheus (`queries.py`), the five panels (`panels.py`), the dashboard (`dashboard.py`), the
rules and the messages to Discord (`alerting/`).
Deliberately does not: run anything; `components/monitoring/grafana.py` provisions Grafana with it.
"""
