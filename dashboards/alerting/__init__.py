"""What Grafana is given to alert: rules, where they go, and their words."""
