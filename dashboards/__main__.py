"""`python -m dashboards` (`make dashboards`): write each dashboard's JSON beside its code."""

from dashboards import resources
from dashboards.dashboard import text
from dashboards.dashboard_file import FILE, RESOURCES_FILE

for file, content in ((FILE, text()), (RESOURCES_FILE, resources.text())):
    file.write_text(content, encoding="utf-8")
    print(file)
