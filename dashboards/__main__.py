"""`python -m dashboards` (`make dashboards`): write each dashboard's JSON beside its code."""

from dashboards import dashboard, panels, resources
from dashboards.dashboard_file import FILE, RESOURCES_FILE

for file, built in ((FILE, dashboard.dashboard()), (RESOURCES_FILE, resources.dashboard())):
    file.write_text(panels.text(built), encoding="utf-8")
    print(file)
