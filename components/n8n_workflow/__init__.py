"""The uptime check as an n8n workflow."""
