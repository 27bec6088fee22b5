"""`python -m dashboards` (`make dashboards`): write the dashboard's JSON beside its code."""

from dashboards.dashboard import text
from dashboards.dashboard_file import FILE

FILE.write_text(text(), encoding="utf-8")
print(FILE)
