"""Run inside the VPS's network: the owner's account of a new n8n, and a key of its public API; the key on stdout.

Takes {"port", "email", "password", "label"} on stdin. n8n has no other way to a first key than its own page's requests.
It adds its paths one after the other while it starts, and says 404 to those that are still to come.
"""

import http.cookiejar
import json
import sys
import time
import urllib.error
import urllib.request
from typing import Any

SCOPES = (
    *(f"workflow:{scope}" for scope in ("create", "read", "update", "delete", "list", "activate", "deactivate")),
    *(f"credential:{scope}" for scope in ("create", "update", "delete", "list")),
    *(f"execution:{scope}" for scope in ("read", "list")),
)

STARTED_WITHIN_SECONDS = 120.0
POLL_SECONDS = 0.5

document = json.load(sys.stdin)
opener = urllib.request.build_opener(urllib.request.HTTPCookieProcessor(http.cookiejar.CookieJar()))


def post(path: str, body: dict[str, Any]) -> Any:
    headers = {"Content-Type": "application/json", "browser-id": "lab"}
    request = urllib.request.Request(f"http://127.0.0.1:{document['port']}{path}", json.dumps(body).encode(), headers)
    with opener.open(request, timeout=60) as answer:
        return json.load(answer)["data"]


def post_once_there(path: str, body: dict[str, Any]) -> Any:
    deadline = time.monotonic() + STARTED_WITHIN_SECONDS
    while True:
        try:
            return post(path, body)
        except urllib.error.HTTPError as error:
            if error.code != 404 or time.monotonic() > deadline:
                raise
        time.sleep(POLL_SECONDS)


account = {"email": document["email"], "password": document["password"]}
post_once_there("/rest/owner/setup", {**account, "firstName": "The", "lastName": "Operator"})
made = post_once_there("/rest/api-keys", {"label": document["label"], "scopes": SCOPES, "expiresAt": None})
print(json.dumps({"key": made["rawApiKey"]}))
