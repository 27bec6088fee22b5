"""The dashboards and the alert rules, as code."""
