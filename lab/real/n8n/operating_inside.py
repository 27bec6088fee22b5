"""Run inside the VPS's network: the owner's account of a new n8n, and a key of its public API; the key on stdout.

Takes {"port", "email", "password", "label"} on stdin. n8n has no other way to a first key than its own page's requests.
"""

import http.cookiejar
import json
import sys
import urllib.request
from typing import Any

SCOPES = (
    *(f"workflow:{word}" for word in ("create", "read", "update", "delete", "list", "activate", "deactivate")),
    *(f"credential:{word}" for word in ("create", "update", "delete", "list")),
    *(f"execution:{word}" for word in ("read", "list")),
)

asked = json.load(sys.stdin)
opener = urllib.request.build_opener(urllib.request.HTTPCookieProcessor(http.cookiejar.CookieJar()))


def post(path: str, body: dict[str, Any]) -> Any:
    headers = {"Content-Type": "application/json", "browser-id": "lab"}
    request = urllib.request.Request(f"http://127.0.0.1:{asked['port']}{path}", json.dumps(body).encode(), headers)
    with opener.open(request, timeout=60) as answer:
        return json.load(answer)["data"]


account = {"email": asked["email"], "password": asked["password"]}
post("/rest/owner/setup", {**account, "firstName": "The", "lastName": "Operator"})
made = post("/rest/api-keys", {"label": asked["label"], "scopes": SCOPES, "expiresAt": None})
print(json.dumps({"key": made["rawApiKey"]}))
